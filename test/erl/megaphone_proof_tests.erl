%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_proof.
-module(megaphone_proof_tests).

-include_lib("eunit/include/eunit.hrl").

table_test_() ->
    Empty = #{},
    Data = #{els => [{xmlel, <<"iq">>, [], []}]},
    Rows = [
        %% State, request 100, how many are held with it, of how many: what it proves, and the state after it.
        {acks, Data#{ack => 97}, 1, 1, {acknowledged, 97}, acks},
        {acks, Data, 1, 1, {acknowledged, 99}, acks},
        {acks, Empty#{ack => 200}, 2, 1, {acknowledged, 99}, acks},
        {alone, Empty, 1, 1, {received, 99, 98, 98}, alone},
        {alone, Empty, 1, 0, {received, 99, 99, 99}, alone},
        {alone, Empty, 1, 2, {received, 97, 93, 97}, alone},
        {alone, Data, 2, 1, {received, 98, 94, 98}, alone},
        {alone, Empty#{restart => true}, 2, 1, {received, 98, 94, 98}, alone},
        {alone, Empty#{pause => 10}, 2, 1, {received, 97, 94, 98}, alone},
        {alone, Data#{terminate => true}, 2, 1, {received, 97, 94, 98}, alone},
        {alone, Empty, 2, 1, {received, 98, 94, 98}, beside},
        {beside, Empty, 1, 1, {received, 98, 94, 98}, beside},
        {beside, Data, 1, 1, {received, 98, 94, 98}, beside},
        {beside, Empty#{pause => 10}, 1, 1, {received, 97, 94, 98}, beside}
    ],
    [
        {lists:flatten(io_lib:format("~p", [Row])),
            ?_assertEqual({Proves, After}, megaphone_proof:of_request(maps:merge(#{rid => 100, els => [], bytes => 50}, Request), Held, Hold, Before))}
     || {Before, Request, Held, Hold, Proves, After} = Row <- Rows
    ].

by_the_creation_test() ->
    ?assertEqual([acks, alone, alone], [megaphone_proof:new(R) || R <- [#{ack => 1}, #{ack => 0}, #{}]]).
