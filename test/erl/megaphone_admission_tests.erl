%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Who may begin a session, and who makes room for whom.
-module(megaphone_admission_tests).

-include_lib("eunit/include/eunit.hrl").

-define(LIMITS, #{strangers => 4, per_address => 0, memory => 0}).

no_share_for_an_address_where_it_is_0_test() ->
    with_table(fun no_share_for_an_address_where_it_is_0/0).

no_session_begins_while_memory_is_short_test() ->
    with_table(fun no_session_begins_while_memory_is_short/0).

those_of_some_seconds_ago_make_room_where_many_are_test() ->
    with_table(fun those_of_some_seconds_ago_make_room_where_many_are/0).

the_oldest_makes_room_where_all_places_are_taken_test() ->
    with_table(fun the_oldest_makes_room_where_all_places_are_taken/0).

no_share_for_an_address_where_it_is_0() ->
    A = lists:foldl(fun(_, A) -> ok = megaphone_admission:check({1, 2, 3, 4}, A), enter(A) end, new(?LIMITS), [1, 2, 3, 4]),
    ?assertEqual({refused, strangers}, megaphone_admission:check({1, 2, 3, 4}, A)).

no_session_begins_while_memory_is_short() ->
    Used = erlang:memory(total),
    Short = maps:put(memory, Used div 2, ?LIMITS),
    ?assertEqual({refused, memory}, megaphone_admission:check({1, 2, 3, 4}, new(Short))),
    {_, Freed} = megaphone_admission:tick(maps:put(memory, Used * 100, ?LIMITS), new(Short)),
    ?assertEqual(ok, megaphone_admission:check({1, 2, 3, 4}, Freed)).

those_of_some_seconds_ago_make_room_where_many_are() ->
    Two = enter(enter(new(?LIMITS))),
    {[[], [], [], [], [{_, silent}, {_, silent}], [], [], [], [], [{_, any}, {_, any}]], _} = lists:mapfoldl(fun(_, A) -> megaphone_admission:tick(?LIMITS, A) end, Two, lists:seq(1, 10)),
    {[[], [], [], [], []], _} = lists:mapfoldl(fun(_, A) -> megaphone_admission:tick(?LIMITS, A) end, enter(new(?LIMITS)), lists:seq(1, 5)).

%% And what there is of one follows: nothing grows with those who come and go.
the_oldest_makes_room_where_all_places_are_taken() ->
    Tick = fun(A) -> {_, A1} = megaphone_admission:tick(?LIMITS, A), A1 end,
    Full = enter(enter(enter(Tick(enter(new(?LIMITS)))))),
    ?assertEqual({refused, strangers}, megaphone_admission:check({1, 2, 3, 4}, Full)),
    Young = Tick(Tick(Tick(Full))),
    ?assertEqual({refused, strangers}, megaphone_admission:check({1, 2, 3, 4}, Young)),
    {instead_of, Oldest} = megaphone_admission:check({1, 2, 3, 4}, Tick(Young)),
    Less = megaphone_admission:leave(Oldest, Tick(Young)),
    ?assertEqual(ok, megaphone_admission:check({1, 2, 3, 4}, Less)),
    ?assertEqual(3, megaphone_admission:count()),
    ?assertEqual({refused, strangers}, megaphone_admission:check({1, 2, 3, 4}, enter(Less))).

%% The hub does this for each, whatever waits for it meanwhile.
who_leaves_costs_no_look_into_the_mailbox_test() ->
    with_table(fun() ->
        {Pid, Monitor} = spawn_monitor(fun() -> ok end),
        A = megaphone_admission:enter(Pid, Monitor, {1, 2, 3, 4}, new(?LIMITS)),
        Down = {'DOWN', Monitor, process, Pid, normal},
        receive Down -> self() ! Down end,
        _ = megaphone_admission:leave(Pid, A),
        ?assertEqual(0, megaphone_admission:count()),
        receive Down -> ok after 0 -> error(mailbox_read) end
    end).

with_table(Test) ->
    ok = megaphone_admission:create_table(),
    try Test() after ets:delete(megaphone_strangers) end.

new(Limits) ->
    true = ets:delete_all_objects(megaphone_strangers),
    megaphone_admission:new(Limits).

enter(A) ->
    {Pid, Monitor} = spawn_monitor(fun() -> receive stop -> ok end end),
    megaphone_admission:enter(Pid, Monitor, {1, 2, 3, 4}, A).

a_network_of_ipv6_is_one_address_test() ->
    Of = fun(Text) -> {ok, Ip} = inet:parse_address(Text), megaphone_admission:address(Ip) end,
    ?assertEqual(Of("2001:db8:1:2::1"), Of("2001:db8:1:ff:ffff::2")),
    ?assertNotEqual(Of("2001:db8:1:2::1"), Of("2001:db8:2:2::1")),
    ?assertEqual(Of("192.0.2.1"), Of("::ffff:192.0.2.1")),
    ?assertNotEqual(Of("192.0.2.1"), Of("192.0.2.2")),
    ?assertNotEqual(Of("0.1.2.3"), Of("0:1:2:3::")).
