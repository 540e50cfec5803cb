%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_move_tests).
-include_lib("eunit/include/eunit.hrl").

%% Cell by cell, from the header.
table_test_() ->
    [
        {lists:flatten(io_lib:format("~ts: ~ts", [Row, Column])), fun() -> cell(state(Row), event(Column), Cell) end}
     || {Row, Cells} <- megaphone_table:read(megaphone_move), {Column, Cell} <- Cells, Cell =/= never
    ].

cell(State, go, <<"both, routes">>) ->
    ?assertEqual({ready, both, routes}, {State, megaphone_move:go(true), megaphone_move:go(false)});
cell(State, Event, same) ->
    ?assertEqual(State, megaphone_move:next(Event, State));
cell(State, Event, Next) ->
    ?assertEqual(state(Next), megaphone_move:next(Event, State)).

state(Word) -> binary_to_existing_atom(Word).

event(<<"it died">>) -> died;
event(<<"no way">>) -> no_way;
event(Word) -> binary_to_existing_atom(Word).

%% Whatever happens to whichever, in any order: never do both serve, and where neither does, the old one ended.
never_two_test() ->
    ?assertEqual([], [Both || {Old, New} = Both <- reachable([{asked, ready}], []), serves(Old), serves(New)]).

serves(State) -> lists:member(State, [stays, both, routes, socket, open, cut, ends]).

reachable([], Seen) -> Seen;
reachable([Both | Rest], Seen) ->
    Next = [N || N <- lists:usort(steps(Both)), N =/= Both, not lists:member(N, [Both | Rest] ++ Seen)],
    reachable(Next ++ Rest, [Both | Seen]).

%% What each says reaches the other, or does not, and then both notice sooner or later.
steps({going, ready}) -> [{going, megaphone_move:go(Is)} || Is <- [true, false]] ++ lost({going, ready});
steps({going, New} = Both) when New =/= gone -> [{megaphone_move:next(moved, going), New} | lost(Both)];
steps({asked, ready} = Both) -> [{going, ready}, {stays, ready} | lost(Both)];
%% Its word was on its way when it ended.
steps({asked, gone}) -> [{going, gone}, {stays, gone}];
steps({going, gone} = Both) -> [{megaphone_move:next(refused, going), gone} | lost(Both)];
steps({stays, ready}) -> [{stays, megaphone_move:next(refused, ready)}, {stays, megaphone_move:next(no_way, ready)}];
steps({Old, New} = Both) ->
    [{megaphone_move:next(time, Old), New}, {Old, megaphone_move:next(time, New)}] ++
        [{Old, megaphone_move:next(E, New)} || E <- [settled, socket], Old =:= passing] ++
        lost(Both).

lost({Old, New}) ->
    [{megaphone_move:next(no_way, Old), New} || true] ++ [{Old, megaphone_move:next(no_way, New)} || true] ++
        [{megaphone_move:next(died, Old), gone} || not serves(New)].

what_moves_is_told_by_its_code_alone_test() ->
    Paths = [M || M <- megaphone_arrival:modules(), {module, M} =:= code:ensure_loaded(M), logs(M)],
    ?assertEqual([], Paths).

logs(Module) ->
    {Module, Beam, _} = code:get_object_code(Module),
    {ok, {Module, [{imports, Imports}]}} = beam_lib:chunks(Beam, [imports]),
    lists:keymember(logger, 1, Imports).
