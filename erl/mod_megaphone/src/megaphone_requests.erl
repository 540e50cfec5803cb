%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The requests that one client has open, in the order of their rids (XEP-0124 §14.2), and the life of each:
%%%
%%%   waiting   it came before its turn, and is kept whole
%%%   held      its turn came, what it brought went on, and its connection waits for the answer (§8)
%%%   ..., cut  its connection is gone (`Conn' is `none'): its client will repeat it
%%%   answered  it is here no more, but its answer is in megaphone_kept
%%%
%%%                | its turn  | comes again | closed       | answer   | session ends | reopened
%%%   waiting      | held      | ·           | waiting, cut | ·        | held         | –
%%%   waiting, cut | held, cut | waiting     | ·            | ·        | held, cut    | –
%%%   held         | ·         | ·           | held, cut    | answered | ·            | ·
%%%   held, cut    | ·         | held        | ·            | ·        | ·            | ·
%%%   answered     | ·         | ·           | ·            | ·        | ·            | held
%%%
%%% (·: nothing changes; –: it cannot happen. The test reads this table.) Comes again: on a newer connection, and the older
%%% is let go; what came first stays, one that is held is due later, the answer of one that is answered is megaphone_kept's.
%%% Answer: to the first that is held with a connection; those that are cut before it become answered with it. Reopened, for
%%% the end that comes to all: its answer waits for room still, or who asks for it may be anyone. Of one that is held this
%%% makes another one beside it.
-module(megaphone_requests).

-export([new/4, arrive/5, next/4, closed/3, release/3, answer/2, reopen/3, finish/2]).
-export([kind/2, received/1, count_held/1, first/1, is_open/2, conns/1, due/1, wait/1, shift/2]).

-export_type([requests/0, conn/0]).

-type rid() :: megaphone_body:rid().
-type ms() :: integer().
-type key() :: binary() | none.
-type conn() :: pid().
-type limits() :: mod_megaphone:limits().
-type reason() :: megaphone_condition:reason().

-record(waiting, {
    rid :: rid(),
    conn :: conn() | none,
    request :: megaphone_body:request()
}).

-record(held, {
    rid :: rid(),
    conn :: conn() | none,
    due :: ms(),
    key :: key()
}).

-record(requests, {
    %% Up to this rid all had their turn. Those that are held come first.
    done :: rid(),
    all :: [#held{} | #waiting{}],
    %% What the next key is checked against (§15).
    key = none :: key(),
    pace :: megaphone_pace:pace()
}).

-opaque requests() :: #requests{}.

%% Of both.
-define(RID, 2).
-define(CONN, 3).

%% @doc The first, which waits for its turn like any other. `Wait': for how long the client wants them held.
-spec new(megaphone_body:request(), conn(), Wait :: ms(), ms()) -> requests().
new(#{rid := Rid} = Request, Conn, Wait, Now) ->
    #requests{
        done = Rid - 1,
        all = [#waiting{rid = Rid, conn = Conn, request = Request}],
        pace = megaphone_pace:new(Wait, Now)
    }.

%%% Events

%% @doc `again': it came before on the older connection, if that is there still. `answered': its turn is over. `Most': how
%% many the client may have open.
-spec arrive(megaphone_body:request(), conn(), ms(), {Most :: pos_integer(), limits()}, requests()) ->
    {new, requests()} | {again, Older :: conn() | none, requests()} | answered | {stop, reason(), requests()}.
arrive(#{rid := Rid} = Request, Conn, Now, Limits, #requests{done = Done, all = All, pace = Pace} = R) ->
    Key = megaphone_keys:of_request(Request),
    case lists:keyfind(Rid, ?RID, All) of
        false when Rid =< Done ->
            answered;
        false ->
            arrive_new(Request, Conn, Limits, R);
        %% What came first counts: a repeat is an exact copy (§14.3).
        #waiting{conn = Older} = W ->
            {again, older(Older, Conn), R#requests{all = lists:keyreplace(Rid, ?RID, All, W#waiting{conn = Conn})}};
        #held{key = Key, conn = Older} = H ->
            Again = H#held{conn = Conn, due = megaphone_pace:again(Now, Pace)},
            {again, older(Older, Conn), R#requests{all = lists:keyreplace(Rid, ?RID, All, Again)}};
        #held{} ->
            {stop, wrong_key, reopen([{Rid, Conn}], Now, R)}
    end.

%% Where the gateway sent it again, it is on the same one.
-spec older(conn() | none, conn()) -> conn() | none.
older(Conn, Conn) -> none;
older(Older, _) -> Older.

-spec arrive_new(megaphone_body:request(), conn(), {pos_integer(), limits()}, requests()) -> {new, requests()} | {stop, reason(), requests()}.
arrive_new(#{rid := Rid} = Request, Conn, {Requests, #{strict := Strict}}, #requests{all = All} = R) ->
    Received = received(R),
    Waiting = #waiting{rid = Rid, conn = Conn, request = Request},
    R1 = R#requests{all = case All of [] -> [Waiting]; _ -> lists:keysort(?RID, [Waiting | All]) end},
    Most = Requests + megaphone_body:extra(Request),
    if
        %% §14.2: beyond the window.
        Rid > Received + Most -> {stop, rid_beyond_window, R1};
        Strict, Rid =:= Received + 1 ->
            case count_held(R) + length([W || #waiting{} = W <- All]) >= Most of
                true -> {stop, too_many_requests, R1};
                false -> {new, R1}
            end;
        true -> {new, R1}
    end.

%% @doc The one whose turn it is, now held. A creation request is no poll.
-spec next(IsCreation :: boolean(), ms(), {Most :: pos_integer(), limits()}, requests()) ->
    {ok, megaphone_body:request(), requests()} | {stop, reason(), requests()} | none.
next(IsCreation, Now, {Most, Limits}, #requests{done = Done, all = All, key = Key, pace = Pace} = R) ->
    case lists:keyfind(Done + 1, ?RID, All) of
        #waiting{request = Request} = W ->
            Ask = case megaphone_body:is_empty(Request) andalso not IsCreation of true -> poll; false -> other end,
            IsFull = Ask =:= poll andalso count_held(R) + 1 >= Most,
            case {megaphone_keys:next(Request, Key), megaphone_pace:ask(Ask, IsFull, Now, Limits, Pace)} of
                {error, _} -> {stop, wrong_key, hold(W, Now, R)};
                {_, flood} -> {stop, too_frequent, hold(W, Now, R)};
                {{ok, Key1}, {ok, Due, Pace1}} -> {ok, Request, hold(W, Due, R#requests{key = Key1, pace = Pace1})}
            end;
        _ ->
            none
    end.

-spec hold(#waiting{}, Due :: ms(), requests()) -> requests().
hold(#waiting{rid = Rid, conn = Conn, request = Request}, Due, #requests{all = All} = R) ->
    Held = #held{rid = Rid, conn = Conn, due = Due, key = megaphone_keys:of_request(Request)},
    R#requests{done = Rid, all = lists:keyreplace(Rid, ?RID, All, Held)}.

%% @doc This connection is gone.
-spec closed(conn(), ms(), requests()) -> requests().
closed(Conn, Now, #requests{all = All, pace = Pace} = R) ->
    case lists:keyfind(Conn, ?CONN, All) of
        #held{due = Due} = H ->
            R#requests{all = lists:keyreplace(Conn, ?CONN, All, H#held{conn = none}), pace = megaphone_pace:cut(Due, Now, Pace)};
        #waiting{} = W ->
            R#requests{all = lists:keyreplace(Conn, ?CONN, All, W#waiting{conn = none})};
        false ->
            R
    end.

%% @doc The wait of the one by this connection is over, if it is held.
-spec release(conn(), ms(), requests()) -> requests().
release(Conn, Now, #requests{all = All} = R) ->
    case lists:keyfind(Conn, ?CONN, All) of
        #held{due = Due} = H when Due > Now -> R#requests{all = lists:keyreplace(Conn, ?CONN, All, H#held{due = Now})};
        _ -> R
    end.

%% @doc The first that has a connection is answered, and so are those before it, for the answers stay in rid order (§8).
-spec answer(payload | blank, requests()) -> {Cut :: [{rid(), key()}], {rid(), conn(), key()}, requests()}.
answer(Content, #requests{all = [#held{rid = Rid, conn = none, key = Key} | All]} = R) ->
    {Cut, First, R1} = answer(Content, R#requests{all = All}),
    {[{Rid, Key} | Cut], First, R1};
answer(Content, #requests{all = [#held{rid = Rid, conn = Conn, key = Key} | All], pace = Pace} = R) ->
    {[], {Rid, Conn, Key}, R#requests{all = All, pace = megaphone_pace:answered(Content, Pace)}}.

%% @doc These were answered in vain, or are nobody's: they are held for the end that comes to all.
-spec reopen([{rid(), conn()}], ms(), requests()) -> requests().
reopen(Answered, Now, #requests{all = All} = R) ->
    Held = [#held{rid = Rid, conn = Conn, due = Now, key = none} || {Rid, Conn} <- Answered],
    R#requests{all = lists:keysort(?RID, Held ++ All)}.

%% @doc At the session's end all are to be answered, whether their turn came or not.
-spec finish(ms(), requests()) -> requests().
finish(Now, #requests{all = All, key = Key} = R) ->
    Hold = fun
        (#waiting{rid = Rid, conn = Conn}) -> #held{rid = Rid, conn = Conn, due = Now, key = Key};
        (#held{} = Held) -> Held
    end,
    R#requests{all = lists:map(Hold, All)}.

%%% Questions

%% @doc Is this request the next one, does it overtake others, or did it come before?
-spec kind(rid(), requests()) -> next | overtaking | repeat.
kind(Rid, #requests{done = Done}) when Rid =< Done -> repeat;
kind(Rid, #requests{all = All} = R) ->
    IsNext = Rid =:= received(R) + 1,
    case lists:keymember(Rid, ?RID, All) of
        true -> repeat;
        false when IsNext -> next;
        false -> overtaking
    end.

%% @doc The highest rid such that all up to it came.
-spec received(requests()) -> rid().
received(#requests{done = Done, all = All}) -> lists:foldl(fun received/2, Done, All).

-spec received(#held{} | #waiting{}, rid()) -> rid().
received(#waiting{rid = Rid}, Received) when Rid =:= Received + 1 -> Rid;
received(_, Received) -> Received.

%% @doc How many are held, with a connection.
-spec count_held(requests()) -> non_neg_integer().
count_held(#requests{all = All}) -> count_held(All, 0).

-spec count_held([#held{} | #waiting{}], non_neg_integer()) -> non_neg_integer().
count_held([#held{conn = none} | All], Held) -> count_held(All, Held);
count_held([#held{} | All], Held) -> count_held(All, Held + 1);
count_held(_, Held) -> Held.

%% @doc The connection that is answered next, where one is held.
-spec first(requests()) -> conn() | none.
first(#requests{all = All}) -> first_of(All).

-spec first_of([#held{} | #waiting{}]) -> conn() | none.
first_of([#held{conn = none} | All]) -> first_of(All);
first_of([#held{conn = Conn} | _]) -> Conn;
first_of(_) -> none.

%% @doc Did one of them come by this connection?
-spec is_open(conn(), requests()) -> boolean().
is_open(Conn, #requests{all = All}) -> lists:keymember(Conn, ?CONN, All).

%% @doc Those connections, as far as they are there.
-spec conns(requests()) -> [conn()].
conns(#requests{all = All}) -> [Conn || R <- All, Conn <- [element(?CONN, R)], Conn =/= none].

%% @doc When the first of those that are held is to be answered. What is due later than one behind it is answered with
%% that one.
-spec due(requests()) -> ms() | none.
due(#requests{all = All}) -> due(All, none).

%% Atoms sort behind numbers: `none' is the largest.
-spec due([#held{} | #waiting{}], ms() | none) -> ms() | none.
due([#held{conn = Conn, due = Due} | All], Earliest) when Conn =/= none -> due(All, min(Due, Earliest));
due([#held{} | All], Earliest) -> due(All, Earliest);
due(_, Earliest) -> Earliest.

%% @doc How long one is held at most: what the client asked for, or less since its requests get cut.
-spec wait(requests()) -> ms().
wait(#requests{pace = Pace}) -> megaphone_pace:wait(Pace).

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), requests()) -> requests().
shift(By, #requests{all = All, pace = Pace} = R) ->
    Shift = fun(#held{due = Due} = H) -> H#held{due = Due + By}; (#waiting{} = W) -> W end,
    R#requests{all = lists:map(Shift, All), pace = megaphone_pace:shift(By, Pace)}.
