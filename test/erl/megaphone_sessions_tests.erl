%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The index of sessions: who was killed is swept out, and the gauges are what the others say.
-module(megaphone_sessions_tests).

-include_lib("eunit/include/eunit.hrl").

with_table_test_() ->
    {foreach, fun megaphone_sessions:create_table/0, fun(_) -> ets:delete(megaphone_sessions) end, [
        fun() -> killed_ones_are_swept_and_counted_no_more() end,
        fun() -> gauges_are_what_sessions_say() end
    ]}.

killed_ones_are_swept_and_counted_no_more() ->
    Pids = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 5000)],
    [ok = megaphone_sessions:open(integer_to_binary(N), Pid, {1, 0, 1}) || {N, Pid} <- lists:enumerate(Pids)],
    ?assertEqual({5000, 0, 5000}, megaphone_sessions:gauges()),
    {Killed, Live} = lists:split(2000, Pids),
    [
        begin
            Ref = erlang:monitor(process, Pid),
            exit(Pid, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end
        end
     || Pid <- Killed
    ],
    {Sids, Swept} = lists:unzip(megaphone_sessions:sweep()),
    ?assertEqual(lists:sort(Killed), lists:sort(Swept)),
    ?assertEqual(lists:seq(1, 2000), lists:sort([binary_to_integer(Sid) || Sid <- Sids])),
    ?assertEqual({3000, 0, 3000}, megaphone_sessions:gauges()),
    ?assertEqual(lists:sort(Live), lists:sort(megaphone_sessions:pids())),
    [Pid ! stop || Pid <- Live].

gauges_are_what_sessions_say() ->
    ok = megaphone_sessions:open(<<"a">>, self(), {0, 0, 0}),
    ok = megaphone_sessions:gauge(<<"a">>, {1, 1, 2}),
    ?assertEqual({1, 1, 2}, megaphone_sessions:gauges()),
    ok = megaphone_sessions:close(<<"a">>),
    %% It may say so once more when it has left.
    ok = megaphone_sessions:gauge(<<"a">>, {0, 0, 1}),
    ?assertEqual({{0, 0, 0}, 0}, {megaphone_sessions:gauges(), megaphone_sessions:count()}).

no_table_is_no_error_test() ->
    ok = megaphone_sessions:open(<<"a">>, self(), {1, 0, 0}),
    ok = megaphone_sessions:gauge(<<"a">>, {1, 0, 1}),
    ok = megaphone_sessions:close(<<"a">>),
    ?assertEqual({unknown, [], [], 0, {0, 0, 0}}, {
        megaphone_sessions:find(<<"a">>),
        megaphone_sessions:pids(),
        megaphone_sessions:some(3),
        megaphone_sessions:count(),
        megaphone_sessions:gauges()
    }).
