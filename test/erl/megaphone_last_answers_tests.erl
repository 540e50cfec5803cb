%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits for a gateway: in order, within its bound, with one process at a time. The process that runs a test is the
%%% gateway's, and that of the module, which so hears of an end only when it looks.
-module(megaphone_last_answers_tests).

-include_lib("eunit/include/eunit.hrl").

send(N, Bytes, Boxes) ->
    {noreply, After} = megaphone_last_answers:handle_cast({send, self(), {self(), N}, Bytes}, Boxes),
    After.

%% The sender has ended; what queued meanwhile goes to the next one, if there is any.
next(Boxes) ->
    receive
        {'DOWN', _, process, _, normal} = Down ->
            {noreply, After} = megaphone_last_answers:handle_info(Down, Boxes),
            After
    end.

arrived() ->
    receive
        {Self, N} when Self =:= self() -> [N | arrived()]
    after 0 -> []
    end.

queued_test() ->
    {ok, Empty} = megaphone_last_answers:init([]),
    Boxes = lists:foldl(fun(N, B) -> send(N, 1000, B) end, Empty, lists:seq(1, 100)),
    ?assertEqual(1, map_size(Boxes)),
    Boxes1 = next(Boxes),
    ?assertEqual(1, map_size(Boxes1)),
    ?assertEqual(Empty, next(Boxes1)),
    ?assertEqual(lists:seq(1, 100), arrived()).

%% Of 100 answers of 1 MB a third finds room; a mark, which has no body, always does.
bounded_test() ->
    ok = megaphone_stats:create(),
    #{answers_dropped := Before} = megaphone_stats:all(),
    {ok, Empty} = megaphone_last_answers:init([]),
    Full = lists:foldl(fun(N, B) -> send(N, 1000000, B) end, Empty, lists:seq(1, 100)),
    Boxes = send(mark, 0, Full),
    #{answers_dropped := Dropped} = megaphone_stats:all(),
    ?assertEqual(Empty, next(next(Boxes))),
    Arrived = arrived(),
    ?assertEqual(lists:seq(1, 34) ++ [mark], Arrived),
    ?assertEqual(100 - 34, Dropped - Before).
