%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_turns_tests).

-include_lib("eunit/include/eunit.hrl").

%% Each of them is about to run, or in the middle of its turn.
whoever_was_about_to_run_has_run_test() ->
    Turn = fun() -> _ = [erlang:phash2(N) || N <- lists:seq(1, 200)], ok end,
    Table = ets:new(?MODULE, [public, {write_concurrency, true}]),
    _ = [erlang:spawn_opt(fun() -> Turn(), ets:insert(Table, {self()}) end, [link]) || _ <- lists:seq(1, 1000)],
    ?assert(megaphone_turns:pass(60000)),
    ?assertEqual(1000, ets:info(Table, size)).

whoever_gives_up_hears_no_more_of_it_test() ->
    _ = megaphone_turns:pass(0),
    ?assertEqual(none, receive {'DOWN', _, process, _, _} = Down -> Down after 100 -> none end).
