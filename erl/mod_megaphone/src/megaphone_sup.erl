%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Restarts the hub and what it rests on. Sessions do not hang on any of it: they go on without, and are
%%% found again after it.
-module(megaphone_sup).
-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    %% Each is registered under a name.
    Children = [
        {megaphone_index, megaphone_index},
        {megaphone_last_answers, megaphone_last_answers},
        {mod_megaphone, megaphone_hub},
        {megaphone_handover, megaphone_handover},
        %% The hub does without these.
        {megaphone_moved, megaphone_moved},
        {megaphone_cluster, megaphone_cluster},
        {megaphone_drain, megaphone_drain}
    ],
    %% Those of a predecessor that was killed may not have gone yet: their names and tables are in the way,
    %% and ejabberd gives up on all its modules after ten vain starts in a second.
    lists:foreach(fun({Name, _}) -> ok = await_gone(whereis(Name)) end, Children),
    Specs = [#{id => Name, start => {Module, start_link, []}} || {Name, Module} <- Children],
    {ok, {#{strategy => rest_for_one, intensity => 100, period => 10}, Specs}}.

-spec await_gone(pid() | undefined) -> ok.
await_gone(undefined) ->
    ok;
await_gone(Pid) ->
    Ref = erlang:monitor(process, Pid),
    true = exit(Pid, kill),
    receive
        {'DOWN', Ref, _, _, _} -> ok
    end.
