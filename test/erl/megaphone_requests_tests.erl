%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_requests, cell by cell, and the order of requests.
-module(megaphone_requests_tests).

-include_lib("eunit/include/eunit.hrl").

request(Rid) -> #{rid => Rid, els => [], bytes => 50}.

%% Request 11, behind 10; which was answered where 11 is to be held. Connections are atoms here.
open(Events) ->
    {[], {10, _, none}, R} = megaphone_requests:answer(megaphone_requests:hold(10, 0, none, megaphone_requests:new(request(10), a))),
    lists:foldl(fun event/2, megaphone_requests:arrive(request(11), c, R), Events).

event(its_turn, R) ->
    case megaphone_requests:turn(R) of
        #{rid := 11} -> megaphone_requests:hold(11, 500, key, R);
        none -> R
    end;
event(comes_again, R) ->
    {ok, Older, R1} = megaphone_requests:again(11, key, d, 900, R),
    ?assert(lists:member(Older, [none, c])),
    R1;
event(closed, R) ->
    case megaphone_requests:closed(c, R) of
        {held, 500, R1} -> R1;
        {waiting, R1} -> R1;
        none -> R
    end;
event(answer, R) ->
    case megaphone_requests:held(R) of
        0 -> R;
        1 -> {[], {11, _, key}, R1} = megaphone_requests:answer(R), R1
    end;
event(session_ends, R) ->
    megaphone_requests:finish(last, 700, R).

%% By what is to be seen of it: its state, its connection, and when it is due.
state(R) ->
    Conn = case [C || C <- [c, d], megaphone_requests:is_open(C, R)] of [] -> none; [C] -> C end,
    %% With a connection, what is due is its own; its key is what another must show.
    {ok, _, Whole} = case megaphone_requests:again(11, key, x, 1, R) of
        other_key -> megaphone_requests:again(11, last, x, 1, R);
        none -> {ok, none, none};
        Again -> Again
    end,
    case {Whole, megaphone_requests:turn(R), megaphone_requests:waiting(R)} of
        {none, none, 0} -> answered;
        {_, none, 0} -> {held, Conn, megaphone_requests:due(R)};
        {_, #{rid := 11}, 1} ->
            ?assertEqual(none, megaphone_requests:due(R)),
            {waiting, Conn}
    end.

table_test_() ->
    Rows = [
        %% State, how it is reached, and what it is after: its turn, comes again, closed, answer, the session's end.
        {{waiting, c}, [], [{held, c, 500}, {waiting, d}, {waiting, none}, {waiting, c}, {held, c, 700}]},
        {{waiting, none}, [closed], [{held, none, none}, {waiting, d}, {waiting, none}, {waiting, none}, {held, none, none}]},
        {{held, c, 500}, [its_turn], [{held, c, 500}, {held, d, 900}, {held, none, none}, answered, {held, c, 500}]},
        {{held, none, none}, [its_turn, closed], [{held, none, none}, {held, d, 900}, {held, none, none}, {held, none, none}, {held, none, none}]}
    ],
    Events = [its_turn, comes_again, closed, answer, session_ends],
    [
        {lists:flatten(io_lib:format("~p: ~p", [State, Event])), fun() ->
            R = open(Before),
            ?assertEqual(State, state(R)),
            ?assertEqual(Next, state(event(Event, R)))
        end}
     || {State, Before, After} <- Rows, {Event, Next} <- lists:zip(Events, After)
    ].

%% What is cut is answered with what is behind it.
in_rid_order_test() ->
    R = lists:foldl(fun(Rid, Acc) -> megaphone_requests:arrive(request(Rid), {c, Rid}, Acc) end, open([]), [14, 13, 12]),
    Hold = fun(Rid, Acc) -> #{rid := Rid} = megaphone_requests:turn(Acc), megaphone_requests:hold(Rid, Rid, none, Acc) end,
    Held = lists:foldl(Hold, R, [11, 12, 13]),
    {held, 11, Cut1} = megaphone_requests:closed(c, Held),
    {held, 12, Cut2} = megaphone_requests:closed({c, 12}, Cut1),
    ?assertEqual({1, 1, 13}, {megaphone_requests:held(Cut2), megaphone_requests:waiting(Cut2), megaphone_requests:due(Cut2)}),
    {[{11, none}, {12, none}], {13, {c, 13}, none}, Left} = megaphone_requests:answer(Cut2),
    ?assertEqual({0, 1}, {megaphone_requests:held(Left), megaphone_requests:waiting(Left)}).

%% §15: a repeat of a held one shows the key that it came with.
with_its_key_test() ->
    ?assertEqual(other_key, megaphone_requests:again(11, other, d, 900, open([its_turn]))),
    ?assertEqual(none, megaphone_requests:again(10, none, d, 900, open([]))).

kinds_test() ->
    R = megaphone_requests:arrive(request(13), d, open([])),
    Kinds = [megaphone_requests:kind(Rid, R) || Rid <- [9, 10, 11, 12, 13, 14]],
    ?assertEqual([repeat, repeat, repeat, next, repeat, overtaking], Kinds),
    ?assertEqual([11, 13], [megaphone_requests:received(S) || S <- [R, megaphone_requests:arrive(request(12), e, R)]]).

answered_in_vain_test() ->
    R = megaphone_requests:reopen([{9, x}, {10, y}], 3, open([its_turn])),
    ?assertEqual({3, 3}, {megaphone_requests:held(R), megaphone_requests:due(R)}),
    ?assertMatch({[], {9, x, none}, _}, megaphone_requests:answer(R)).
