%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Bodies wait until ejabberd's shaper is paid for those before them, each in its turn.
-module(megaphone_intake_tests).

-include_lib("eunit/include/eunit.hrl").

%% Connections are atoms here. The burst is spent: each byte takes a second.
spent() ->
    {Shaper, _} = ejabberd_shaper:update(ejabberd_shaper:new(1), 1),
    Shaper.

arrive(Conn, Body, Now, {Shaper, Intake}) ->
    {When, Shaper1, Intake1} = megaphone_intake:arrive({Conn, Body}, 3, Now, Shaper, Intake),
    {When, {Shaper1, Intake1}}.

nothing_waits_without_a_shaper_test() ->
    State = {none, megaphone_intake:new()},
    ?assertEqual({now, State}, arrive(a, binary:copy(<<"x">>, 1000000), 0, State)).

each_waits_until_what_came_before_is_paid_test() ->
    {now, S1} = arrive(a, <<"12345">>, 0, {spent(), megaphone_intake:new()}),
    {later, S2} = arrive(b, <<"1234567890">>, 1000, S1),
    {later, {_, Intake}} = arrive(c, <<"1">>, 1000, S2),
    Due = megaphone_intake:due(Intake),
    ?assert(Due > 4000 andalso Due =< 5000),
    ?assertEqual(none, megaphone_intake:take(Due - 1, Intake)),
    {b, open, <<"1234567890">>, Intake1} = megaphone_intake:take(Due, Intake),
    %% Ten more bytes since: they came at once here, which the shaper's own clock knows.
    ?assert(megaphone_intake:due(Intake1) > 10000),
    ?assertEqual([{c, <<"1">>}], megaphone_intake:all(Intake1)).

%% The same bytes again and again, and what is no XML: all of it is charged.
repeats_are_charged_test() ->
    {now, S1} = arrive(a, <<"12345">>, 0, {spent(), megaphone_intake:new()}),
    {later, S2} = arrive(b, <<"12345">>, 0, S1),
    {later, {_, Intake}} = arrive(c, <<"12345">>, 0, S2),
    {b, open, _, Intake1} = megaphone_intake:take(100000, Intake),
    ?assert(megaphone_intake:due(Intake1) > 9000).

more_than_a_few_are_a_flood_test() ->
    {now, S1} = arrive(a, <<"12345">>, 0, {spent(), megaphone_intake:new()}),
    S2 = lists:foldl(fun(Conn, S) -> {later, Next} = arrive(Conn, <<"1">>, 0, S), Next end, S1, [b, c, d]),
    {flood, {_, Intake}} = arrive(e, <<"1">>, 0, S2),
    ?assertEqual([b, c, d], [Conn || {Conn, _} <- megaphone_intake:all(Intake)]).

%% Its connection is cut, and the client repeats the request, how often so ever: it keeps its place.
a_repeat_takes_the_place_of_a_cut_one_test() ->
    {now, S1} = arrive(a, <<"12345">>, 0, {spent(), megaphone_intake:new()}),
    {later, S2} = arrive(b0, <<"first">>, 0, S1),
    {later, S3} = arrive(c, <<"second">>, 0, S2),
    Again = fun(N, {Shaper, Intake}) ->
        Cut = megaphone_intake:closed({b, N - 1}, megaphone_intake:closed(b0, Intake)),
        {later, Next} = arrive({b, N}, <<"first">>, 0, {Shaper, Cut}),
        Next
    end,
    {_, Intake} = lists:foldl(Again, S3, lists:seq(1, 20)),
    ?assertEqual([{{b, 20}, <<"first">>}, {c, <<"second">>}], megaphone_intake:all(Intake)),
    ?assert(megaphone_intake:is_waiting(c, Intake)),
    ?assertNot(megaphone_intake:is_waiting(b0, Intake)).

%% A page that says goodbye as it closes does not wait for the answer.
what_came_is_read_though_its_connection_is_gone_test() ->
    {now, S1} = arrive(a, <<"12345">>, 0, {spent(), megaphone_intake:new()}),
    {later, {_, Intake}} = arrive(b, <<"bye">>, 0, S1),
    ?assertMatch({b, gone, <<"bye">>, _}, megaphone_intake:take(100000, megaphone_intake:closed(b, Intake))).
