%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Restarts the processes of this node. The tables hang on the keeper alone, which does next to nothing: the others may crash
%%% and find them again.
-module(megaphone_comet_sup).
-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    case supervisor:start_link({local, ?MODULE}, ?MODULE, []) of
        {ok, Pid} -> {ok, Pid};
        ignore -> {error, ignore};
        {error, _} = Error -> Error
    end.

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Child = fun(Name, Module, Args) -> #{id => Name, start => {Module, start_link, Args}} end,
    {ok, {#{strategy => rest_for_one, intensity => 10, period => 10}, [
        Child(keeper, megaphone_comet_keeper, []),
        Child(outlets, megaphone_comet_outlets, []),
        Child(router, megaphone_comet_directory, [])
    ]}}.
