%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Owns the tables of sessions, so that they outlive a crash of the hub, and restarts the hub.
-module(megaphone_sup).
-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    ok = megaphone_sessions:create_tables(),
    ok = megaphone_admission:create_table(),
    ok = megaphone_stats:create(),
    ok = megaphone_pack:forget(),
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, [#{id => hub, start => {megaphone_hub, start_link, []}}]}}.
