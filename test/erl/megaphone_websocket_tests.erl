%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_websocket, read from there, cell by cell: each state is reached by events, and known by
%%% what the module does in it. And its limits, to the byte.
-module(megaphone_websocket_tests).

-include_lib("eunit/include/eunit.hrl").

-define(NOW, 1000).

limits() -> #{queue => 300000, inactivity => 60}.

ws() ->
    ok = megaphone_chars:prepare(),
    megaphone_websocket:new(self(), 0, limits()).

item(Bytes) -> {binary:copy(<<"x">>, Bytes), none}.
owed(Bytes, Name) -> {binary:copy(<<"x">>, Bytes), {0, {Name}}}.

%% The effects of each event, and what it left.
run(Events, Ws) -> lists:mapfoldl(fun event/2, Ws, Events).

event({enqueue, Item}, Ws) -> megaphone_websocket:enqueue(Item, ?NOW, Ws);
event({read, Number}, Ws) -> megaphone_websocket:read(Number, ?NOW, Ws);
event({written, Number}, Ws) -> megaphone_websocket:written(Number, ?NOW, Ws);
event({flush, Now}, Ws) -> megaphone_websocket:flush(Now, Ws);
%% A frame for which there was no room, or no way.
event({Why, Bytes}, Ws) when Why =:= busy; Why =:= gone ->
    {Effects, Ws1} = megaphone_websocket:enqueue(item(Bytes), ?NOW, Ws),
    {[{count, stanzas_out}], Ws2} = undelivered(Why, [Frame || Frame <- Effects, element(1, Frame) =:= frame], Ws1),
    {[], Ws2};
event(closed, Ws) -> {[], megaphone_websocket:closed(Ws)};
event({came, Bytes}, Ws) -> megaphone_websocket:came(Bytes, ?NOW, Ws);
%% All but so many, of so many bytes each; as the session's process asks.
event({took, Bytes, Waiting}, Ws) ->
    case megaphone_websocket:ahead(Ws) of
        none -> {[], Ws};
        {Frames, All} -> megaphone_websocket:took(Frames - Waiting, All - Waiting * Bytes, Ws)
    end.

undelivered(Why, Frames, Ws) ->
    {Effects, Ws1} = megaphone_websocket:undelivered(Why, Frames ++ [{count, stanzas_out}], ?NOW, Ws),
    {[Effect || Effect <- Effects, element(1, Effect) =/= stop], Ws1}.

after_all(Events) -> element(2, run(Events, ws())).

%% Three fill the window; what comes then waits behind them.
full() -> [{enqueue, owed(60000, a)}, {enqueue, owed(60000, b)}, {enqueue, item(20000)}, {enqueue, item(60000)}, {enqueue, item(60000)}].

reached() ->
    [
        {clear, []},
        {clear, [{enqueue, owed(60000, a)}, {enqueue, owed(60000, b)}]},
        {clear, full() ++ [{written, 3}]},
        {clear, full() ++ [{read, 3}]},
        {clear, [{busy, 10}, {flush, ?NOW + 50}]},
        {full, full()},
        {busy, [{busy, 10}]},
        {busy, [{enqueue, owed(60000, a)}, {enqueue, owed(60000, b)}, {busy, 10}]},
        {busy, [{busy, 10}, {enqueue, item(20000)}]},
        {gone, [closed]},
        {gone, [{gone, 10}]},
        {gone, full() ++ [closed]}
    ].

%% By what is to be seen of it: what is due, and whether a small frame leaves.
state(Ws) ->
    {Effects, _} = megaphone_websocket:enqueue(item(1), ?NOW, Ws),
    case {megaphone_websocket:due(Ws), leaves(Effects)} of
        {infinity, true} -> clear;
        {infinity, false} -> gone;
        {Due, false} when Due =< ?NOW + 5000 -> busy;
        {Due, false} when Due =:= ?NOW + 60000 -> full
    end.

leaves(Effects) -> [] =/= [Frame || Frame <- Effects, element(1, Frame) =:= frame].

happens(<<"a frame that fits">>, Ws) -> event({enqueue, item(1)}, Ws);
happens(<<"one that does not">>, Ws) ->
    {_, Ws1} = run([{enqueue, owed(50000, Name)} || Name <- [c, d, e]], Ws),
    {Effects, _} = Result = event({enqueue, item(50000)}, Ws1),
    ?assertNot(leaves(Effects)),
    Result;
