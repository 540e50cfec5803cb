%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Which process serves a sid, and what it adds to the gauges: an index of the sessions that live, which
%%% enter and leave by themselves. There is none for as long as its owner (megaphone_index) is restarted;
%%% what sessions could not note meanwhile, they are asked for after it.
-module(megaphone_sessions).

-export([create_table/0, open/3, gauge/2, close/1, find/1, pids/0, some/1, count/0, gauges/0, sweep/0]).

-export_type([gauges/0]).

%% Established (0 or 1 for one session), paused (0 or 1), requests held.
-type gauges() :: {Established :: non_neg_integer(), Paused :: non_neg_integer(), Held :: non_neg_integer()}.

-define(SESSIONS, megaphone_sessions).
%% How many are looked at in one step.
-define(STEP, 1000).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?SESSIONS, [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}]),
    ok.

-spec open(megaphone_sid:sid(), pid(), gauges()) -> ok.
open(Sid, Pid, Gauges) ->
    try ets:insert(?SESSIONS, {Sid, Pid, Gauges}) of
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

%% @doc `unknown' while there is no index: the session may live.
-spec find(megaphone_sid:sid()) -> {ok, pid()} | none | unknown.
find(Sid) ->
    try ets:lookup(?SESSIONS, Sid) of
        [{_, Pid, _}] -> {ok, Pid};
        [] -> none
    catch
        error:badarg -> unknown
    end.

-spec pids() -> [pid()].
pids() ->
    fold(fun lists:append/2, '$2', []).

%% @doc Up to so many of the processes.
-spec some(pos_integer()) -> [pid()].
some(N) ->
    try ets:select(?SESSIONS, [{{'_', '$1', '_'}, [], ['$1']}], N) of
        {Pids, _} -> Pids;
        '$end_of_table' -> []
    catch
        error:badarg -> []
    end.

-spec count() -> non_neg_integer().
count() ->
    case ets:info(?SESSIONS, size) of
        undefined -> 0;
        Size -> Size
    end.

%% @doc What all sessions add up to. Counted anew each time (a third of a second for a million), for a sum
%% that were kept would be wrong for ever after each session that dies between two steps.
-spec gauges() -> gauges().
gauges() ->
    fold(fun(Step, Sum) -> lists:foldl(fun add/2, Sum, Step) end, '$3', {0, 0, 0}).

-spec add(gauges(), gauges()) -> gauges().
add({Established, Paused, Held}, {E, P, H}) -> {Established + E, Paused + P, Held + H}.

%% @doc Takes out those whose processes are gone without having left.
-spec sweep() -> [{megaphone_sid:sid(), pid()}].
sweep() ->
    Gone = fold(fun(Step, Acc) -> [{Sid, Pid} || {Sid, Pid, _} <- Step, not is_process_alive(Pid)] ++ Acc end, '$_', []),
    %% One that left while we looked is not there any more.
    Dead = [Entry || {Sid, Pid} = Entry <- Gone, find(Sid) =:= {ok, Pid}],
    lists:foreach(fun({Sid, _}) -> close(Sid) end, Dead),
    Dead.

%% Over one part of all entries, in steps.
-spec fold(fun(([term()], Acc) -> Acc), '$_' | '$2' | '$3', Acc) -> Acc.
fold(Fun, Part, Acc) ->
    try
        true = ets:safe_fixtable(?SESSIONS, true),
        try
            steps(Fun, Acc, ets:select(?SESSIONS, [{{'_', '$2', '$3'}, [], [Part]}], ?STEP))
        after
            true = ets:safe_fixtable(?SESSIONS, false)
        end
    catch
        %% There is no table, or not any more.
        error:badarg -> Acc
    end.

-spec steps(fun(([term()], Acc) -> Acc), Acc, {[term()], term()} | '$end_of_table') -> Acc.
steps(_, Acc, '$end_of_table') -> Acc;
steps(Fun, Acc, {Step, Continuation}) -> steps(Fun, Fun(Step, Acc), ets:select(Continuation)).
