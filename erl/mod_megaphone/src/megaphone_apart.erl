%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Answers that leave over two gateways may change places on their way, and many clients take them as they come: between two
%%% with payloads there is some time then. Not where the client shows that it has the first: with as many requests open as it
%%% may have, behind that one (XEP-0124 §11).
-module(megaphone_apart).

-export([new/0, answered/3, came/4, not_before/2, shift/2]).

-export_type([apart/0]).

-type ms() :: integer().
-type conn() :: megaphone_requests:conn().
-type rid() :: megaphone_body:rid().
%% When the last payload left, to which request and over which node.
-opaque apart() :: none | {ms(), rid(), node()}.

%% Much for a network between gateways, little for who reads it.
-define(APART_MS, 50).

-spec new() -> apart().
new() -> none.

%% @doc A payload left.
-spec answered(rid(), conn(), ms()) -> apart().
answered(Rid, Conn, Now) ->
    case over(Conn) of
        none -> none;
        Node -> {Now, Rid, Node}
    end.

%% @doc This request came, of a client that has one open beside those that are held.
-spec came(rid(), Hold :: non_neg_integer(), ms(), apart()) -> apart().
came(Rid, Hold, _, {_, Answered, _}) when Rid - Answered > Hold -> none;
came(_, _, Now, {At, _, _}) when Now - At >= ?APART_MS -> none;
came(_, _, _, Apart) -> Apart.

%% @doc When the next may leave by this connection, if not at once.
-spec not_before(conn() | none, apart()) -> ms() | none.
not_before(_, none) ->
    none;
not_before(Conn, {At, _, Node}) ->
    case over(Conn) of
        Node -> none;
        _ -> At + ?APART_MS
    end.

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), apart()) -> apart().
shift(By, {At, Rid, Node}) -> {At + By, Rid, Node};
shift(_, none) -> none.

%% Only connections of gateways have a node.
-spec over(conn() | none) -> node() | none.
over(Conn) ->
    try node(Conn)
    catch error:badarg -> none
    end.
