%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Which process serves a sid, and what it adds to the gauges: an index of the sessions that live, which
%%% enter and leave by themselves. There is none for as long as its owner (megaphone_index) is restarted;
%%% what sessions could not note meanwhile, they are asked for after it.
-module(megaphone_sessions).

-export([create_table/0, open/3, open/4, gauge/2, close/1, close/2, find/1, all/0, pids/0, some/1, page/2, count/0, websockets/0, gauges/0, sweep/0, cut/1]).
-export([may_last/1, longest/0]).

-export_type([gauges/0, link/0]).

%% Established (0 or 1 for one session), paused (0 or 1), requests held.
-type gauges() :: {Established :: non_neg_integer(), Paused :: non_neg_integer(), Held :: non_neg_integer()}.
%% The one socket by which a client is reached, where it is, and the connection of the nodes by which it came.
-type link() :: {ConnId :: pid(), megaphone_gateway:connection()}.

-define(SESSIONS, megaphone_sessions).
%% How many are looked at in one step.
-define(STEP, 1000).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?SESSIONS, [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}]),
    ok.

%% @doc So many seconds some session of this node may live without a sign of its client. Those that are there keep what they began with.
-spec may_last(non_neg_integer()) -> ok.
may_last(Seconds) -> persistent_term:put({?MODULE, longest}, max(Seconds, longest())).

-spec longest() -> non_neg_integer().
longest() -> persistent_term:get({?MODULE, longest}, 0).

-spec open(megaphone_sid:sid(), pid(), gauges()) -> ok.
open(Sid, Pid, Gauges) -> insert({Sid, Pid, Gauges}).

%% @doc One that hangs on a link.
-spec open(megaphone_sid:sid(), pid(), gauges(), link()) -> ok.
open(Sid, Pid, Gauges, {ConnId, Connection}) -> insert({Sid, Pid, Gauges, ConnId, Connection}).

-spec insert(tuple()) -> ok.
insert(Row) ->
    try ets:insert(?SESSIONS, Row) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc It adds something else to the gauges than before.
-spec gauge(megaphone_sid:sid(), gauges()) -> ok.
gauge(Sid, Gauges) ->
    try ets:update_element(?SESSIONS, Sid, {3, Gauges}) of
        _ -> ok
    catch
        error:badarg -> ok
    end.

-spec close(megaphone_sid:sid()) -> ok.
close(Sid) ->
    try ets:delete(?SESSIONS, Sid) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc The same, unless another process is the session by now.
-spec close(megaphone_sid:sid(), pid()) -> ok.
close(Sid, Pid) ->
    try ets:select_delete(?SESSIONS, [{Row, [], [true]} || Row <- [{Sid, Pid, '_'}, {Sid, Pid, '_', '_', '_'}]]) of
        _ -> ok
    catch
        error:badarg -> ok
    end.