happens(<<"some is written">>, Ws) -> event({written, 1}, Ws);
happens(<<"all is written">>, Ws) -> event({written, 100}, Ws);
happens(<<"no room">>, Ws) -> undelivered(busy, [{frame, self(), <<"x">>}], Ws);
happens(<<"its time came">>, Ws) -> event({flush, ?NOW + 5000}, Ws);
happens(<<"no way">>, Ws) -> undelivered(gone, [{frame, self(), <<"x">>}], Ws).

table_test_() ->
    Table = megaphone_table:read(megaphone_websocket),
    ?assertEqual(lists:usort([Row || {Row, _} <- Table]), lists:usort([atom_to_binary(State) || {State, _} <- reached()])),
    [
        {lists:flatten(io_lib:format("~p after ~P: ~ts", [State, Before, 9, Column])), fun() ->
            Ws = after_all(Before),
            ?assertEqual(State, state(Ws)),
            {Effects, After} = happens(Column, Ws),
            {Expected, Leave} = cell(Cell, State),
            ?assertEqual({Expected, Leave}, {state(After), leaves(Effects)})
        end}
     || {State, Before} <- reached(),
        {Row, Cells} <- Table,
        Row =:= atom_to_binary(State),
        {Column, Cell} <- Cells
    ].

cell(same, State) -> {State, false};
cell(Cell, _) ->
    case binary:split(Cell, <<", ">>) of
        [State, <<"leaves">>] -> {binary_to_existing_atom(State), true};
        [State] -> {binary_to_existing_atom(State), false}
    end.

%%% What is asked for

frames(Effects) -> [case Frame of {frame, _, Body} -> {iolist_size(Body), none}; {frame, _, Body, N} -> {iolist_size(Body), N} end || Frame <- lists:flatten(Effects), element(1, Frame) =:= frame].

asks_for_what_is_owed_and_for_each_16384_bytes_test() ->
    {Effects, _} = run([{enqueue, I} || I <- [item(16383), item(1), item(16383), owed(5, a), item(16384), item(1)]], ws()),
    ?assertEqual([{16383, none}, {1, 2}, {16383, none}, {5, 4}, {16384, 5}, {1, none}], frames(Effects)).

%% A frame is read with all before it.
what_is_read_is_not_owed_test() ->
    Ws = after_all([{enqueue, owed(1, N)} || N <- [a, b, c, d]]),
    Owed = fun(Number) ->
        {_, Ws1} = event({read, Number}, Ws),
        {[{frame, _, _}, {frame, _, _}, {close, _, 1008, <<"policy-violation">>}], Left} =
            megaphone_websocket:finish(<<"policy-violation">>, [], ?NOW, Ws1),
        [Name || {_, {Name}} <- Left]
    end,
    ?assertEqual([[a, b, c, d], [b, c, d], [d], [], []], [Owed(N) || N <- [0, 1, 3, 4, 99]]).

as_much_as_there_is_room_for_to_the_byte_test() ->
    Fill = fun(First) -> frames(element(1, run([{enqueue, item(65536)}, {enqueue, item(First)}, {enqueue, item(1)}], ws()))) end,
    ?assertEqual([{65536, 1}, {65535, 2}, {1, none}], Fill(65535)),
    ?assertEqual([{65536, 1}, {65536, 2}], Fill(65536)).

%% One frame may go beyond what may be unwritten, however large, and nothing behind it.
one_goes_beyond_test() ->
    {Effects, _} = run([{enqueue, item(131071)}, {enqueue, item(200000)}, {enqueue, item(1)}, {written, 1}, {written, 2}], ws()),
    ?assertEqual([[{131071, 1}], [{200000, 2}], [], [], [{1, none}]], [frames(E) || E <- Effects]).

%% What its client says to prove it may stand behind what we do not take.
what_is_written_makes_room_before_it_is_read_test() ->
    {Effects, Ws} = run(full() ++ [{written, 3}], ws()),
    ?assertEqual([{60000, 4}, {60000, 5}], frames([lists:last(Effects)])),
    ?assertEqual([a, b], names(Ws)).

names(Ws) ->
    {_, Left} = megaphone_websocket:finish(<<"policy-violation">>, [], ?NOW, Ws),
    [Name || {_, {Name}} <- Left].

