#!/usr/bin/env escript
%% run-tests.escript DIST: runs every EUnit module (*_tests) and every PropEr module (prop_*) under DIST/test.
%% NUMTESTS in the environment sets the number of cases for each property.
-mode(compile).

main([Dist]) ->
    true = code:add_patha(filename:join(Dist, "ebin")),
    true = code:add_patha(filename:join(Dist, "test")),
    Units = modules(Dist, "*_tests.beam"),
    Properties = modules(Dist, "prop_*.beam"),
    io:format("EUnit: ~p modules~n", [length(Units)]),
    UnitsOk = eunit:test(Units, [verbose]) =:= ok,
    Failed = [{M, proper:module(M, [{numtests, cases()}])} || M <- Properties],
    PropertiesOk = [] =:= [F || {_, Fs} <- Failed, F <- Fs],
    io:format("PropEr: ~p modules, ~s~n", [length(Properties), case PropertiesOk of true -> "all properties hold"; false -> "FAILED" end]),
    halt(case UnitsOk andalso PropertiesOk of true -> 0; false -> 1 end).

modules(Dist, Pattern) ->
    [list_to_atom(filename:basename(F, ".beam")) || F <- filelib:wildcard(filename:join([Dist, "test", Pattern]))].

cases() ->
    list_to_integer(os:getenv("NUMTESTS", "100")).
