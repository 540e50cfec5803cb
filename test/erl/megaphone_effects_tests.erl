%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits where there is no room for an answer: the answers, in order, and nothing else.
-module(megaphone_effects_tests).

-include_lib("eunit/include/eunit.hrl").

without_room_test_() ->
    Answer = fun(Rid) -> {answer, {Rid, conn, 200, <<"body">>}} end,
    Count = {count, stanzas_out},
    Repeat = {repeat, other},
    Refuse = {refuse, other, 200, <<"body">>},
    Stop = {stop, wrong_key},
    [
        ?_assertEqual(Result, megaphone_effects:without_room(Effects))
     || {Effects, Result} <- [
            {[], {[], []}},
            {[Answer(7)], {[{busy, 7, conn}], []}},
            {[Answer(7), Count, Answer(8), Repeat, Answer(9), Refuse, Stop],
                {[{busy, 7, conn}, {busy, 8, conn}, {busy, 9, conn}], [Count, Repeat, Refuse, Stop]}}
        ]
    ].
