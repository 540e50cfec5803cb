%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The answers a session keeps for repeated requests (XEP-0124 §14.3), and the life of each:
%%%
%%%   sent           it left, for all we know: whether it came is not known
%%%   resent         so did a copy before the last
%%%   lost           no copy left: the client waits for it, and nothing later may reach it first
%%%   missed         the last copy did not leave, and the client waits for it; one before did
%%%   settled        the client provably has it, or it has no payload, so that there is nothing to prove
%%%   {unsent, C, X} there was no room for it on the way to the connections C; until there is, it is X
%%%
%%%                  | copied | lost   | no room on the | C closed | proved  | acknowledged  | too old
%%%                  |        |        | way to C       |          |         |               |
%%%   sent           | resent | lost   | unsent, lost   |          | settled | dropped       | dropped
%%%   resent         | resent | missed | unsent, missed |          | settled | dropped       | dropped
%%%   lost           | sent   |        | unsent, lost   |          |         | dropped       |
%%%   missed         | resent |        | unsent, missed |          | settled | dropped       | dropped
%%%   settled        |        |        | unsent, settled|          |         | dropped       | dropped
%%%   {unsent, C, X} | as X   |        | for that, too  | X        | as X    | unsent,settled|
%%%
%%% (An empty cell: nothing changes.) Copied: it is given out once more, for a repeat or because it was unsent. That it
%%% was asked for again proves nothing of others, and not even that the client lacks this one: the repeat may have been
%%% on its way for long. Until an answer is settled it holds its stanzas: take_owed/1 hands them back.
%%%
%%% All that is unsent is tried again in order, after pauses that double.
-module(megaphone_kept).

-export([new/0, add/6, copy/3, lost/2, unsent/4, closed/2, received/2, acknowledged/2, trim/3]).
-export([due/1, retry/2, has_lost/1, unproved/1, sent_at/2, is_awaited/2, awaited/1, size/1, to_list/1, take_owed/1]).

-export_type([kept/0, http_status/0]).

-type rid() :: megaphone_body:rid().
-type ms() :: integer().
-type conn() :: megaphone_bosh:conn().
-type answer() :: megaphone_bosh:answer().
-type http_status() :: 200 | 400 | 403 | 404.
-type at_rest() :: sent | resent | lost | missed | settled.
-type state() :: at_rest() | {unsent, [conn(), ...], lost | missed | settled}.
-type event() :: copied | lost | {no_room, conn()} | {closed, conn()} | proved | acknowledged.

-record(answer, {
    rid :: rid(),
    status :: http_status(),
    body :: binary(),
    at :: ms(),
    %% The key of its request, which a repeat must bring again (§15).
    key :: binary() | none,
    state :: state(),
    owed = [] :: [megaphone_queue:owed()]
}).

