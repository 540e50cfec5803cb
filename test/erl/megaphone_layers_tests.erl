%%% SPDX-License-Identifier: GPL-2.0-or-later
%%% Calls between the module's own modules go in no circle but through the deliberate ones below, and nothing is called that is
%%% not there.
-module(megaphone_layers_tests).
-include_lib("eunit/include/eunit.hrl").

%% Calls back to who is above, each with its reason.
-define(BACK,
        [{megaphone_session, megaphone_hub}]).  % a session tells the hub of its node what became of it

no_circle_test() ->
    ?assertEqual([], circles(calls() -- ?BACK)).

each_call_back_is_needed_test() ->
    ?assertEqual([], ?BACK -- calls()),
    [?assertNotEqual([], circles(calls() -- (?BACK -- [Call]))) || Call <- ?BACK].

a_planted_circle_is_found_test() ->
    ?assertEqual([], circles([{a, b}, {b, c}, {a, c}])),
    ?assertEqual([[a, b, c]], circles([{a, b}, {b, c}, {c, a}, {c, d}])).

nothing_is_called_that_is_not_there_test() ->
    ?assertEqual([], [{Module, Call} || Module <- modules(), Call <- imports(Module), not is_there(Call)]),
    ?assertNot(is_there({lists, no_such_function, 1})).

circles(Calls) ->
    Graph = digraph:new(),
    [digraph:add_vertex(Graph, Module) || {From, To} <- Calls, Module <- [From, To]],
    [digraph:add_edge(Graph, From, To) || {From, To} <- Calls],
    Circles = [lists:sort(Component) || Component <- digraph_utils:cyclic_strong_components(Graph)],
    digraph:delete(Graph),
    Circles.

calls() ->
    lists:usort([{From, To} || From <- modules(), {To, _, _} <- imports(From), To =/= From, lists:member(To, modules())]).

%% Of the sources: where they are built there may be others of earlier.
modules() ->
    [list_to_atom(filename:basename(File, ".erl")) || File <- filelib:wildcard("mod_megaphone/src/*.erl")].

imports(Module) ->
    {Module, Beam, _} = code:get_object_code(Module),
    {ok, {Module, [{imports, Imports}]}} = beam_lib:chunks(Beam, [imports]),
    Imports.

is_there({Module, Name, Arity}) ->
    erlang:is_builtin(Module, Name, Arity)
        orelse (code:ensure_loaded(Module) =:= {module, Module} andalso erlang:function_exported(Module, Name, Arity)).
