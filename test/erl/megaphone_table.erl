%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of a module, for the test that goes through it cell by cell.
-module(megaphone_table).

-export([read/1]).

%% Of each row its name and, for each column, that one's name and what the cell says: `same' where nothing changes, `never'
%% where it cannot happen.
read(Module) ->
    {ok, Text} = file:read_file(["mod_megaphone/src/", atom_to_list(Module), ".erl"]),
    [[_ | Columns] | Rows] = [cells(Line) || <<"%%%", Line/binary>> <- binary:split(Text, <<"\n">>, [global]), is_row(Line)],
    [{Row, lists:zip(Columns, lists:map(fun cell/1, Cells))} || [Row | Cells] <- Rows].

is_row(Line) -> binary:match(Line, <<"|">>) =/= nomatch.

cells(Line) -> [string:trim(Cell) || Cell <- binary:split(Line, <<"|">>, [global])].

cell(<<"·"/utf8>>) -> same;
cell(<<"–"/utf8>>) -> never;
cell(Cell) -> Cell.
