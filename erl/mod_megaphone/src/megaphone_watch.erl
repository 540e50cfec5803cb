%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A process that monitors one of another node for a session. Whoever sets such a monitor, or takes it back, stands still while the
%%% connection of the nodes has no room (there is no `nosuspend' for it), and a session has clients to go on with.
-module(megaphone_watch).

-export([start/1, stop/1, run/3, wait/2, reason/1]).

-export_type([watch/0]).

%% The monitor's message, {'DOWN', Monitor, process, _, Reason}, says that the other one ended.
-type watch() :: {pid(), Monitor :: reference()}.

-define(SLEEP_MS, 1000).

%% @doc For the calling process.
-spec start(pid() | {atom(), node()}) -> watch().
start(Process) -> spawn_monitor(?MODULE, run, [Process, self(), fun() -> ok end]).

-spec stop(watch()) -> ok.
stop({Pid, Monitor}) ->
    true = erlang:demonitor(Monitor, [flush]),
    true = exit(Pid, kill),
    ok.

%% @doc Why the other one ended. `noconnection': it may live, and so it may where this process is what ended.
-spec reason(term()) -> term().
reason({gone, Reason}) -> Reason;
reason(_) -> noconnection.

%% @doc The calling process watches for that one, to the end of either, and does this first once it does.
-spec run(pid() | {atom(), node()}, Owner :: pid(), fun(() -> ok)) -> ok.
run(Process, Owner, Then) ->
    OfOwner = erlang:monitor(process, Owner),
    Monitor = erlang:monitor(process, Process),
    ok = Then(),
    wait(OfOwner, Monitor).

-spec wait(OfOwner :: reference(), Monitor :: reference()) -> ok.
wait(OfOwner, Monitor) ->
    receive
        {'DOWN', OfOwner, process, _, _} -> ok;
        {'DOWN', Monitor, process, _, Reason} -> exit({gone, Reason})
    after ?SLEEP_MS -> erlang:hibernate(?MODULE, wait, [OfOwner, Monitor])
    end.