-record(kept, {
    %% Newest first.
    answers = [] :: [#answer{}],
    %% When to try again what is unsent, and how long the pause before that was.
    retry = none :: none | {Due :: ms(), Pause :: ms()}
}).

-opaque kept() :: #kept{}.

%% What a stanza takes beside its text, which its answer and itself may share.
-define(STANZA_BYTES, 1000).
-define(FIRST_PAUSE, 50).
-define(LONGEST_PAUSE, 5000).

-spec next(state(), event()) -> state() | dropped.
next({unsent, _, X}, copied) -> next(X, copied);
next({unsent, Conns, X}, {no_room, Conn}) -> {unsent, [Conn | lists:delete(Conn, Conns)], X};
next({unsent, [Conn], X}, {closed, Conn}) -> X;
next({unsent, Conns, X}, {closed, Conn}) -> {unsent, lists:delete(Conn, Conns), X};
next({unsent, Conns, X}, proved) -> {unsent, Conns, next(X, proved)};
next({unsent, Conns, _}, acknowledged) -> {unsent, Conns, settled};
next({unsent, _, _} = State, lost) -> State;
next(_, acknowledged) -> dropped;
next(State, {no_room, Conn}) -> {unsent, [Conn], next(State, lost)};
next(State, {closed, _}) -> State;
next(settled, _) -> settled;
next(lost, copied) -> sent;
next(_, copied) -> resent;
next(lost, proved) -> lost;
next(_, proved) -> settled;
next(sent, lost) -> lost;
next(resent, lost) -> missed;
next(State, lost) -> State.

-spec new() -> kept().
new() -> #kept{}.

%% @doc A new answer, as it leaves. `Owed' are the stanzas of its payload that are to reach the user in any case, oldest first.
-spec add({rid(), Key :: binary() | none}, http_status(), {payload | blank, binary()}, [megaphone_queue:owed()], ms(), kept()) ->
    kept().
add({Rid, Key}, Status, {Content, Body}, Owed, Now, #kept{answers = Answers} = Kept) ->
    State = case Content of payload -> sent; blank -> settled end,
    Answer = #answer{rid = Rid, status = Status, body = Body, at = Now, key = Key, state = State, owed = Owed},
    Kept#kept{answers = [Answer | Answers]}.

%%% Events

%% @doc The answer to a request with this key, given out once more.
-spec copy(rid(), binary() | none, kept()) -> {http_status(), binary(), kept()} | other_key | none.
copy(Rid, Key, #kept{answers = Answers} = Kept) ->
    case lists:keyfind(Rid, #answer.rid, Answers) of
        #answer{key = Key, status = Status, body = Body} -> {Status, Body, change(Rid, copied, Kept)};
        #answer{} -> other_key;
        false -> none
    end.

%% @doc It could not be sent.
-spec lost(rid(), kept()) -> kept().
lost(Rid, Kept) -> change(Rid, lost, Kept).

%% @doc There was no room for it on the way to this connection.
-spec unsent(rid(), conn(), ms(), kept()) -> kept().
unsent(Rid, Conn, Now, Kept) ->
    case {change(Rid, {no_room, Conn}, Kept), Kept} of
        {Kept, _} -> Kept;
        %% It was just tried again, and in vain.
        {Changed, #kept{retry = {Due, _}}} when Due > Now -> Changed;
        {Changed, _} ->
            case due(Kept) of
                infinity -> Changed#kept{retry = {Now + ?FIRST_PAUSE, ?FIRST_PAUSE}};
                _ -> Changed
            end
    end.

%% @doc This connection is gone.
-spec closed(conn(), kept()) -> kept().
closed(_, #kept{retry = none} = Kept) -> Kept;
closed(Conn, Kept) -> lists:foldl(fun({Rid, _, _, _}, K) -> change(Rid, {closed, Conn}, K) end, Kept, awaited(Kept)).

-spec change(rid(), event(), kept()) -> kept().
change(Rid, Event, #kept{answers = Answers} = Kept) ->
    case lists:keyfind(Rid, #answer.rid, Answers) of
        false ->
            Kept;
        #answer{state = State} = A ->
            case next(State, Event) of
                State -> Kept;
                State1 -> Kept#kept{answers = lists:keyreplace(Rid, #answer.rid, Answers, A#answer{state = State1})}
            end
    end.

%% @doc The client has all answers up to this rid, which a request of its proves. Where none left it errs.
-spec received(rid(), kept()) -> kept().
received(Rid, #kept{answers = Answers} = Kept) -> Kept#kept{answers = [prove(Rid, A) || A <- Answers]}.

-spec prove(rid(), #answer{}) -> #answer{}.
prove(Rid, #answer{rid = Newer} = A) when Newer > Rid -> A;
prove(_, #answer{state = State} = A) ->
    case next(State, proved) of
        State -> A;
        State1 -> A#answer{state = State1, owed = []}
    end.

%% @doc The client says that it has all up to this rid: they are kept for what waits for them alone.
-spec acknowledged(rid(), kept()) -> kept().
acknowledged(Rid, #kept{answers = Answers} = Kept) ->
    {Later, Known} = lists:splitwith(fun(#answer{rid = Newer}) -> Newer > Rid end, Answers),
    Awaited = [A#answer{state = next(State, acknowledged), owed = []} || #answer{state = {unsent, _, _} = State} = A <- Known],
    Kept#kept{answers = Later ++ Awaited}.

%% @doc Forgets those up to this rid, and before the window those that make more than so many bytes; but none
%% that never left, nor any that a connection waits for.
-spec trim(rid(), {Window :: rid(), Bytes :: non_neg_integer()}, kept()) -> kept().
trim(Oldest, Room, #kept{answers = Answers} = Kept) -> Kept#kept{answers = trimmed(Oldest, Room, Answers)}.

-spec trimmed(rid(), {rid(), integer()}, [#answer{}]) -> [#answer{}].
trimmed(Oldest, {Window, Bytes}, [#answer{rid = Rid, body = Body, state = State} = A | Answers]) ->
    Left = Bytes - byte_size(Body),
    case Rid > Window orelse (Rid > Oldest andalso Left >= 0) orelse stays(State) of
        true -> [A | trimmed(Oldest, {Window, Left}, Answers)];
        false -> trimmed(Oldest, {Window, Bytes}, Answers)
    end;
trimmed(_, _, []) ->
    [].

-spec stays(state()) -> boolean().
stays({unsent, _, _}) -> true;
stays(State) -> State =:= lost.

%% @doc When to try again what is unsent.
-spec due(kept()) -> ms() | infinity.
due(#kept{retry = none}) -> infinity;
due(#kept{retry = {Due, _}} = Kept) -> case awaited(Kept) of [] -> infinity; _ -> Due end.

%% @doc What to try again now, oldest first.
-spec retry(ms(), kept()) -> {[answer()], kept()}.
retry(Now, #kept{retry = Retry} = Kept) ->
    case due(Kept) of
        Due when Due =< Now ->
            Again = awaited(Kept),
            Copied = lists:foldl(fun(Rid, K) -> change(Rid, copied, K) end, Kept, lists:usort([Rid || {Rid, _, _, _} <- Again])),
            Pause = min(2 * element(2, Retry), ?LONGEST_PAUSE),
            {Again, Copied#kept{retry = {Now + Pause, Pause}}};
        _ ->
            {[], Kept}
    end.

%% @doc Takes out the answers that the client may not have: what they owe it, oldest first. And those that wait: for which
%% requests.
-spec take_owed(kept()) -> {[megaphone_queue:owed()], [{rid(), conn()}], kept()}.
take_owed(#kept{answers = Answers} = Kept) ->
    {Settled, Open} = lists:partition(fun(#answer{state = State}) -> State =:= settled end, Answers),
    Unsent = [{Rid, Conn} || {Rid, Conn, _, _} <- awaited(Kept)],
    {lists:append(lists:reverse([Owed || #answer{owed = Owed} <- Open])), Unsent, Kept#kept{answers = Settled}}.

%%% Questions

-spec is_open(state()) -> boolean().
is_open({unsent, _, X}) -> X =/= settled;
is_open(State) -> State =/= settled.

%% @doc Does the client wait for one whose last copy was lost?
-spec has_lost(kept()) -> boolean().
has_lost(#kept{answers = Answers}) -> lists:any(fun(#answer{state = State}) -> is_lost(State) end, Answers).

-spec is_lost(state()) -> boolean().
is_lost({unsent, _, X}) -> is_lost(X);
is_lost(State) -> State =:= lost orelse State =:= missed.

%% @doc Bytes that are kept for answers which the client may not have.
-spec unproved(kept()) -> non_neg_integer().
unproved(#kept{answers = Answers}) ->
    lists:sum([
        byte_size(Body) + ?STANZA_BYTES * length(Owed)
     || #answer{state = State, body = Body, owed = Owed} <- Answers, is_open(State)
    ]).

-spec sent_at(rid(), kept()) -> ms() | none.
sent_at(Rid, #kept{answers = Answers}) ->
    case lists:keyfind(Rid, #answer.rid, Answers) of
        #answer{at = At} -> At;
        false -> none
    end.

%% @doc All that is unsent, for each connection that waits for it, oldest first.
-spec awaited(kept()) -> [answer()].
awaited(#kept{answers = Answers}) ->
    [
        {Rid, Conn, Status, Body}
     || #answer{rid = Rid, status = Status, body = Body, state = {unsent, Conns, _}} <- lists:reverse(Answers), Conn <- Conns
    ].

%% @doc Does this connection wait for one of them?
-spec is_awaited(conn(), kept()) -> boolean().
is_awaited(Conn, Kept) -> lists:keymember(Conn, 2, awaited(Kept)).

-spec size(kept()) -> non_neg_integer().
size(#kept{answers = Answers}) -> length(Answers).

-spec to_list(kept()) -> [{rid(), http_status(), binary()}].
to_list(#kept{answers = Answers}) ->
    [{Rid, Status, Body} || #answer{rid = Rid, status = Status, body = Body} <- Answers].
