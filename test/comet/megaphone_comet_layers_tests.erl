%%% SPDX-License-Identifier: Apache-2.0
%%% Calls between the application's own modules go in no circle, nothing is called that is not there, nothing of ejabberd's is, and a node may
%%% run both this application and mod_megaphone.
-module(megaphone_comet_layers_tests).

-include_lib("eunit/include/eunit.hrl").

no_circle_test() ->
    Graph = digraph:new(),
    [digraph:add_vertex(Graph, Module) || Module <- modules()],
    [digraph:add_edge(Graph, From, To) || From <- modules(), {To, _, _} <- imports(From), To =/= From, lists:member(To, modules())],
    ?assertEqual([], digraph_utils:cyclic_strong_components(Graph)).

nothing_is_called_that_is_not_there_test() ->
    OfOtp = [kernel, stdlib, mnesia],
    [?assertMatch({Module, Call, true}, {Module, Call, is_there(Call) andalso is_allowed(Call, OfOtp)}) || Module <- modules(), Call <- imports(Module)].

no_name_is_taken_test() ->
    Others = [list_to_atom(filename:basename(File, ".erl")) || File <- filelib:wildcard("mod_megaphone/src/*.erl")],
    ?assert(length(Others) > 10),
    ?assertEqual([], [Module || Module <- modules(), lists:member(Module, Others)]).

modules() -> [list_to_atom(filename:basename(File, ".erl")) || File <- filelib:wildcard("megaphone_comet/src/*.erl")].

imports(Module) ->
    {Module, Beam, _} = code:get_object_code(Module),
    {ok, {Module, [{imports, Imports}]}} = beam_lib:chunks(Beam, [imports]),
    Imports.

is_there({Module, Name, Arity}) ->
    erlang:is_builtin(Module, Name, Arity) orelse (code:ensure_loaded(Module) =:= {module, Module} andalso erlang:function_exported(Module, Name, Arity)).

is_allowed({Module, _, _}, Apps) ->
    lists:member(Module, modules()) orelse code:which(Module) =:= preloaded
        orelse lists:any(fun(App) -> lists:prefix(code:lib_dir(App), code:which(Module)) end, Apps).
