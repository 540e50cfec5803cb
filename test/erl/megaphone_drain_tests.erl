%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_drain_tests).

-include_lib("eunit/include/eunit.hrl").

%% The header's, cell by cell.
table_test_() ->
    [
        {unicode:characters_to_binary([Row, ": ", Column]), ?_assertEqual(expected(Row, Cell), atom_to_binary(megaphone_drain:phase(binary_to_atom(Row), event(Column))))}
     || {Row, Cells} <- megaphone_table:read(megaphone_drain), {Column, Cell} <- Cells
    ].

expected(Row, same) -> Row;
expected(_, Cell) -> Cell.

event(<<"round is over">>) -> round_over;
event(Column) -> binary_to_atom(Column).

only_what_ends_sessions_before_ejabberd_stops_is_waited_for_test() ->
    ?assertEqual(ok, megaphone_stopping:called(ejabberd_admin, status, [])),
    ?assertEqual(in_service, megaphone_cluster:state()).
