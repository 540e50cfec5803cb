%%% SPDX-License-Identifier: Apache-2.0
-module(megaphone_comet_ring_tests).

-include_lib("eunit/include/eunit.hrl").

ring_test_() ->
    {foreach, fun begin_ring/0, fun end_ring/1, [
        {"all behind a number, in order", fun in_order/0},
        {"as many as there is room for", fun count/0},
        {"the oldest go when it is their turn, four turns later", fun rotation/0},
        {"those that are too long are not kept, and are missed", fun too_long/0},
        {"bytes are counted and given back", fun bytes/0},
        {"a part of something larger is a copy", fun part/0},
        {"what goes along with a message counts, and is no part of something larger either", fun along/0}
    ]}.

%% Tables belong to a process that ends with the test.
begin_ring() ->
    Test = self(),
    Owner = spawn(fun() -> ok = megaphone_comet_ring:create(8, 1000), Test ! ready, receive stop -> Test ! stopped end end),
    receive ready -> Owner end.

end_ring(Owner) ->
    Monitor = monitor(process, Owner),
    Owner ! stop,
    receive {'DOWN', Monitor, _, _, _} -> ok end,
    receive stopped -> ok end.

keep(Id, Numbers) -> [true = megaphone_comet_ring:keep(Id, N, integer_to_binary(N), #{}) || N <- Numbers].

numbers(Id, Since, To) ->
    {Messages, Whole} = megaphone_comet_ring:since(Id, Since, To),
    {[N || {N, Body, _} <- Messages, Body =:= integer_to_binary(N)], Whole}.

in_order() ->
    keep(1, [101, 103, 102]),
    keep(<<"other">>, [101]),
    ?assertEqual({[101, 102, 103], true}, numbers(1, 100, 103)),
    ?assertEqual({[103], true}, numbers(1, 102, 103)),
    ?assertEqual({[], true}, numbers(1, 103, 103)),
    ?assertEqual({[101, 102, 103], true}, numbers(1, 0, 103)),
    %% A number that nobody kept.
    ?assertEqual({[101, 102, 103], false}, numbers(1, 100, 104)),
    ?assertEqual({[], true}, numbers(2, 0, 5)).

count() ->
    keep(1, lists:seq(1, 20)),
    ?assertEqual({lists:seq(13, 20), true}, numbers(1, 12, 20)),
    ?assertEqual({lists:seq(13, 20), false}, numbers(1, 11, 20)),
    ?assertEqual({lists:seq(13, 20), true}, numbers(1, 0, 20)).

rotation() ->
    keep(1, [1]),
    [begin ok = megaphone_comet_ring:rotate(), keep(1, [1 + Turn]) end || Turn <- [1, 2, 3]],
    ?assertEqual({[1, 2, 3, 4], true}, numbers(1, 0, 4)),
    ok = megaphone_comet_ring:rotate(),
    ?assertEqual({[2, 3, 4], true}, numbers(1, 0, 4)).

too_long() ->
    ?assertEqual(false, megaphone_comet_ring:keep(1, 1, binary:copy(<<"x">>, 1001), #{})),
    ?assertEqual(true, megaphone_comet_ring:keep(1, 2, <<"2">>, #{event => e})),
    ?assertEqual({[{2, <<"2">>, #{event => e}}], true}, megaphone_comet_ring:since(1, 1, 2)),
    true = megaphone_comet_ring:keep(2, 10, <<>>, #{}),
    false = megaphone_comet_ring:keep(2, 11, binary:copy(<<"x">>, 1001), #{}),
    ?assertMatch({[{10, _, _}], false}, megaphone_comet_ring:since(2, 9, 11)).

bytes() ->
    Before = megaphone_comet_ring:bytes(),
    [true = megaphone_comet_ring:keep(Id, 1, binary:copy(<<"x">>, 1000), #{}) || Id <- lists:seq(1, 100)],
    ?assert(megaphone_comet_ring:bytes() - Before > 100000),
    [ok = megaphone_comet_ring:rotate() || _ <- [1, 2, 3, 4]],
    ?assert(megaphone_comet_ring:bytes() - Before < 10000).

part() ->
    <<Part:500/binary, _/binary>> = binary:copy(<<"x">>, 100000),
    true = megaphone_comet_ring:keep(1, 1, Part, #{}),
    {[{1, Kept, _}], true} = megaphone_comet_ring:since(1, 0, 1),
    ?assertEqual(Part, Kept),
    ?assertEqual(500, binary:referenced_byte_size(Kept)).

%% As what came over a link is a part of all that came with it; publishers over HTTP send each transport's text along.
along() ->
    <<Part:200/binary, _/binary>> = binary:copy(<<"x">>, 100000),
    true = megaphone_comet_ring:keep(1, 1, <<"body">>, #{formats => #{<<"ws-message">> => Part, list => [Part, {Part}]}}),
    {[{1, <<"body">>, #{formats := #{<<"ws-message">> := Kept, list := [Kept, {Kept}]}}}], true} = megaphone_comet_ring:since(1, 0, 1),
    ?assertEqual(Part, Kept),
    ?assertEqual(200, binary:referenced_byte_size(Kept)),
    false = megaphone_comet_ring:keep(1, 2, <<"body">>, #{formats => binary:copy(<<"x">>, 1000)}),
    false = megaphone_comet_ring:keep(1, 3, <<"body">>, maps:from_list([{N, N} || N <- lists:seq(1, 1000)])),
    Before = megaphone_comet_ring:bytes(),
    [true = megaphone_comet_ring:keep(Id, 1, <<>>, #{formats => binary:copy(<<"x">>, 900)}) || Id <- lists:seq(1, 100)],
    ?assert(megaphone_comet_ring:bytes() - Before > 90000).
