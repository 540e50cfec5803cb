%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Whatever comes, fails and is taken, in whichever order: who is told gets all events in order but those that the next one says
%%% were dropped, each at most once or at least once; and no more waits than may.
-module(prop_megaphone_events_queue).

-include_lib("proper/include/proper.hrl").

-export([prop_all_are_told_or_counted/0]).

-define(COUNT, 7).
-define(BYTES, 1500).

prop_all_are_told_or_counted() ->
    ?FORALL(
        {Delivery, Steps},
        {oneof([at_most_once, at_least_once]), list(step())},
        begin
            Limits = #{delivery => Delivery, count => ?COUNT, bytes => ?BYTES},
            Start = {megaphone_events_queue:new(Limits, 0), #{told => [], under_way => none, came => 0}},
            {Q, #{told := Told} = S} = lists:foldl(fun step/2, Start, Steps),
            %% All that waits goes out in the end, and what comes then.
            {Q1, S1} = drain(Q, S),
            {_, #{told := All, came := Came}} = drain(megaphone_events_queue:add(<<"last">>, Q1), S1),
            Waited = [Event || Lines <- lists:sublist(maps:get(told, S1), length(maps:get(told, S1)) - length(Told)), {_, _, Event} <- Lines],
            length(Waited) =< ?COUNT andalso iolist_size(Waited) =< ?BYTES andalso follow(lists:reverse(All), Delivery, 0) =:= Came + 1
        end
    ).

step() ->
    frequency([{4, {add, oneof([1, 50, 400, 2000])}}, {1, {lost, range(1, 5)}}, {2, send}, {1, taken}, {1, arrives}, {1, lost_on_the_way}, {1, time}]).

step({add, Size}, {Q, #{came := Came} = S}) -> {megaphone_events_queue:add(binary:copy(<<"x">>, Size), Q), S#{came := Came + 1}};
step({lost, N}, {Q, #{came := Came} = S}) -> {megaphone_events_queue:lost(N, Q), S#{came := Came + N}};
step(send, {Q, S}) ->
    case megaphone_events_queue:next(Q) of
        {send, Lines, Q1} -> {Q1, S#{under_way := Lines}};
        {none, Q1} -> {Q1, S}
    end;
step(time, {Q, S}) -> {megaphone_events_queue:time(Q), S};
step(_, {Q, #{under_way := none} = S}) -> {Q, S};
step(taken, {Q, #{under_way := Lines, told := Told} = S}) ->
    {megaphone_events_queue:taken(last(Lines), Q), S#{told := [Lines | Told], under_way := none}};
%% It has them, and that is not known here; which at most once counts as dropped.
step(arrives, {Q, #{under_way := Lines, told := Told} = S}) ->
    {_, Q1} = megaphone_events_queue:failed(last(Lines), Q),
    {Q1, S#{told := [{unknown, Lines} | Told], under_way := none}};
step(lost_on_the_way, {Q, #{under_way := Lines} = S}) ->
    {_, Q1} = megaphone_events_queue:failed(last(Lines), Q),
    {Q1, S#{under_way := none}}.

drain(Q, #{under_way := [_ | _]} = S) ->
    {Q1, S1} = step(taken, {Q, S}),
    drain(Q1, S1);
drain(Q, S) ->
    case step(send, {megaphone_events_queue:time(Q), S}) of
        {Q1, #{under_way := none}} -> {Q1, S};
        {Q1, S1} -> drain(Q1, S1)
    end.

last(Lines) -> element(1, lists:last(Lines)).


%% At least once: each line, once doubles are left out, follows the one before it. At most once: the same of those that are known to have come.
follow([], _, Number) -> Number;
follow([{unknown, Lines} | Rest], at_least_once, Number) -> follow([Lines | Rest], at_least_once, Number);
follow([{unknown, _} | Rest], at_most_once, Number) -> follow(Rest, at_most_once, Number);
follow([Lines | Rest], Delivery, Number) ->
    New = [Line || {N, _, _} = Line <- Lines, Delivery =:= at_most_once orelse N > Number],
    case in_order(New, Number) of
        false -> false;
        Last -> follow(Rest, Delivery, Last)
    end.

in_order([], Number) -> Number;
in_order([{N, Dropped, _} | Lines], Number) when N =:= Number + Dropped + 1 -> in_order(Lines, N);
in_order(_, _) -> false.
