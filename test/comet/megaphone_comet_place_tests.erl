%%% SPDX-License-Identifier: Apache-2.0
%%% The header's table, cell by cell.
-module(megaphone_comet_place_tests).

-include_lib("eunit/include/eunit.hrl").

table_test_() ->
    {ok, Text} = file:read_file("megaphone_comet/src/megaphone_comet_place.erl"),
    Lines = [[string:trim(Cell) || Cell <- binary:split(Line, <<"|">>, [global])] || <<"%%%", Line/binary>> <- binary:split(Text, <<"\n">>, [global])],
    [[_ | Events] | Rows] = [Line || [_, _ | _] = Line <- Lines],
    4 = length(Rows),
    [{<<Phase/binary, ": ", Event/binary>>, cell(Cell, binary_to_atom(Phase), binary_to_atom(Event))} || [Phase | Cells] <- Rows, {Event, Cell} <- lists:zip(Events, Cells)].

cell(<<"·"/utf8>>, Phase, Event) -> ?_assertEqual(Phase, megaphone_comet_place:next(Phase, Event));
cell(<<"–"/utf8>>, Phase, Event) -> ?_assertError(function_clause, megaphone_comet_place:next(Phase, Event));
cell(Next, Phase, Event) -> ?_assertEqual(binary_to_atom(Next), megaphone_comet_place:next(Phase, Event)).
