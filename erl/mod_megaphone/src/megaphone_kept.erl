%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The answers a session keeps for repeated requests (XEP-0124 §14.3), newest first, and what is known
%%% of each: whether it left, and whether the client has it.
-module(megaphone_kept).

-export([new/0, add/5, find/3, repeated/2, lost/2, has_lost/1]).
-export([drop/2, mark_seen/1, sent_at/2, size/1, to_list/1, take_open/1]).

-export_type([kept/0, http_status/0]).

-type rid() :: megaphone_body:rid().
-type ms() :: integer().
-type http_status() :: 200 | 400 | 403 | 404.

-record(answer, {
    rid :: rid(),
    status :: http_status(),
    body :: binary(),
    at :: ms(),
    %% The key of its request, which a repeat must bring again (§15).
    key :: binary() | none,
    %% sent: on its way; lost: known not to have left us; seen: the client has it; blank: no payload.
    state :: sent | lost | seen | blank
}).

-opaque kept() :: [#answer{}].

-spec new() -> kept().
new() -> [].

-spec add({rid(), Key :: binary() | none}, http_status(), {payload | blank, binary()}, ms(), kept()) -> kept().
add({Rid, Key}, Status, {Content, Body}, Now, Kept) ->
    State = case Content of payload -> sent; blank -> blank end,
    [#answer{rid = Rid, status = Status, body = Body, at = Now, key = Key, state = State} | Kept].

%% @doc The answer to a request with this key.
-spec find(rid(), binary() | none, kept()) -> {http_status(), binary()} | none.
find(Rid, Key, Kept) ->
    case lists:keyfind(Rid, #answer.rid, Kept) of
        #answer{key = Key, status = Status, body = Body} -> {Status, Body};
        _ -> none
    end.

%% @doc It was sent once more.
-spec repeated(rid(), kept()) -> kept().
repeated(Rid, Kept) -> change(Rid, lost, sent, Kept).

%% @doc It could not be sent.
-spec lost(rid(), kept()) -> kept().
lost(Rid, Kept) -> change(Rid, sent, lost, Kept).

-spec change(rid(), sent | lost, sent | lost, kept()) -> kept().
change(Rid, From, To, Kept) ->
    case lists:keyfind(Rid, #answer.rid, Kept) of
        #answer{state = From} = A -> lists:keyreplace(Rid, #answer.rid, Kept, A#answer{state = To});
        _ -> Kept
    end.

-spec has_lost(kept()) -> boolean().
has_lost(Kept) -> lists:keymember(lost, #answer.state, Kept).

%% @doc Forgets those up to this rid: the client has them, or cannot ask for them any more.
-spec drop(rid(), kept()) -> kept().
drop(Ack, Kept) -> [A || #answer{rid = Rid} = A <- Kept, Rid > Ack].


%% @doc The client has all of them, but may not know that we know.
-spec mark_seen(kept()) -> kept().
mark_seen(Kept) ->
    [case A of #answer{state = sent} -> A#answer{state = seen}; _ -> A end || A <- Kept].

-spec sent_at(rid(), kept()) -> ms() | none.
sent_at(Rid, Kept) ->
    case lists:keyfind(Rid, #answer.rid, Kept) of
        #answer{at = At} -> At;
        false -> none
    end.

-spec size(kept()) -> non_neg_integer().
size(Kept) -> length(Kept).

-spec to_list(kept()) -> [{rid(), http_status(), binary()}].
to_list(Kept) -> [{Rid, Status, Body} || #answer{rid = Rid, status = Status, body = Body} <- Kept].

%% @doc Takes out those with payload that the client may not have, oldest first.
-spec take_open(kept()) -> {[{ms(), binary()}], kept()}.
take_open(Kept) ->
    {Open, Known} = lists:partition(fun(#answer{state = State}) -> State =:= sent orelse State =:= lost end, Kept),
    {lists:reverse([{At, Body} || #answer{at = At, body = Body} <- Open]), Known}.
