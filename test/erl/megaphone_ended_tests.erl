%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What is kept of ended sessions stays within its bounds, whatever they leave.
-module(megaphone_ended_tests).

-include_lib("eunit/include/eunit.hrl").

with_table_test_() ->
    {foreach, fun megaphone_ended:create_table/0, fun(_) -> ets:delete(megaphone_ended) end, [
        fun() -> the_newest_answers_are_kept() end,
        fun() -> a_last_word_too_long_is_forgotten() end,
        fun() -> all_together_are_bounded() end,
        fun() -> strangers_leave_half_to_users() end,
        fun() -> what_is_forgotten_makes_room() end,
        fun() -> a_wrong_sum_is_set_right() end
    ]}.

ended(Sizes) ->
    Kept = [{Rid, 200, binary:copy(<<"x">>, Size)} || {Rid, Size} <- Sizes],
    #{kept => Kept, final => {200, <<"final">>}}.

the_newest_answers_are_kept() ->
    Ended = ended([{Rid, 100000} || Rid <- lists:seq(140, 1, -1)]),
    ok = megaphone_ended:put(<<"a">>, Ended, user),
    {ended, #{kept := Kept}} = megaphone_ended:find(<<"a">>),
    ?assertEqual([140, 139], [Rid || {Rid, _, _} <- Kept]),
    ?assertEqual(200005, megaphone_ended:bytes()).

a_last_word_too_long_is_forgotten() ->
    ok = megaphone_ended:put(<<"a">>, (ended([]))#{final := {200, binary:copy(<<"x">>, 1000000)}}, user),
    ?assertEqual({none, 0}, {megaphone_ended:find(<<"a">>), megaphone_ended:bytes()}).

all_together_are_bounded() ->
    [ok = megaphone_ended:put(integer_to_binary(N), ended([{1, 250000}]), user) || N <- lists:seq(1, 1000)],
    ?assert(megaphone_ended:bytes() =< 67108864),
    ?assert(megaphone_ended:bytes() > 67108864 - 262144),
    ?assertMatch({ended, _}, megaphone_ended:find(<<"1">>)),
    ?assertEqual(none, megaphone_ended:find(<<"1000">>)).

strangers_leave_half_to_users() ->
    Put = fun(Who) -> [ok = megaphone_ended:put(term_to_binary({Who, N}), ended([{1, 250000}]), Who) || N <- lists:seq(1, 200)] end,
    Put(stranger),
    ?assert(megaphone_ended:bytes() =< 67108864 div 2),
    ok = megaphone_ended:put(<<"user">>, ended([{1, 250000}]), user),
    ?assertMatch({ended, _}, megaphone_ended:find(<<"user">>)).

what_is_forgotten_makes_room() ->
    ok = megaphone_ended:put(<<"a">>, ended([{1, 1000}]), user),
    [ok = megaphone_ended:forget(<<"a">>) || _ <- lists:seq(1, 2)],
    ?assertEqual({none, 0}, {megaphone_ended:find(<<"a">>), megaphone_ended:bytes()}).

a_wrong_sum_is_set_right() ->
    ok = megaphone_ended:put(<<"a">>, ended([{1, 1000}]), user),
    _ = ets:update_counter(megaphone_ended, bytes, 5000),
    ok = megaphone_ended:sweep(),
    ?assertEqual(1005, megaphone_ended:bytes()).

no_table_is_no_error_test() ->
    ok = megaphone_ended:put(<<"a">>, ended([]), user),
    ok = megaphone_ended:forget(<<"a">>),
    ?assertEqual(none, megaphone_ended:find(<<"a">>)).
