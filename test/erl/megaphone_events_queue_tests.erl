%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_events_queue_tests).
-include_lib("eunit/include/eunit.hrl").

limits(Delivery) -> #{delivery => Delivery, count => 10, bytes => 10000}.

%% Cell by cell, from the header.
table_test_() ->
    [
        {lists:flatten(io_lib:format("~ts: ~ts", [Row, Column])), fun() -> cell(Row, Column, Cell) end}
     || {Row, Cells} <- megaphone_table:read(megaphone_events_queue), {Column, Cell} <- Cells
    ].

cell(Row, Column, Cell) ->
    Before = phase(Row),
    Expected = case Cell of same -> Row; _ -> Cell end,
    ?assertEqual(Expected, atom_to_binary(megaphone_events_queue:phase(event(Column, Before)))).

phase(<<"idle">>) -> megaphone_events_queue:new(limits(at_least_once), 0);
phase(<<"sending">>) -> event(<<"event">>, phase(<<"idle">>));
phase(<<"paused">>) -> event(<<"failed">>, phase(<<"sending">>)).

event(<<"event">>, Q) ->
    {_, Q1} = sent(megaphone_events_queue:add(<<"x">>, Q)),
    Q1;
event(<<"taken">>, Q) -> megaphone_events_queue:taken(1, Q);
event(<<"failed">>, Q) -> element(2, megaphone_events_queue:failed(1, Q));
event(<<"time">>, Q) -> megaphone_events_queue:time(Q).

sent(Q) ->
    case megaphone_events_queue:next(Q) of
        {send, Lines, Q1} -> {Lines, Q1};
        {none, Q1} -> {[], Q1}
    end.

add(Events, Q) -> lists:foldl(fun megaphone_events_queue:add/2, Q, Events).

what_does_not_fit_is_told_by_the_next_test() ->
    Events = [integer_to_binary(N) || N <- lists:seq(1, 15)],
    {Lines, Q} = sent(add(Events, megaphone_events_queue:new(limits(at_least_once), 100))),
    ?assertEqual([{100 + N, 0, integer_to_binary(N)} || N <- lists:seq(1, 10)], Lines),
    %% What is sent counts until it is taken.
    Q1 = add([<<"16">>], Q),
    ?assertEqual(6, megaphone_events_queue:dropped(Q1)),
    ?assertMatch({[{117, 6, <<"17">>}, {118, 0, <<"18">>}], _}, sent(add([<<"17">>, <<"18">>], megaphone_events_queue:taken(110, Q1)))).

what_is_larger_than_all_may_be_does_not_fit_test() ->
    {Lines, _} = sent(add([binary:copy(<<"x">>, 10000), <<"y">>], megaphone_events_queue:new(limits(at_least_once), 0))),
    ?assertEqual([{2, 1, <<"y">>}], Lines).

at_most_once_a_batch_that_failed_is_dropped_test() ->
    {_, Q} = sent(add([<<"1">>, <<"2">>], megaphone_events_queue:new(limits(at_most_once), 0))),
    {500, Q1} = megaphone_events_queue:failed(2, add([<<"3">>], Q)),
    ?assertMatch({[{3, 2, <<"3">>}], _}, sent(megaphone_events_queue:time(Q1))).

pauses_double_until_one_is_taken_test() ->
    {_, Q} = sent(add([<<"1">>], megaphone_events_queue:new(limits(at_least_once), 0))),
    {Pauses, Q1} = lists:mapfoldl(
        fun(_, Acc) ->
            {Pause, Paused} = megaphone_events_queue:failed(1, Acc),
            {Lines, Again} = sent(megaphone_events_queue:time(Paused)),
            ?assertEqual([{1, 0, <<"1">>}], Lines),
            {Pause, Again}
        end,
        Q,
        lists:seq(1, 9)
    ),
    ?assertEqual([500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 64000], Pauses),
    {_, Q2} = sent(add([<<"2">>], megaphone_events_queue:taken(1, Q1))),
    ?assertMatch({500, _}, megaphone_events_queue:failed(2, Q2)).

batches_are_bounded_test() ->
    Limits = #{delivery => at_least_once, count => 10000, bytes => 100000000},
    {Many, _} = sent(add(lists:duplicate(2000, <<"x">>), megaphone_events_queue:new(Limits, 0))),
    ?assertEqual(500, length(Many)),
    Large = binary:copy(<<"x">>, 200000),
    ?assertMatch({[_], _}, sent(add([Large, Large], megaphone_events_queue:new(Limits, 0)))),
    ?assertMatch({[_], _}, sent(add([binary:copy(<<"x">>, 300000), <<"y">>], megaphone_events_queue:new(Limits, 0)))).

a_late_answer_is_of_no_other_batch_test() ->
    {_, Q} = sent(add([<<"1">>], megaphone_events_queue:new(limits(at_most_once), 0))),
    {_, Q1} = megaphone_events_queue:failed(1, Q),
    {_, Q2} = sent(add([<<"2">>], megaphone_events_queue:time(Q1))),
    ?assertEqual(Q2, megaphone_events_queue:taken(1, Q2)),
    ?assertEqual({none, Q2}, megaphone_events_queue:failed(1, Q2)).
