%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_proof.
-module(megaphone_proof_tests).

-include_lib("eunit/include/eunit.hrl").

%% Answers to 90 .. 99, of 10 bytes, each with a stanza; sent at the time of their rid.
kept() ->
    Add = fun(Rid, Kept) -> megaphone_kept:add({Rid, none}, 200, {payload, <<"0123456789">>}, [{Rid, {a}}], Rid, Kept) end,
    lists:foldl(Add, megaphone_kept:new(), lists:seq(90, 99)).

%% What the client may lack, which are kept, which it says it lacks, and the state after it.
after_request(Request, Held, Hold, Bytes, Before) ->
    Whole = maps:merge(#{rid => 100, els => [], bytes => 50}, Request),
    {Missed, Kept, After} = megaphone_proof:of_request(Whole, Held, {Hold, Bytes}, kept(), Before),
    {Owed, _, _} = megaphone_kept:take_owed(Kept),
    {[Rid || {Rid, _} <- Owed], lists:reverse([Rid || {Rid, _, _} <- megaphone_kept:to_list(Kept)]), Missed, After}.

table_test_() ->
    Empty = #{},
    Data = #{els => [{xmlel, <<"iq">>, [], []}]},
    Rows = [
        %% State, request 100, how many are held with it, of how many: lacks from, keeps from, says it lacks, state.
        {acks, Data#{ack => 97}, 1, 1, {98, 98, {98, 98}, acks}},
        {acks, Data, 1, 1, {100, 100, none, acks}},
        {acks, Empty#{ack => 99}, 2, 1, {100, 100, none, acks}},
        {acks, Empty#{ack => 200}, 2, 1, {100, 100, none, acks}},
        %% So far behind that we do not have it any more.
        {acks, Empty#{ack => 80}, 2, 1, {90, 90, none, acks}},
        {alone, Empty, 1, 1, {100, 99, none, alone}},
        {alone, Empty, 1, 0, {100, 100, none, alone}},
        {alone, Empty, 1, 2, {98, 94, none, alone}},
        {alone, Data, 2, 1, {99, 95, none, alone}},
        {alone, Empty#{restart => true}, 2, 1, {99, 95, none, alone}},
        {alone, Empty#{pause => 10}, 2, 1, {98, 95, none, alone}},
        {alone, Data#{terminate => true}, 2, 1, {98, 95, none, alone}},
        {alone, Empty, 2, 1, {99, 95, none, beside}},
        {beside, Empty, 1, 1, {99, 95, none, beside}},
        {beside, Data, 1, 1, {99, 95, none, beside}},
        {beside, Empty#{pause => 10}, 1, 1, {98, 95, none, beside}}
    ],
    [
        {lists:flatten(io_lib:format("~p", [Row])),
            ?_assertEqual(
                {lists:seq(Lacks, 99), lists:seq(Keeps, 99), Missed, After},
                after_request(Request, Held, Hold, 1000, Before)
            )}
     || {Before, Request, Held, Hold, {Lacks, Keeps, Missed, After}} = Row <- Rows
    ].

%% Those of the window are kept in any case.
as_far_as_there_is_room_test() ->
    ?assertMatch({[99], [98, 99], none, _}, after_request(#{restart => true}, 1, 1, 20, alone)),
    ?assertMatch({[99], [99], none, _}, after_request(#{restart => true}, 1, 1, 0, alone)).

by_the_creation_test() ->
    ?assertEqual([acks, alone, alone], [megaphone_proof:new(R) || R <- [#{ack => 1}, #{ack => 0}, #{}]]).
