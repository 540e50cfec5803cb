%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Waits until each process of this node that was running, or about to, has run. Whoever found something in a table that has
%%% changed meanwhile, and was held up before he could use it, as on a machine with too much to do, has used it then.
%%%
%%% A scheduler runs those that wait for it one after the other: a process that it gets now runs behind them. Twice, for one that
%%% was in the middle of its turn, and at its end.
-module(megaphone_turns).

-export([pass/1]).

-define(ROUNDS, 2).

%% @doc `false' where that takes longer.
-spec pass(Ms :: non_neg_integer()) -> boolean().
pass(Ms) -> round(?ROUNDS, erlang:monotonic_time(millisecond) + Ms).

-spec round(Rounds :: non_neg_integer(), Until :: integer()) -> boolean().
round(0, _) ->
    true;
round(Rounds, Until) ->
    Ran = [ran(Scheduler) || Scheduler <- lists:seq(1, erlang:system_info(schedulers_online))],
    await(Ran, Until) andalso round(Rounds - 1, Until).

%% A monitor of a process that runs at that scheduler, and ends. The types of OTP do not know the option.
-spec ran(Scheduler :: pos_integer()) -> reference().
ran(Scheduler) ->
    {_, Monitor} = apply(erlang, spawn_opt, [fun() -> ok end, [monitor, {scheduler, Scheduler}]]),
    Monitor.

-spec await([reference()], Until :: integer()) -> boolean().
await([], _) ->
    true;
await([Monitor | Monitors], Until) ->
    receive
        {'DOWN', Monitor, process, _, _} -> await(Monitors, Until)
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
        lists:foreach(fun(Other) -> erlang:demonitor(Other, [flush]) end, [Monitor | Monitors]),
        false
    end.
