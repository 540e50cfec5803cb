%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How much one request may bring. Before the login a stream keeps what it is told, several times over, each payload
%%% may be answered with more than itself, and anyone can send it: no login needs more.
-module(megaphone_allowance).

-export([read/3, frame/3, bytes/2, parts/1, check/4, has_room/2, may_wait/2]).

-export_type([who/0, frame/0, fault/0]).

-type fault() :: none | too_large | StreamError :: binary().
-type frame() ::
    {open, megaphone_framing:open()} | close | {stanza, megaphone_body:xmlel()} | {wrong, megaphone_condition:reason(), fault()}.
%% Whoever has logged in is no stranger.
-type who() :: stranger | user.

-define(STRANGERS_BYTES, 8192).
%% Of one that came too early: it is kept in its parsed form until its turn.
-define(STRANGERS_EARLY_BYTES, 2048).
%% Elements and attributes, of which a form to register has the most.
-define(STRANGERS_PARTS, 256).
-define(STRANGERS_PAYLOADS, 8).
-define(MOST_PARTS, 10000).

%% @doc A body as a request; one that is too long is not looked into.
-spec read(Body :: binary(), who(), Max :: pos_integer() | infinity) ->
    {ok, megaphone_body:request()} | {error, body_too_large | megaphone_condition:condition()}.
read(Body, Who, Max) ->
    case byte_size(Body) =< bytes(Who, Max) andalso megaphone_body:parse(Body, parts(Who)) of
        false ->
            {error, body_too_large};
        {ok, Request} ->
            {ok, Request};
        {error, _} ->
            {error, <<"bad-request">>}
    end.

%% @doc The same of a WebSocket's frame. With what is wrong, what its client is told, where that is more than the reason.
-spec frame(Frame :: binary(), who(), Max :: pos_integer() | infinity) -> frame().
frame(Frame, Who, Max) ->
    case byte_size(Frame) =< bytes(Who, Max) andalso megaphone_framing:read(Frame, parts(Who)) of
        false -> {wrong, body_too_large, too_large};
        {error, <<"policy-violation">>} -> {wrong, body_too_large, none};
        {error, Fault} -> {wrong, <<"bad-request">>, Fault};
        Is -> Is
    end.

%% @doc Is it taken? `IsEarly': it came before its turn.
-spec check(megaphone_body:request(), Body :: binary(), IsEarly :: boolean(), who()) -> ok | {error, body_too_large | too_much_ahead}.
check(Request, Body, IsEarly, Who) ->
    case has_room(Request, Who) of
        false -> {error, body_too_large};
        true when IsEarly -> case may_wait(Body, Who) of true -> ok; false -> {error, too_much_ahead} end;
        true -> ok
    end.

%% @doc The longest body, where ejabberd takes `Max'.
-spec bytes(who(), Max) -> Max when Max :: pos_integer() | infinity.
%% Atoms sort behind numbers: `infinity' is the largest.
bytes(stranger, Max) -> min(Max, ?STRANGERS_BYTES);
bytes(user, Max) -> Max.

-spec parts(who()) -> pos_integer().
parts(stranger) -> ?STRANGERS_PARTS;
parts(user) -> ?MOST_PARTS.

%% @doc Is there room for all of its payloads?
-spec has_room(megaphone_body:request(), who()) -> boolean().
has_room(_, user) -> true;
has_room(#{els := Els}, stranger) -> length(Els) =< ?STRANGERS_PAYLOADS.

%% @doc Is it kept here when it comes before its turn?
-spec may_wait(Body :: binary(), who()) -> boolean().
may_wait(_, user) -> true;
may_wait(Body, stranger) -> byte_size(Body) =< ?STRANGERS_EARLY_BYTES.