%% Of what is owed; and what it says is taken, for its word that it has read may stand behind that.
nothing_leaves_behind_so_much_that_is_unread_test() ->
    Written = fun(Last) -> lists:append([[{enqueue, owed(65536, N)}, {written, N}] || N <- [1, 2, 3]]) ++ [{enqueue, owed(Last, 4)}, {written, 4}] end,
    Next = fun(Events) -> frames(element(1, run([{enqueue, owed(1, 5)}], after_all(Events)))) end,
    ?assertEqual([{1, 5}], Next(Written(65535))),
    ?assertEqual([], Next(Written(65536))),
    Ws = after_all(Written(65536) ++ [{enqueue, owed(300001, 5)}]),
    ?assertEqual([1, 2, 3, 4, 5], names(Ws)),
    ?assertEqual(open, megaphone_websocket:flow(Ws)),
    {Effects, Read} = run([{written, 4}, {read, 1}], Ws),
    ?assertEqual([{300001, 5}], frames(Effects)),
    ?assertEqual([2, 3, 4, 5], names(Read)).

%%% No room

tried_again_in_order_after_pauses_that_double_test() ->
    {_, Ws} = run([{enqueue, owed(1, a)}, {busy, 2}, {enqueue, item(3)}], ws()),
    Try = fun(Pause, {Now, Busy, Waits}) ->
        ?assertEqual(Now + Pause, megaphone_websocket:due(Busy)),
        ?assertEqual({[], Busy}, event({flush, Now + Pause - 1}, Busy)),
        {Effects, Tried} = event({flush, Now + Pause}, Busy),
        ?assertEqual([{2, none}, {3, none}], frames([Effects])),
        ?assertEqual(infinity, megaphone_websocket:due(Tried)),
        {[], Again} = megaphone_websocket:undelivered(busy, Effects, Now + Pause, Tried),
        {Now + Pause, Again, Waits}
    end,
    {Now, Busy, _} = lists:foldl(Try, {?NOW, Ws, []}, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]),
    %% Once all have left, the next begins with a short pause.
    {[_, _], Left} = event({flush, Now + 5000}, Busy),
    {[], Rested} = event({flush, Now + 5001}, Left),
    {[], Next} = megaphone_websocket:undelivered(busy, [{frame, self(), <<>>}], Now + 6000, Rested),
    ?assertEqual(Now + 6050, megaphone_websocket:due(Next)).

%% What is not for the gateway is carried out all the same.
the_rest_is_left_to_do_test() ->
    Effects = [{frame, self(), <<"a">>}, {count, stanzas_out}, {taken, self(), 1}, {stop, too_much_queued}],
    {Left, Ws} = megaphone_websocket:undelivered(busy, Effects, ?NOW, ws()),
    ?assertEqual([{count, stanzas_out}, {stop, too_much_queued}], Left),
    ?assertMatch({[{frame, _, <<"a">>}, {taken, _, 1}], _}, event({flush, ?NOW + 50}, Ws)),
    ?assertMatch({[{count, _}, {stop, too_much_queued}, {stop, <<"remote-connection-failed">>}], _}, megaphone_websocket:undelivered(gone, Effects, ?NOW, ws())).

%%% The client's frames

takes(Bytes, N) -> takes(Bytes, N, 0).
takes(Bytes, N, Waiting) -> lists:append([[{came, Bytes}, {took, Bytes, min(At, Waiting)}] || At <- lists:seq(1, N)]).
effects(Events) -> lists:append(element(1, run(Events, ws()))).

says_how_far_it_took_test() ->
    ?assertEqual([], effects(takes(1023, 15))),
    ?assertEqual([{taken, self(), 16}], effects(takes(10, 16))),
    ?assertEqual([{taken, self(), 16}, {taken, self(), 32}], effects(takes(10, 40))),
    ?assertEqual([{taken, self(), 2}], effects(takes(8192, 3))),
    ?assertEqual([{taken, self(), 1}], effects(takes(16384, 1))),
    ?assertEqual([{taken, self(), 16}, {taken, self(), 32}], effects(takes(10, 36, 4))),
    ?assertEqual([{taken, self(), 2}], effects(takes(8192, 5, 2))).

beyond_the_window_is_a_flood_test() ->
    Came = fun(Sizes) -> [Reason || {stop, Reason} <- effects([{came, Size} || Size <- Sizes])] end,
    ?assertEqual([], Came(lists:duplicate(64, 1))),
    ?assertEqual([too_much_pending], Came(lists:duplicate(65, 1))),
    ?assertEqual([], Came([65535, 1000000])),
    ?assertEqual([too_much_pending], Came([65536, 1])),
    ?assertEqual([], [Stop || {stop, _} = Stop <- effects(takes(1, 1000))]).

