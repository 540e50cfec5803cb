%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_requests, read from there, cell by cell, and the order of requests.
-module(megaphone_requests_tests).

-include_lib("eunit/include/eunit.hrl").

limits(Strict) ->
    #{wait => 60, hold => 2, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => Strict}.

request(Rid) -> request(Rid, key).
request(Rid, Key) -> #{rid => Rid, key => Key, els => [{xmlel, <<"iq">>, [], []}], bytes => 50}.

next(Now, R) -> megaphone_requests:next(false, Now, {3, limits(false)}, R).
arrive(Request, Conn, R) -> megaphone_requests:arrive(Request, Conn, 900, {3, limits(false)}, R).
new(Request, Conn, R) -> {new, R1} = arrive(Request, Conn, R), R1.

%% Request 11, behind 10; which was answered where 11 is to be held. They are held for 100 ms. Connections are atoms here.
open(Events) ->
    {ok, #{rid := 10}, R} = next(0, megaphone_requests:new(request(10), a, 100, 0)),
    {[], {10, a, key}, R1} = megaphone_requests:answer(payload, R),
    lists:foldl(fun event/2, new(request(11), c, R1), Events).

event(its_turn, R) ->
    case next(400, R) of
        {ok, #{rid := 11}, R1} -> R1;
        none -> R
    end;
event(comes_again, R) ->
    case arrive(request(11), d, R) of
        answered -> R;
        {again, Older, R1} -> ?assert(lists:member(Older, [none, c])), R1
    end;
event(closed, R) ->
    megaphone_requests:closed(c, 450, R);
event(answer, R) ->
    case megaphone_requests:count_held(R) of
        0 -> R;
        1 -> {[], {11, _, key}, R1} = megaphone_requests:answer(blank, R), R1
    end;
event(session_ends, R) ->
    megaphone_requests:finish(700, R);
event(reopened, R) ->
    Conn = case arrive(request(11), x, R) of answered -> d; _ -> x end,
    megaphone_requests:reopen([{11, Conn}], 700, R).

%% By what is to be seen of it: its state, its connection, and when it is due.
state(R) ->
    Conn = case [C || C <- [c, d], megaphone_requests:is_open(C, R)] of [] -> none; [C] -> C end,
    %% At the session's end it is answered whether its turn came or not.
    case {arrive(request(11), x, R), next(0, R)} of
        {answered, none} -> answered;
        {{again, _, _}, {ok, #{rid := 11}, _}} -> ?assertEqual(none, megaphone_requests:due(R)), {waiting, Conn};
        {_, none} -> {held, Conn, megaphone_requests:due(R)}
    end.

%% As the table has it.
name(answered) -> <<"answered">>;
name({State, none}) -> <<(atom_to_binary(State))/binary, ", cut">>;
name({State, none, _}) -> name({State, none});
name(State) -> atom_to_binary(element(1, State)).

table_test_() ->
    Rows = [
        %% State, how it is reached, and what it is after the events of the table, in their order.
        {{waiting, c}, [], [{held, c, 500}, {waiting, d}, {waiting, none}, {waiting, c}, {held, c, 700}, never]},
        {{waiting, none}, [closed], [{held, none, none}, {waiting, d}, {waiting, none}, {waiting, none}, {held, none, none}, never]},
        {{held, c, 500}, [its_turn], [{held, c, 500}, {held, d, 1000}, {held, none, none}, answered, {held, c, 500}, {held, c, 500}]},
        {{held, none, none}, [its_turn, closed],
            [{held, none, none}, {held, d, 1000}, {held, none, none}, {held, none, none}, {held, none, none}, {held, none, 700}]},
        {answered, [its_turn, answer], [answered, answered, answered, answered, answered, {held, d, 700}]}
    ],
    Events = [its_turn, comes_again, closed, answer, session_ends, reopened],
    Table = megaphone_table:read(megaphone_requests),
    ?assertEqual([name(State) || {State, _, _} <- Rows], [Row || {Row, _} <- Table]),
    [
        {lists:flatten(io_lib:format("~p: ~p", [State, Event])), fun() ->
            ?assertEqual(iolist_to_binary(string:replace(atom_to_list(Event), "_", " ", all)), Column),
            case Cell of
                never -> ?assertEqual(never, Next);
                same -> ?assertEqual(name(State), name(Next));
                _ -> ?assertEqual(Cell, name(Next))
            end,
            R = open(Before),
            ?assertEqual(State, state(R)),
            Next =:= never orelse ?assertEqual(Next, state(event(Event, R)))
        end}
     || {{State, Before, After}, {_, Cells}} <- lists:zip(Rows, Table), {Event, Next, {Column, Cell}} <- lists:zip3(Events, After, Cells)
    ].

%% What is cut is answered with what is behind it.
in_rid_order_test() ->
    R = lists:foldl(fun(Rid, Acc) -> new(request(Rid), {c, Rid}, Acc) end, open([]), [14, 13, 12]),
    Held = lists:foldl(fun(Rid, Acc) -> {ok, #{rid := Rid}, Acc1} = next(Rid, Acc), Acc1 end, R, [11, 12, 13]),
    Cut = megaphone_requests:closed({c, 12}, 50, megaphone_requests:closed(c, 50, Held)),
    ?assertEqual({1, 14, 113}, {megaphone_requests:count_held(Cut), megaphone_requests:received(Cut), megaphone_requests:due(Cut)}),
    {[{11, key}, {12, key}], {13, {c, 13}, key}, Left} = megaphone_requests:answer(payload, Cut),
    ?assertEqual(0, megaphone_requests:count_held(Left)),
    ?assertMatch({ok, #{rid := 14}, _}, next(0, Left)).

%% §15: a repeat of a held one shows the key that it came with. Whoever does not is answered at the end as all others are.
with_its_key_test() ->
    {stop, wrong_key, R} = arrive(request(11, other), d, open([its_turn])),
    ?assertEqual({2, true}, {megaphone_requests:count_held(R), megaphone_requests:is_open(d, R)}),
    ?assertEqual(answered, arrive(request(10, other), d, open([]))).

%% §14.2, §11: the window ends `requests' behind what came, and one more may be open to pause or to end.
window_test_() ->
    Two = new(request(12), d, open([its_turn])),
    Arrive = fun(Request, Strict, R) -> element(1, megaphone_requests:arrive(Request, e, 0, {2, limits(Strict)}, R)) end,
    Stops = fun(Request, Strict, R) -> {stop, Reason, _} = megaphone_requests:arrive(Request, e, 0, {2, limits(Strict)}, R), Reason end,
    End = (request(13))#{terminate => true},
    [
        ?_assertEqual(new, Arrive(request(14), false, Two)),
        ?_assertEqual(rid_beyond_window, Stops(request(15), false, Two)),
        ?_assertEqual(new, Arrive((request(15))#{pause => 1}, false, Two)),
        ?_assertEqual(too_many_requests, Stops(request(13), true, Two)),
        ?_assertEqual(new, Arrive(request(13), false, Two)),
        ?_assertEqual(new, Arrive(End, true, Two)),
        %% What overtakes others is counted once they came.
        ?_assertEqual(new, Arrive(request(14), true, Two))
    ].

kinds_test() ->
    R = new(request(13), d, open([])),
    Kinds = [megaphone_requests:kind(Rid, R) || Rid <- [9, 10, 11, 12, 13, 14]],
    ?assertEqual([repeat, repeat, repeat, next, repeat, overtaking], Kinds),
    ?assertEqual([11, 13], [megaphone_requests:received(S) || S <- [R, new(request(12), e, R)]]).

answered_in_vain_test() ->
    R = megaphone_requests:reopen([{9, x}, {10, y}], 3, open([its_turn])),
    ?assertEqual({3, 3}, {megaphone_requests:count_held(R), megaphone_requests:due(R)}),
    ?assertMatch({[], {9, x, none}, _}, megaphone_requests:answer(blank, R)).
