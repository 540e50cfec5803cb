%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The requests that one client has open, in the order of their rids (XEP-0124 §14.2), and the life of each:
%%%
%%%   waiting   it came before its turn, and is kept whole
%%%   held      its turn came, what it brought went on, and its connection waits for the answer (§8)
%%%   answered  it is here no more, but its answer is in megaphone_kept
%%%
%%%              | its turn | comes again                     | connection closed | answer
%%%   waiting    | held     | the first stays; a newer        | cut               | at the session's end
%%%              |          | connection, the older let go    |                   |
%%%   held       |          | a newer connection, a later due | cut               | answered
%%%   either, cut| held, cut| its new connection is the one   |                   | blank, before one that is not cut
%%%
%%% `Conn' is `none' in one that is cut: its client will repeat it.
-module(megaphone_requests).

-export([new/2, arrive/3, again/5, turn/1, hold/4, closed/2, answer/1, reopen/3, finish/3]).
-export([kind/2, received/1, held/1, waiting/1, is_open/2, due/1]).

-export_type([requests/0]).

-type rid() :: megaphone_body:rid().
-type ms() :: integer().
-type key() :: binary() | none.
-type conn() :: megaphone_bosh:conn().

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
    all :: [#held{} | #waiting{}]
}).

-opaque requests() :: #requests{}.

%% Of both.
-define(RID, 2).
-define(CONN, 3).

%% @doc The first, which waits for its turn like any other.
-spec new(megaphone_body:request(), conn()) -> requests().
new(#{rid := Rid} = Request, Conn) ->
    #requests{done = Rid - 1, all = [#waiting{rid = Rid, conn = Conn, request = Request}]}.

%%% Events

%% @doc A new one.
-spec arrive(megaphone_body:request(), conn(), requests()) -> requests().
arrive(#{rid := Rid} = Request, Conn, #requests{all = All} = R) ->
    R#requests{all = insert(#waiting{rid = Rid, conn = Conn, request = Request}, All)}.

-spec insert(#held{} | #waiting{}, [#held{} | #waiting{}]) -> [#held{} | #waiting{}].
insert(One, []) -> [One];
insert(One, All) -> lists:keysort(?RID, [One | All]).

%% @doc The same one on a newer connection. What came first counts, for a repeat is an exact copy (§14.3): with another
%% key (§15) the sender may be anyone.
-spec again(rid(), key(), conn(), Due :: ms(), requests()) -> {ok, Older :: conn() | none, requests()} | other_key | none.
again(Rid, Key, Conn, Due, #requests{all = All} = R) ->
    case lists:keyfind(Rid, ?RID, All) of
        #waiting{conn = Older} = W ->
            {ok, Older, R#requests{all = lists:keyreplace(Rid, ?RID, All, W#waiting{conn = Conn})}};
        #held{key = Key, conn = Older} = H ->
            {ok, Older, R#requests{all = lists:keyreplace(Rid, ?RID, All, H#held{conn = Conn, due = Due})}};
        #held{} ->
            other_key;
        false ->
            none
    end.

%% @doc The one whose turn it is.
-spec turn(requests()) -> megaphone_body:request() | none.
turn(#requests{done = Done, all = All}) ->
    case lists:keyfind(Done + 1, ?RID, All) of
        #waiting{request = Request} -> Request;
        _ -> none
    end.

%% @doc That one had its turn.
-spec hold(rid(), Due :: ms(), key(), requests()) -> requests().
hold(Rid, Due, Key, #requests{all = All} = R) ->
    #waiting{conn = Conn} = lists:keyfind(Rid, ?RID, All),
    Held = #held{rid = Rid, conn = Conn, due = Due, key = Key},
    R#requests{done = Rid, all = lists:keyreplace(Rid, ?RID, All, Held)}.

%% @doc This connection is gone.
-spec closed(conn(), requests()) -> {held, Due :: ms(), requests()} | {waiting, requests()} | none.
closed(Conn, #requests{all = All} = R) ->
    case lists:keyfind(Conn, ?CONN, All) of
        #held{due = Due} = H -> {held, Due, R#requests{all = lists:keyreplace(Conn, ?CONN, All, H#held{conn = none})}};
        #waiting{} = W -> {waiting, R#requests{all = lists:keyreplace(Conn, ?CONN, All, W#waiting{conn = none})}};
        false -> none
    end.

%% @doc The first that has a connection is answered, and so are those before it, for the answers stay in rid order (§8).
-spec answer(requests()) -> {Cut :: [{rid(), key()}], {rid(), conn(), key()}, requests()}.
answer(#requests{all = [#held{rid = Rid, conn = none, key = Key} | All]} = R) ->
    {Cut, First, R1} = answer(R#requests{all = All}),
    {[{Rid, Key} | Cut], First, R1};
answer(#requests{all = [#held{rid = Rid, conn = Conn, key = Key} | All]} = R) ->
    {[], {Rid, Conn, Key}, R#requests{all = All}}.

%% @doc These were answered in vain, or are nobody's: they are held for the end that comes to all.
-spec reopen([{rid(), conn()}], ms(), requests()) -> requests().
reopen(Answered, Now, #requests{all = All} = R) ->
    Held = [#held{rid = Rid, conn = Conn, due = Now, key = none} || {Rid, Conn} <- Answered],
    R#requests{all = lists:keysort(?RID, Held ++ All)}.

%% @doc At the session's end all are to be answered, whether their turn came or not.
-spec finish(key(), ms(), requests()) -> requests().
finish(Key, Now, #requests{all = All} = R) ->
    R#requests{all = [case One of
        #waiting{rid = Rid, conn = Conn} -> #held{rid = Rid, conn = Conn, due = Now, key = Key};
        #held{} -> One
    end || One <- All]}.

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
-spec held(requests()) -> non_neg_integer().
held(#requests{all = All}) -> held(All, 0).

-spec held([#held{} | #waiting{}], non_neg_integer()) -> non_neg_integer().
held([#held{conn = none} | All], Held) -> held(All, Held);
held([#held{} | All], Held) -> held(All, Held + 1);
held(_, Held) -> Held.

%% @doc How many wait for their turn.
-spec waiting(requests()) -> non_neg_integer().
waiting(#requests{all = All}) -> length([W || #waiting{} = W <- All]).

%% @doc Did one of them come by this connection?
-spec is_open(conn(), requests()) -> boolean().
is_open(Conn, #requests{all = All}) -> lists:keymember(Conn, ?CONN, All).

%% @doc When the first of those that are held is to be answered. What is due later than one behind it is answered with
%% that one.
-spec due(requests()) -> ms() | none.
due(#requests{all = All}) -> due(All, none).

%% Atoms sort behind numbers: `none' is the largest.
-spec due([#held{} | #waiting{}], ms() | none) -> ms() | none.
due([#held{conn = Conn, due = Due} | All], Earliest) when Conn =/= none -> due(All, min(Due, Earliest));
due([#held{} | All], Earliest) -> due(All, Earliest);
due(_, Earliest) -> Earliest.
