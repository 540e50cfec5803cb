%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The tables in the header of megaphone_pace.
-module(megaphone_pace_tests).

-include_lib("eunit/include/eunit.hrl").

-define(POLLING, 5000).

limits(Strict) ->
    #{wait => 60, hold => 2, inactivity => 30, maxpause => 120, polling => ?POLLING div 1000, queue => 1000, group => 0, strict => Strict}.

ask(What, Full, Now, Pace) -> megaphone_pace:ask(What, Full, Now, limits(false), Pace).

%% A session whose last request came at 0 and was empty, and has had an answer with this since.
asked(Wait, Answer) ->
    {ok, Wait, Pace} = ask(poll, false, 0, megaphone_pace:new(Wait, -100000)),
    megaphone_pace:answered(Answer, Pace).

%% Strict, what is early is a flood's; so is what it does not ask at all.
kind(What, Full, Now, Pace) ->
    {ok, Due, _} = ask(What, Full, Now, Pace),
    case megaphone_pace:ask(What, Full, Now, limits(true), Pace) of
        flood -> {early, Due};
        {ok, Due, _} -> {in_time, Due}
    end.

asking_test_() ->
    Soon = ?POLLING - 1,
    Rows = [
        %% Wait, the answer since, the request, whether it is full with it, when.
        {60000, blank, other, true, 1, {in_time, 60001}},
        {60000, blank, poll, true, ?POLLING, {in_time, 60000 + ?POLLING}},
        {60000, blank, poll, false, Soon, {in_time, 60000 + Soon}},
        {60000, blank, poll, true, Soon, {early, 60000 + Soon}},
        {60000, payload, poll, true, Soon, {early, 60000 + Soon}},
        {0, blank, other, true, 1, {in_time, 1}},
        {0, blank, poll, true, ?POLLING, {in_time, ?POLLING}},
        {0, payload, poll, true, Soon, {in_time, Soon}},
        {0, blank, poll, false, Soon, {early, ?POLLING}},
        {0, blank, poll, true, Soon, {early, ?POLLING}}
    ],
    [
        {lists:flatten(io_lib:format("~p", [Row])), ?_assertEqual(Kind, kind(What, Full, Now, asked(Wait, Answer)))}
     || {Wait, Answer, What, Full, Now, Kind} = Row <- Rows
    ].

%% What had a payload, or was to restart, makes no poll early, though its answer was empty.
a_poll_after_something_else_is_in_time_test() ->
    {ok, 0, Pace} = ask(other, false, 0, megaphone_pace:new(0, -100000)),
    ?assertEqual({in_time, 1}, kind(poll, true, 1, megaphone_pace:answered(blank, Pace))).

%% A poll that waits for its time counts as asked then; what is sent meanwhile, once more, waits as long.
a_poll_waits_for_its_time_test() ->
    {ok, 5000, P1} = ask(poll, true, 1000, asked(0, blank)),
    ?assertEqual(5000, megaphone_pace:again(2000, P1)),
    ?assertEqual(6000, megaphone_pace:again(6000, P1)),
    {ok, 10000, _} = ask(poll, true, 5001, P1).

haste_is_taken_off_by_time_test() ->
    Early = fun(Now, P) -> {ok, _, P1} = ask(poll, true, Now, P), P1 end,
    Full = lists:foldl(Early, asked(60000, blank), lists:duplicate(100, 1)),
    ?assertEqual(flood, ask(poll, true, 1, Full)),
    ?assertMatch({ok, _, _}, ask(poll, true, 1 + ?POLLING div 10, Full)),
    %% What is in time does not count.
    ?assertMatch({ok, _, _}, ask(other, true, 1, Full)).

cut(Ages) -> lists:foldl(fun(Age, P) -> megaphone_pace:cut(100000 + megaphone_pace:wait(P), 100000 + Age, P) end, megaphone_pace:new(60000, 0), Ages).

cuts_test_() ->
    Rows = [
        {60000, []},
        {60000, [30000]},
        {60000, [30000, 30500]},
        {28000, [30000, 30500, 30900]},
        {28000, [20000, 30000, 30500, 30900]},
        {60000, [30000, 31001, 30000]},
        {60000, [30000, 30500, 20000, 30900]},
        {60000, [4000, 4000, 4000, 4000]},
        {5000, [5000, 5500, 5600]},
        %% And once more, from there.
        {28000, [30000, 30500, 30900, 27000, 27000]},
        {25000, [30000, 30500, 30900, 27000, 27000, 27000]}
    ],
    [{lists:flatten(io_lib:format("~p", [Ages])), ?_assertEqual(Wait, megaphone_pace:wait(cut(Ages)))} || {Wait, Ages} <- Rows].
