%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The modules beside mod_megaphone after an upgrade: ejabberd loads that one anew, but not these.
-module(megaphone_upgrade).

-export([changed/0, load/1]).

%% @doc Those that are others on disk than those that run.
-spec changed() -> [module()].
changed() -> [Module || Module <- modules(), code:module_status(Module) =:= modified].

%% @doc What runs the old code is gone.
-spec load([module()]) -> ok.
load(Modules) ->
    lists:foreach(
        fun(Module) ->
            _ = code:purge(Module),
            {module, Module} = code:load_file(Module)
        end,
        Modules
    ).

-spec modules() -> [module()].
modules() ->
    Beams = filelib:wildcard(filename:join(filename:dirname(code:which(?MODULE)), "megaphone_*.beam")),
    [list_to_atom(filename:basename(Beam, ".beam")) || Beam <- Beams].
