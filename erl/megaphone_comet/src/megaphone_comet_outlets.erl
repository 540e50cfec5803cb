%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The supervisor of what takes messages from other nodes: the relays, and `megaphone_publish'. They keep nothing, so each is
%%% restarted for itself.
-module(megaphone_comet_outlets).
-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Relays = [
        #{id => Name, start => {megaphone_comet_relay, start_link, [Name]}}
     || Name <- megaphone_comet_relay:names()
    ],
    Publish = #{id => megaphone_publish, start => {megaphone_comet_publish, start_link, []}},
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, [Publish | Relays]}}.
