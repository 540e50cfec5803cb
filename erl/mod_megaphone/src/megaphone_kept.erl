%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The answers a session keeps for repeated requests (XEP-0124 §14.3), newest first; and what the client
%%% provably has. That is told by two things, and by nothing else: `received', a proof by the client,
%%% which is final, and `lost', our own knowledge that no copy left. Of all other answers the client may
%%% or may not have what they carry. So an answer holds its stanzas until it is proved.
-module(megaphone_kept).

-export([new/0, add/6, find/3, repeated/2, received/2, lost/2, drop/2, trim/3]).
-export([has_lost/1, unproved/1, sent_at/2, size/1, to_list/1, take_owed/1]).

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
    %% blank: without payload, so there is nothing to prove.
    proof :: open | received | blank,
    %% Of its last copy; and whether one before that left.
    copy = sent :: sent | lost,
    left = false :: boolean(),
    owed = [] :: [megaphone_queue:owed()]
}).

%% What a stanza takes beside its text, which its answer and itself may share.
-define(STANZA_BYTES, 1000).

-opaque kept() :: [#answer{}].

-spec new() -> kept().
new() -> [].

%% @doc `Owed' are the stanzas of its payload that are to reach the user in any case, oldest first.
-spec add({rid(), Key :: binary() | none}, http_status(), {payload | blank, binary()}, [megaphone_queue:owed()], ms(), kept()) ->
    kept().
add({Rid, Key}, Status, {Content, Body}, Owed, Now, Kept) ->
    Proof = case Content of payload -> open; blank -> blank end,
    [#answer{rid = Rid, status = Status, body = Body, at = Now, key = Key, proof = Proof, owed = Owed} | Kept].

%% @doc The answer to a request with this key.
-spec find(rid(), binary() | none, kept()) -> {http_status(), binary()} | none.
find(Rid, Key, Kept) ->
    case lists:keyfind(Rid, #answer.rid, Kept) of
        #answer{key = Key, status = Status, body = Body} -> {Status, Body};
        _ -> none
    end.

%% @doc It was sent once more. (That it was asked for again proves nothing of others, and not even that
%% the client lacks this one: the repeat may have been on its way for long.)
-spec repeated(rid(), kept()) -> kept().
repeated(Rid, Kept) ->
    change(Rid, fun(#answer{copy = Copy, left = Left} = A) -> A#answer{copy = sent, left = Left orelse Copy =:= sent} end, Kept).

%% @doc It could not be sent.
-spec lost(rid(), kept()) -> kept().
lost(Rid, Kept) -> change(Rid, fun(A) -> A#answer{copy = lost} end, Kept).

-spec change(rid(), fun((#answer{}) -> #answer{}), kept()) -> kept().
change(Rid, Change, Kept) ->
    case lists:keyfind(Rid, #answer.rid, Kept) of
        #answer{proof = open} = A -> lists:keyreplace(Rid, #answer.rid, Kept, Change(A));
        _ -> Kept
    end.

%% @doc Does the client wait for one whose last copy was lost?
-spec has_lost(kept()) -> boolean().
has_lost(Kept) -> lists:any(fun(#answer{proof = Proof, copy = Copy}) -> Proof =:= open andalso Copy =:= lost end, Kept).

%% @doc The client has all answers up to this rid, which a request of its proves. Where none left it errs.
-spec received(rid(), kept()) -> kept().
received(Rid, [#answer{rid = Newer} = A | Kept]) when Newer > Rid -> [A | received(Rid, Kept)];
received(Rid, [#answer{proof = open} = A | Kept]) ->
    case never_left(A) of
        true -> [A | received(Rid, Kept)];
        false -> [A#answer{proof = received, owed = []} | received(Rid, Kept)]
    end;
received(Rid, [A | Kept]) -> [A | received(Rid, Kept)];
received(_, []) -> [].

-spec never_left(#answer{}) -> boolean().
never_left(#answer{proof = Proof, copy = Copy, left = Left}) -> Proof =:= open andalso Copy =:= lost andalso not Left.

%% @doc Forgets those up to this rid: the client says that it has them.
-spec drop(rid(), kept()) -> kept().
drop(Ack, Kept) -> lists:takewhile(fun(#answer{rid = Rid}) -> Rid > Ack end, Kept).

%% @doc Forgets those up to this rid, and before the window those that make more than so many bytes; but none
%% that never left.
-spec trim(rid(), {Window :: rid(), Bytes :: non_neg_integer()}, kept()) -> kept().
trim(Oldest, {Window, Bytes}, [#answer{rid = Rid, body = Body} = A | Kept]) ->
    Left = Bytes - byte_size(Body),
    case Rid > Window orelse (Rid > Oldest andalso Left >= 0) orelse never_left(A) of
        true -> [A | trim(Oldest, {Window, Left}, Kept)];
        false -> trim(Oldest, {Window, Bytes}, Kept)
    end;
trim(_, _, []) ->
    [].

%% @doc Bytes that are kept for answers which the client may not have.
-spec unproved(kept()) -> non_neg_integer().
unproved(Kept) ->
    lists:sum([byte_size(Body) + ?STANZA_BYTES * length(Owed) || #answer{proof = open, body = Body, owed = Owed} <- Kept]).

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

%% @doc Takes out the answers that the client may not have; what they owe it, oldest first.
-spec take_owed(kept()) -> {[megaphone_queue:owed()], kept()}.
take_owed(Kept) ->
    {Open, Known} = lists:partition(fun(#answer{proof = Proof}) -> Proof =:= open end, Kept),
    {lists:append(lists:reverse([Owed || #answer{owed = Owed} <- Open])), Known}.
