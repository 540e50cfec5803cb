%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits for a client leaves in whole stanzas and in order, within the size of an answer.
-module(megaphone_queue_tests).

-include_lib("eunit/include/eunit.hrl").

queue(Payloads) ->
    lists:foldl(fun(P, Q) -> megaphone_queue:add({P, {0, {P}}}, stanza, 0, 0, Q) end, megaphone_queue:new(), Payloads).

taken(Limit, Queue) ->
    {Items, false, Rest} = megaphone_queue:take(Limit, 5, Queue),
    Payloads = megaphone_queue:payloads(Items),
    %% What is owed leaves with what the client gets.
    ?assertEqual([{0, {Payload}} || Payload <- Payloads], megaphone_queue:owed(Items)),
    {iolist_to_binary(Payloads), Rest}.

whole_stanzas_in_order_test() ->
    Queue = queue([<<"aaa">>, <<"bb">>, <<"cccccc">>, <<"d">>]),
    {<<"aaabb">>, Q1} = taken(5, Queue),
    ?assertEqual({7, 5, 5}, {megaphone_queue:size(Q1), megaphone_queue:due(Q1), megaphone_queue:since(Q1)}),
    %% Larger than an answer: it goes alone.
    {<<"cccccc">>, Q2} = taken(5, megaphone_queue:add({<<"e">>, {0, {<<"e">>}}}, stanza, 6, 0, Q1)),
    {<<"de">>, Q3} = taken(5, Q2),
    ?assertEqual(megaphone_queue:new(), Q3).

all_that_fits_test() ->
    ?assertEqual({<<"aab">>, megaphone_queue:new()}, taken(3, queue([<<"aa">>, <<"b">>]))),
    ?assertEqual({<<>>, megaphone_queue:new()}, taken(3, megaphone_queue:new())).

%% Whatever is taken and added: it is what a queue of what is left takes.
memory_is_of_what_is_there_test() ->
    Payloads = [<<"aaa">>, binary:copy(<<"b">>, 100), <<"cc">>, <<"dddd">>],
    {_, Rest} = taken(105, queue(Payloads)),
    ?assertEqual(megaphone_queue:memory(queue([<<"dddd">>])), megaphone_queue:memory(Rest)),
    ?assertEqual(0, megaphone_queue:memory(element(2, taken(10, Rest)))).

%% Each stanza is touched a few times, however many wait: not once for each answer.
cost_is_linear_test() ->
    Reductions = fun(N) ->
        Queue = queue(lists:duplicate(N, <<"xxxxxxxxxx">>)),
        {_, Before} = process_info(self(), reductions),
        drain(Queue),
        {_, After} = process_info(self(), reductions),
        (After - Before) / N
    end,
    Few = Reductions(1000),
    ?assert(Reductions(30000) < 2 * Few).

drain(Queue) ->
    case megaphone_queue:size(Queue) of
        0 -> ok;
        _ -> {_, _, Rest} = megaphone_queue:take(20, 0, Queue), drain(Rest)
    end.
