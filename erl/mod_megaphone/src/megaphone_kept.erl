%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The answers a session keeps for repeated requests (XEP-0124 §14.3), and the life of each:
%%%
%%%   sent       it left, for all we know: whether it came is not known
%%%   resent     so did a copy before the last
%%%   lost       no copy left: the client waits for it, and nothing later may reach it first
%%%   missed     the last copy did not leave, and the client waits for it; one before did
%%%   settled    the client provably has it, or it has no payload, so that there is nothing to prove
%%%   unsent, X  there was no room for it on the way to connection C, which waits; once that is gone it is X
%%%
%%%                   | copied  | gone   | busy            | C closed | proved          | acknowledged    | too old | ends
%%%   sent            | resent  | lost   | unsent, lost    | ·        | settled         | dropped         | dropped | dropped
%%%   resent          | resent  | missed | unsent, missed  | ·        | settled         | dropped         | dropped | dropped
%%%   lost            | sent    | ·      | unsent, lost    | ·        | ·               | dropped         | ·       | dropped
%%%   missed          | resent  | ·      | unsent, missed  | ·        | settled         | dropped         | dropped | dropped
%%%   settled         | ·       | ·      | unsent, settled | ·        | ·               | dropped         | dropped | ·
%%%   unsent, lost    | sent    | ·      | unsent, lost    | lost     | ·               | unsent, settled | ·       | dropped
%%%   unsent, missed  | resent  | ·      | unsent, missed  | missed   | unsent, settled | unsent, settled | ·       | dropped
%%%   unsent, settled | settled | ·      | unsent, settled | settled  | ·               | ·               | ·       | dropped
%%%
%%% (·: nothing changes. The test reads this table.) Copied: it is given out once more, for a repeat or because it was
%%% unsent. Gone: there is no way to the gateway of the last copy; busy: no room on it, and C is the connection of that copy.
%%% Ends: the session does, and what is dropped is answered anew or handed back.
%%%
%%% That it was asked for again proves nothing of others, and not even that the client lacks this one: the repeat may have
%%% been on its way for long. Until an answer is settled it holds its stanzas, which take_owed/1 hands back. All that is
%%% unsent is tried again in order, after pauses that double.
-module(megaphone_kept).

-export([new/0, add/6, copy/3, gone/2, busy/4, closed/2, received/2, acknowledged/2, trim/3]).
-export([due/1, retry/2, has_lost/1, unproved/1, sent_at/2, is_awaited/2, awaited/1, size/1, to_list/1, take_owed/1, shift/2]).

-export_type([kept/0, answer/0, http_status/0]).

-type rid() :: megaphone_body:rid().
-type ms() :: integer().
-type conn() :: megaphone_requests:conn().
-type http_status() :: 200 | 400 | 403 | 404.
%% What goes back to the client of one request.
-type answer() :: {rid(), conn(), http_status(), Body :: binary()}.
-type state() :: sent | resent | lost | missed | settled | {unsent, conn(), lost | missed | settled}.
-type event() :: copied | gone | {busy, conn()} | {closed, conn()} | proved | acknowledged | too_old | ends.

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
next(settled, ends) -> settled;
next(_, ends) -> dropped;
next({unsent, _, X}, copied) -> next(X, copied);
next({unsent, _, X}, {busy, Conn}) -> {unsent, Conn, X};
next({unsent, Conn, X}, {closed, Conn}) -> X;
next({unsent, Conn, X}, proved) -> {unsent, Conn, next(X, proved)};
next({unsent, Conn, _}, acknowledged) -> {unsent, Conn, settled};
next({unsent, _, _} = State, _) -> State;
next(_, acknowledged) -> dropped;
next(State, {busy, Conn}) -> {unsent, Conn, next(State, gone)};
next(State, {closed, _}) -> State;
next(lost, too_old) -> lost;
next(_, too_old) -> dropped;
next(settled, _) -> settled;
next(lost, copied) -> sent;
next(_, copied) -> resent;
next(lost, proved) -> lost;
next(_, proved) -> settled;
next(sent, gone) -> lost;
next(resent, gone) -> missed;
next(State, gone) -> State.

