#!/usr/bin/env escript
%% run-tests.escript DIST [MODULE...]: runs these modules, or every EUnit module (*_tests) and every PropEr module (prop_*)
%% under DIST/test. Each line of dots is a property's; its name comes before it.
%% NUMTESTS in the environment sets the number of cases for each property.
-mode(compile).

main([Dist | Only]) ->
    true = code:add_patha(filename:join(Dist, "ebin")),
    true = code:add_patha(filename:join(Dist, "test")),
    Units = modules(Dist, "*_tests.beam", Only),
    Properties = modules(Dist, "prop_*.beam", Only),
    [] = Only -- [atom_to_list(M) || M <- Units ++ Properties],
    io:format("EUnit: ~p modules~n", [length(Units)]),
    UnitsOk = eunit:test(Units, [verbose]) =:= ok,
    Failed = [{M, proper:module(M, [{numtests, cases()}])} || M <- Properties],
    PropertiesOk = [] =:= [F || {_, Fs} <- Failed, F <- Fs],
    io:format("PropEr: ~p modules, ~s~n", [length(Properties), case PropertiesOk of true -> "all properties hold"; false -> "FAILED" end]),
    halt(case UnitsOk andalso PropertiesOk of true -> 0; false -> 1 end).

modules(Dist, Pattern, Only) ->
    Names = [filename:basename(F, ".beam") || F <- filelib:wildcard(filename:join([Dist, "test", Pattern]))],
    [list_to_atom(Name) || Name <- Names, Only =:= [] orelse lists:member(Name, Only)].

cases() ->
    list_to_integer(os:getenv("NUMTESTS", "100")).