%% Without room nothing is said of it, and then all at once.
no_room_for_what_was_taken_test() ->
    {Effects, Ws} = run([{busy, 1}] ++ takes(1, 50), ws()),
    ?assertEqual([], lists:append(Effects)),
    ?assertMatch({[[{frame, _, _}], [{taken, _, 50}]], _}, run([{flush, ?NOW + 50}, {took, 1, 0}], Ws)),
    ?assertEqual([{stop, <<"remote-connection-failed">>}], effects([closed] ++ takes(1, 50) ++ [{flush, ?NOW}])).

%%% Too much, too long

flow_test() ->
    Flow = fun(Events) -> megaphone_websocket:flow(after_all(Events)) end,
    ?assertEqual(open, Flow([])),
    ?assertEqual(open, Flow(full())),
    Much = full() ++ [{enqueue, item(180001)}],
    ?assertEqual(open, Flow(full() ++ [{enqueue, item(180000)}])),
    ?assertEqual(full, Flow(Much)),
    ?assertEqual(leaving, megaphone_websocket:flow(megaphone_websocket:closing(after_all(Much)))),
    ?assertEqual(open, Flow(Much ++ [{read, 3}, {read, 4}])).

patience_test() ->
    Ws = after_all(full() ++ [{enqueue, item(180001)}]),
    Enqueue = fun(Now) -> element(1, megaphone_websocket:enqueue(item(1), Now, Ws)) end,
    ?assertEqual([{count, stanzas_out}], Enqueue(?NOW + 59999)),
    ?assertEqual([{count, stanzas_out}, {stop, too_much_queued}], Enqueue(?NOW + 60000)),
    ?assertEqual([false, true], [megaphone_websocket:is_expired(?NOW + Ms, Ws) || Ms <- [59999, 60000]]),
    %% Who has all is patient, and who could not be sent anything, too.
    [?assertNot(megaphone_websocket:is_expired(?NOW + 1000000, after_all(Events))) || Events <- [[], [{busy, 1}], [closed]]].

%%% The end

%% It gets what there is room for, and is owed the rest.
who_says_goodbye_is_owed_only_what_there_is_no_room_for_test() ->
    Finish = fun(Events) ->
        {Effects, Owed} = megaphone_websocket:finish(client, [], ?NOW, megaphone_websocket:closing(after_all(Events))),
        {[Size || {Size, _} <- frames(Effects)], [Name || {_, {Name}} <- Owed]}
    end,
    Close = byte_size(megaphone_framing:close()),
    ?assertEqual({[Close], []}, Finish([{enqueue, owed(1, a)}])),
    ?assertEqual({[Close], [c]}, Finish(full() ++ [{enqueue, owed(1, c)}])),
    ?assertEqual({[2, 3, Close], []}, Finish([{enqueue, owed(1, a)}, {busy, 2}, {enqueue, owed(3, b)}])),
    ?assertEqual({[], [b]}, Finish([{enqueue, owed(1, a)}, {busy, 2}, {enqueue, owed(3, b)}, closed])).

nothing_is_lost_with_its_socket_test() ->
    Ws = after_all(full() ++ [{enqueue, owed(1, c)}, closed, {enqueue, owed(1, d)}]),
    {[], Owed} = megaphone_websocket:finish(<<"remote-connection-failed">>, [], ?NOW, Ws),
    ?assertEqual([a, b, c, d], [Name || {_, {Name}} <- Owed]).

%%% What it is like

info_test() ->
    ?assertEqual(#{held => 0, paused => false, terminating => false, idle_from => 0}, megaphone_websocket:info(ws())),
    Ws = megaphone_websocket:closing(after_all([{came, 1}])),
    ?assertEqual(#{held => 0, paused => false, terminating => true, idle_from => ?NOW}, megaphone_websocket:info(Ws)),
    ?assertEqual(self(), megaphone_websocket:conn(Ws)),
    ?assertEqual([false, true], [megaphone_websocket:has_sent(after_all(Events)) || Events <- [[], [{enqueue, item(1)}]]]).

%% Those of its host, once that is known.
limits_test() ->
    Ws = megaphone_websocket:limits(#{queue => 1, inactivity => 1}, after_all(full())),
    ?assertEqual({full, true}, {megaphone_websocket:flow(Ws), megaphone_websocket:is_expired(?NOW + 1000, Ws)}).

%% The limits are one term for all.
idle_is_small_test() ->
    Idle = after_all(takes(100, 20) ++ [{enqueue, owed(1000, a)}, {read, 1}]),
    ?assert(erts_debug:flat_size(Idle) - erts_debug:flat_size(limits()) =< 17).