%% @doc `unknown' while there is no index: the session may live.
-spec find(megaphone_sid:sid()) -> {ok, pid()} | none | unknown.
find(Sid) ->
    try ets:lookup(?SESSIONS, Sid) of
        [Row] -> {ok, element(2, Row)};
        [] -> none
    catch
        error:badarg -> unknown
    end.

%% @doc Every sid with its process.
-spec all() -> [{megaphone_sid:sid(), pid()}].
all() ->
    fold(fun(Step, Acc) -> [{element(1, Row), element(2, Row)} || Row <- Step] ++ Acc end, '$_', []).

-spec pids() -> [pid()].
pids() ->
    fold(fun lists:append/2, '$2', []).

%% @doc Up to so many of the processes.
-spec some(pos_integer()) -> [pid()].
some(N) ->
    try ets:select(?SESSIONS, every('$2'), N) of
        {Pids, _} -> Pids;
        '$end_of_table' -> []
    catch
        error:badarg -> []
    end.

%% @doc So many of the processes, or some more, from a place in the table on, and the place of the next ones. Costs the same
%% wherever that is. One that comes or goes while all pages are read may be missing, or come twice.
-spec page(From :: non_neg_integer(), pos_integer()) -> {[pid()], Next :: non_neg_integer() | none}.
page(From, N) -> page(From, From + 8 * N, N, []).

-spec page(non_neg_integer(), non_neg_integer(), integer(), [pid()]) -> {[pid()], non_neg_integer() | none}.
page(Slot, End, N, Pids) when N =< 0; Slot =:= End ->
    {Pids, Slot};
page(Slot, End, N, Pids) ->
    try ets:slot(?SESSIONS, Slot) of
        '$end_of_table' -> {Pids, none};
        Rows -> page(Slot + 1, End, N - length(Rows), [element(2, Row) || Row <- Rows] ++ Pids)
    catch
        %% It has fewer than when the place was told, or there is no table.
        error:badarg -> {Pids, none}
    end.

-spec count() -> non_neg_integer().
count() ->
    case ets:info(?SESSIONS, size) of
        undefined -> 0;
        Size -> Size
    end.

%% @doc How many of them are reached by a socket.
-spec websockets() -> non_neg_integer().
websockets() ->
    try
        ets:select_count(?SESSIONS, [{{'_', '_', '_', '_', '_'}, [], [true]}])
    catch
        error:badarg -> 0
    end.

%% @doc What all sessions add up to. Counted anew each time (a third of a second for a million), for a sum
%% that were kept would be wrong for ever after each session that dies between two steps.
-spec gauges() -> gauges().
gauges() ->
    fold(fun(Step, Sum) -> lists:foldl(fun add/2, Sum, Step) end, '$3', {0, 0, 0}).

-spec add(gauges(), gauges()) -> gauges().
add({Established, Paused, Held}, {E, P, H}) -> {Established + E, Paused + P, Held + H}.

%% @doc Takes out those whose processes are gone without having left.
-spec sweep() -> [{megaphone_sid:sid(), pid(), ConnId :: pid() | none}].
sweep() ->
    Gone = fold(fun(Step, Acc) -> [Row || Row <- Step, not is_process_alive(element(2, Row))] ++ Acc end, '$_', []),
    %% One that left while we looked is not there any more.
    Dead = [Row || Row <- Gone, find(element(1, Row)) =:= {ok, element(2, Row)}],
    lists:foreach(fun(Row) -> close(element(1, Row)) end, Dead),
    [{element(1, Row), element(2, Row), case Row of {_, _, _, ConnId, _} -> ConnId; _ -> none end} || Row <- Dead].

%% @doc Those whose link is not by one of these connections.
-spec cut(#{node() => megaphone_gateway:connection()}) -> [{pid(), ConnId :: pid()}].
cut(Connections) ->
    IsCut = fun(ConnId, Connection) -> node(ConnId) =/= node() andalso maps:get(node(ConnId), Connections, gone) =/= Connection end,
    fold(fun(Step, Acc) -> [{Pid, ConnId} || {_, Pid, _, ConnId, Connection} <- Step, IsCut(ConnId, Connection)] ++ Acc end, '$_', []).

%% Over one part of all entries, in steps.
-spec fold(fun(([term()], Acc) -> Acc), '$_' | '$2' | '$3', Acc) -> Acc.
fold(Fun, Part, Acc) ->
    try
        true = ets:safe_fixtable(?SESSIONS, true),
        try
            steps(Fun, Acc, ets:select(?SESSIONS, every(Part), ?STEP))
        after
            true = ets:safe_fixtable(?SESSIONS, false)
        end
    catch
        %% There is no table, or not any more.
        error:badarg -> Acc
    end.

-spec every('$_' | '$2' | '$3') -> ets:match_spec().
every(Part) -> [{{'_', '$2', '$3'}, [], [Part]}, {{'_', '$2', '$3', '_', '_'}, [], [Part]}].

-spec steps(fun(([term()], Acc) -> Acc), Acc, {[term()], term()} | '$end_of_table') -> Acc.
steps(_, Acc, '$end_of_table') -> Acc;
steps(Fun, Acc, {Step, Continuation}) -> steps(Fun, Fun(Step, Acc), ets:select(Continuation)).