%% One that is settled owes the client nothing more.
-spec change(event(), #answer{}) -> #answer{} | dropped.
change(Event, #answer{state = State} = A) ->
    case next(State, Event) of
        State -> A;
        dropped -> dropped;
        settled -> A#answer{state = settled, owed = []};
        {unsent, _, settled} = Unsent -> A#answer{state = Unsent, owed = []};
        State1 -> A#answer{state = State1}
    end.

-spec change_all(event(), [#answer{}]) -> [#answer{}].
change_all(Event, [A | Answers]) ->
    case change(Event, A) of
        dropped -> change_all(Event, Answers);
        A1 -> [A1 | change_all(Event, Answers)]
    end;
change_all(_, []) ->
    [].

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

%% @doc There is no way to the gateway of its connection.
-spec gone(rid(), kept()) -> kept().
gone(Rid, Kept) -> change(Rid, gone, Kept).

%% @doc There was no room for it on the way to this connection.
-spec busy(rid(), conn(), ms(), kept()) -> kept().
busy(Rid, Conn, Now, Kept) ->
    case {change(Rid, {busy, Conn}, Kept), Kept} of
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
        #answer{} = A ->
            case change(Event, A) of
                A -> Kept;
                A1 -> Kept#kept{answers = lists:keyreplace(Rid, #answer.rid, Answers, A1)}
            end
    end.

%% @doc The client has all answers up to this rid, which a request of its proves. Where none left it errs.
-spec received(rid(), kept()) -> kept().
received(Rid, #kept{answers = Answers} = Kept) -> Kept#kept{answers = up_to(Rid, proved, Answers)}.

%% @doc The client says that it has all up to this rid: they are kept for what waits for them alone.
-spec acknowledged(rid(), kept()) -> kept().
acknowledged(Rid, #kept{answers = Answers} = Kept) -> Kept#kept{answers = up_to(Rid, acknowledged, Answers)}.

-spec up_to(rid(), event(), [#answer{}]) -> [#answer{}].
up_to(Rid, Event, [#answer{rid = Newer} = A | Answers]) when Newer > Rid -> [A | up_to(Rid, Event, Answers)];
up_to(_, Event, Answers) -> change_all(Event, Answers).

%% @doc Those up to this rid are too old, and before the window those that make more than so many bytes.
-spec trim(rid(), {Window :: rid(), Bytes :: non_neg_integer()}, kept()) -> kept().
trim(Oldest, Room, #kept{answers = Answers} = Kept) -> Kept#kept{answers = trimmed(Oldest, Room, Answers)}.

-spec trimmed(rid(), {rid(), integer()}, [#answer{}]) -> [#answer{}].
trimmed(Oldest, {Window, Bytes}, [#answer{rid = Rid, body = Body} = A | Answers]) ->
    Left = Bytes - byte_size(Body),
    case Rid > Window orelse (Rid > Oldest andalso Left >= 0) orelse change(too_old, A) =/= dropped of
        true -> [A | trimmed(Oldest, {Window, Left}, Answers)];
        false -> trimmed(Oldest, {Window, Bytes}, Answers)
    end;
trimmed(_, _, []) ->
    [].

%% @doc When to try again what is unsent.
-spec due(kept()) -> ms() | infinity.
due(#kept{retry = none}) -> infinity;
due(#kept{retry = {Due, _}} = Kept) -> case awaited(Kept) of [] -> infinity; _ -> Due end.

%% @doc What to try again now, oldest first.
-spec retry(ms(), kept()) -> {[answer()], kept()}.
retry(Now, #kept{retry = {Due, Before}} = Kept) when Due =< Now ->
    case awaited(Kept) of
        [] ->
            {[], Kept#kept{retry = none}};
        Again ->
            Copied = lists:foldl(fun(Rid, K) -> change(Rid, copied, K) end, Kept, [Rid || {Rid, _, _, _} <- Again]),
            Pause = min(2 * Before, ?LONGEST_PAUSE),
            {Again, Copied#kept{retry = {Now + Pause, Pause}}}
    end;
retry(_, Kept) ->
    {[], Kept}.

%% @doc The session ends: the answers that the client may not have leave. What they owe it, oldest first; and those that
%% wait: for which requests.
-spec take_owed(kept()) -> {[megaphone_queue:owed()], [{rid(), conn()}], kept()}.
take_owed(#kept{answers = Answers} = Kept) ->
    Owed = lists:append(lists:reverse([Owed || #answer{owed = Owed} <- Answers])),
    {Owed, [{Rid, Conn} || {Rid, Conn, _, _} <- awaited(Kept)], Kept#kept{answers = change_all(ends, Answers)}}.

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

%% @doc All that is unsent, with the connection that waits for it, oldest first.
-spec awaited(kept()) -> [answer()].
awaited(#kept{answers = Answers}) ->
    [
        {Rid, Conn, Status, Body}
     || #answer{rid = Rid, status = Status, body = Body, state = {unsent, Conn, _}} <- lists:reverse(Answers)
    ].

%% @doc Does this connection wait for one of them?
-spec is_awaited(conn(), kept()) -> boolean().
is_awaited(Conn, Kept) -> lists:keymember(Conn, 2, awaited(Kept)).

-spec size(kept()) -> non_neg_integer().
size(#kept{answers = Answers}) -> length(Answers).

-spec to_list(kept()) -> [{rid(), http_status(), binary()}].
to_list(#kept{answers = Answers}) ->
    [{Rid, Status, Body} || #answer{rid = Rid, status = Status, body = Body} <- Answers].

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), kept()) -> kept().
shift(By, #kept{answers = Answers, retry = Retry}) ->
    Shift = fun(#answer{at = At, owed = Owed} = A) -> A#answer{at = At + By, owed = megaphone_queue:shift_owed(By, Owed)} end,
    #kept{answers = lists:map(Shift, Answers), retry = case Retry of none -> none; {Due, Pause} -> {Due + By, Pause} end}.
