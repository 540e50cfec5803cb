%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Rules of XEP-0124 that a conforming client on a bad network (prop_megaphone_bosh) does not reach.
-module(megaphone_bosh_tests).

-include_lib("eunit/include/eunit.hrl").

limits() -> #{wait => 60, hold => 1, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => false}.
-define(EMPTY, <<"<body xmlns='http://jabber.org/protocol/httpbind'/>">>).

%% Connections are numbers here: they are only ever passed through.

session(Attributes) -> session(Attributes, limits()).

session(Attributes, Limits) ->
    Request = maps:merge(#{rid => 100, els => [], to => <<"h">>, ver => {1, 6}, hold => 1, wait => 60}, Attributes),
    {_, B1} = ask(megaphone_bosh:new(Request, 1, 0, {<<"sid">>, Limits}), 0),
    B1.

strict(Attributes) -> session(Attributes, (limits())#{strict := true}).

request(Rid, Conn, Now, Bosh) -> request(Rid, Conn, Now, #{}, Bosh).

request(Rid, Conn, Now, Attributes, Bosh) ->
    case arrive(Rid, Conn, Now, Attributes, Bosh) of
        {Answers, Bosh1} ->
            case ask(Bosh1, Now) of
                {More, Bosh2} -> {Answers ++ More, Bosh2};
                Stop -> Stop
            end;
        Stop ->
            Stop
    end.

arrive(Rid, Conn, Now, Attributes, Bosh) ->
    outcome(megaphone_bosh:arrive(maps:merge(#{rid => Rid, els => []}, Attributes), Conn, Now, Bosh)).

ask(Bosh, Now) ->
    case megaphone_bosh:next(Now, Bosh) of
        {[{deliver, _}], Bosh1} -> ask(Bosh1, Now);
        {[], _} -> flush(Now, Bosh);
        {[{stop, Reason}], Bosh1} -> {stop, Reason, Bosh1}
    end.

flush(Now, Bosh) -> outcome(megaphone_bosh:flush(false, Now, Bosh)).

%% The answers, or why the session is to end.
outcome({Effects, Bosh}) ->
    case [Reason || {stop, Reason} <- Effects] of
        [] -> {[Answer || {answer, Answer} <- Effects], Bosh};
        [Reason] -> {stop, Reason, Bosh}
    end.

closed(Conn, Now, Bosh) ->
    {_, Bosh1} = megaphone_bosh:closed(Conn, Now, Bosh),
    Bosh1.

%% With the answers that are the last.
finish(Condition, Now, Bosh) ->
    {Effects, Owed, Ended} = megaphone_bosh:finish(Condition, [], Now, Bosh),
    {[Answer || {last, Answer} <- Effects], Owed, Ended}.

data() -> #{els => [{xmlel, <<"iq">>, [], []}]}.

stanza(Bosh) -> stanza(none, Bosh).

stanza(Owed, Bosh) -> stanza(<<"<iq/>">>, Owed, stanza, 0, Bosh).

stanza(Text, Owed, Kind, Now, Bosh) ->
    {ok, Bosh1} = enqueue({Text, Owed}, Kind, Now, Bosh),
    Bosh1.

enqueue(Item, Kind, Now, Bosh) ->
    case outcome(megaphone_bosh:enqueue(Item, Kind, Now, Bosh)) of
        {[], Bosh1} -> {ok, Bosh1};
        Stop -> Stop
    end.

owed(Bosh) ->
    {_, Owed, _} = finish(<<"system-shutdown">>, 0, Bosh),
    Owed.

creation_answer_test() ->
    Request = #{rid => 100, els => [], to => <<"h">>, ver => {1, 20}, hold => 5, wait => 600, ack => 1},
    {[{100, 1, 200, Body}], _} = ask(megaphone_bosh:new(Request, 1, 0, {<<"sid">>, limits()}), 0),
    {xmlel, _, Attrs, []} = fxml_stream:parse_element(Body),
    [
        ?assertEqual({Name, Value}, lists:keyfind(Name, 1, Attrs))
     || {Name, Value} <- [
            {<<"sid">>, <<"sid">>},
            {<<"wait">>, <<"60">>},
            {<<"hold">>, <<"1">>},
            {<<"requests">>, <<"2">>},
            {<<"inactivity">>, <<"30">>},
            {<<"polling">>, <<"5">>},
            {<<"maxpause">>, <<"120">>},
            {<<"ver">>, <<"1.11">>},
            {<<"ack">>, <<"100">>},
            {<<"from">>, <<"h">>},
            {<<"xmpp:version">>, <<"1.0">>},
            {<<"xmpp:restartlogic">>, <<"true">>}
        ]
    ].

%% Or it could not come back.
a_creation_that_pauses_is_told_its_sid_test() ->
    Request = #{rid => 100, els => [], to => <<"h">>, ver => {1, 11}, hold => 1, wait => 60, pause => 10},
    {[{100, 1, 200, Body}], _} = ask(megaphone_bosh:new(Request, 1, 0, {<<"sid">>, limits()}), 0),
    {xmlel, _, Attrs, []} = fxml_stream:parse_element(Body),
    ?assertEqual({<<"sid">>, <<"sid">>}, lists:keyfind(<<"sid">>, 1, Attrs)).

held_until_wait_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    ?assertEqual(60000, megaphone_bosh:deadline(B)),
    ?assertMatch({[], _}, flush(59999, B)),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, flush(60000, B)).

later_answers_do_not_repeat_creation_test() ->
    {[{101, 2, 200, Body}], _} = request(101, 2, 0, stanza(session(#{}))),
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind'><iq/></body>">>, Body).

polling_session_is_answered_at_once_test() ->
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(101, 2, 0, session(#{hold => 0}))),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(101, 2, 0, session(#{wait => 0}))).

strictly_polling_too_fast_test() ->
    {[_], B} = request(101, 2, 0, strict(#{hold => 0})),
    ?assertMatch({stop, too_frequent, _}, request(102, 3, 4999, B)),
    ?assertMatch({[_], _}, request(102, 3, 5000, B)),
    %% After an answer with payload it may ask again at once.
    {[_], B1} = request(101, 2, 0, stanza(strict(#{hold => 0}))),
    ?assertMatch({[_], _}, request(102, 3, 1, B1)).

%% Each waits for its time, unless there is something for it.
polling_too_fast_test_() ->
    [
        fun() ->
            {[_], B} = request(101, 2, 0, session(Polling)),
            {[], B1} = request(102, 3, 1000, B),
            ?assertEqual(5000, megaphone_bosh:deadline(B1)),
            ?assertMatch({[{102, 3, 200, _}], _}, flush(1000, stanza(B1))),
            {[{102, 3, 200, ?EMPTY}], B2} = flush(5000, B1),
            {[], B3} = request(103, 4, 5001, B2),
            ?assertEqual(10000, megaphone_bosh:deadline(B3)),
            %% Also on another connection.
            {[{103, 4, 200, ?EMPTY}], B4} = request(103, 5, 6000, B3),
            ?assertEqual(10000, megaphone_bosh:deadline(B4)),
            ?assertMatch({[{103, 5, 200, ?EMPTY}], _}, flush(10000, B4))
        end
     || Polling <- [#{hold => 0}, #{wait => 0}]
    ].

strictly_empty_request_on_top_of_a_held_one_test() ->
    {[], B} = request(101, 2, 0, strict(#{})),
    ?assertMatch({stop, too_frequent, _}, request(102, 3, 100, B)),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(102, 3, 5000, B)),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(102, 3, 100, data(), B)).

empty_request_on_top_of_a_held_one_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(102, 3, 100, B)).

strictly_too_many_at_once_test() ->
    {[], B} = request(101, 2, 0, strict(#{})),
    {[], B1} = arrive(103, 4, 0, #{}, B),
    Arrive = fun(Attributes) -> arrive(102, 3, 0, Attributes, B1) end,
    ?assertMatch({stop, too_many_requests, _}, Arrive(data())),
    ?assertMatch({[], _}, Arrive(#{terminate => true})),
    ?assertMatch({[], _}, Arrive(#{pause => 10})).

too_many_at_once_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[], B1} = arrive(103, 4, 0, #{}, B),
    ?assertMatch({[{101, 2, 200, ?EMPTY}, {102, 3, 200, ?EMPTY}], _}, request(102, 3, 0, data(), B1)).

%% Requests on top of a held one, so many each second: how many are answered until the session ends.
early(PerSecond, Most) -> early(PerSecond, 101, Most, session(#{})).

early(PerSecond, Rid, Most, B) when Rid < 101 + Most ->
    case request(Rid, Rid, (Rid - 101) * 1000 div PerSecond, B) of
        {_, B1} -> early(PerSecond, Rid + 1, Most, B1);
        {stop, too_frequent, _} -> Rid - 101
    end;
early(_, _, Most, _) ->
    Most.

only_a_flood_ends_a_session_test() ->
    %% Ten times what `polling' allows may go on for ever.
    ?assertEqual(5000, early(2, 5000)),
    ?assert(early(4, 5000) > 150),
    ?assert(early(1000, 5000) < 105).

%% §11: what was not advertised is not enforced.
nothing_is_too_fast_without_polling_test() ->
    B = session(#{hold => 0}, (limits())#{polling := 0, strict := true}),
    lists:foldl(fun(Rid, B1) -> {[_], B2} = request(Rid, Rid, 0, B1), B2 end, B, lists:seq(101, 1000)).

beyond_the_window_test() ->
    ?assertMatch({[], _}, request(102, 2, 0, session(#{}))),
    ?assertMatch({stop, rid_beyond_window, _}, request(103, 2, 0, session(#{}))).

overtaking_test() ->
    {[], B} = request(102, 3, 0, data(), session(#{})),
    ?assertMatch({[{101, 2, 200, ?EMPTY}], _}, request(101, 2, 0, data(), B)).

duplicated_future_rid_test() ->
    {[], B} = request(102, 3, 0, data(), session(#{})),
    ?assertMatch({[{102, 3, 200, ?EMPTY}], _}, request(102, 4, 0, data(), B)).

repeat_of_answered_gets_the_same_bytes_test() ->
    {[{101, 2, 200, Body}], B} = request(101, 2, 0, stanza(session(#{}))),
    ?assertMatch({[{101, 3, 200, Body}], _}, request(101, 3, 1, B)),
    {[{101, 3, 200, Body}], B1} = request(101, 3, 1, B),
    ?assertMatch({[{101, 4, 200, Body}], _}, request(101, 4, 2, B1)).

repeat_of_held_replaces_the_connection_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[{101, 2, 200, ?EMPTY}], B1} = request(101, 3, 10, B),
    ?assertMatch({[{101, 3, 200, _}], _}, flush(11, stanza(B1))).

too_old_a_repeat_test() ->
    ?assert(is_stale(99, 2, session(#{}))).

is_stale(Rid, Conn, Bosh) ->
    {_, Body} = megaphone_condition:failure(false, <<"item-not-found">>),
    {[{refuse, Conn, 200, Body}], Bosh} =:= megaphone_bosh:arrive(#{rid => Rid, els => []}, Conn, 0, Bosh).

acknowledged_answers_are_dropped_test() ->
    {[_], B} = request(101, 2, 0, stanza(session(#{ack => 1}))),
    {[], B1} = request(102, 3, 0, B),
    ?assert(is_stale(101, 4, B1)).

lagging_ack_gets_a_report_test() ->
    {[{101, 2, 200, Missed}], B} = request(101, 2, 0, stanza(session(#{ack => 1}))),
    {[{102, 3, 200, Report}], B1} = request(102, 3, 852, #{ack => 100}, B),
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind' report='101' time='852'/>">>, Report),
    ?assertMatch({[{101, 4, 200, Missed}], _}, request(101, 4, 900, B1)).

request_acknowledgement_test() ->
    {[], B} = request(101, 2, 0, session(#{ack => 1})),
    {[{101, 2, 200, Body}], _} = request(102, 3, 10, data(), B),
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind' ack='102'/>">>, Body).

pause_answers_all_without_payload_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    Silent = lost(100, B),
    {Answers, B1} = request(102, 3, 1000, #{pause => 100}, Silent),
    ?assertEqual([{101, 2, 200, ?EMPTY}, {102, 3, 200, ?EMPTY}], Answers),
    ?assertEqual(101000, megaphone_bosh:deadline(B1)),
    %% What comes in the pause waits; the next request brings the normal timer back.
    {[], B2} = flush(2000, stanza(B1)),
    {[{103, 4, 200, _}], B3} = request(103, 4, 50000, B2),
    ?assertEqual(80000, megaphone_bosh:deadline(B3)).

too_long_a_pause_test() ->
    ?assertMatch({stop, pause_too_long, _}, request(101, 2, 0, #{pause => 121}, session(#{}))).

inactivity_test() ->
    B = session(#{}),
    ?assertNot(megaphone_bosh:is_expired(29999, B)),
    ?assert(megaphone_bosh:is_expired(30000, B)),
    {[], B1} = request(101, 2, 0, B),
    ?assertNot(megaphone_bosh:is_expired(59000, B1)),
    B2 = closed(2, 20000, B1),
    ?assertNot(megaphone_bosh:is_expired(49999, B2)),
    ?assert(megaphone_bosh:is_expired(50000, B2)).

terminate_answers_the_held_and_the_last_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[], B1} = arrive(102, 3, 0, #{terminate => true}, B),
    {[{deliver, #{rid := 102}}], B2} = megaphone_bosh:next(0, B1),
    ?assertMatch(#{terminating := true}, megaphone_bosh:info(B2)),
    {Answers, [], Ended} = finish(client, 0, B2),
    Terminated = <<"<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>">>,
    ?assertEqual([{101, 2, 200, ?EMPTY}, {102, 3, 200, Terminated}], Answers),
    ?assertMatch(#{kept := [{102, 200, Terminated} | _]}, Ended).

what_comes_behind_a_terminate_does_not_take_it_back_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[], B1} = arrive(102, 3, 0, #{terminate => true}, B),
    {[], B2} = arrive(103, 4, 0, #{}, B1),
    {[{deliver, #{rid := 102}}], B3} = megaphone_bosh:next(0, B2),
    {[{deliver, #{rid := 103}}], B4} = megaphone_bosh:next(0, B3),
    ?assertMatch(#{terminating := true}, megaphone_bosh:info(B4)).

end_with_nothing_open_is_kept_for_the_next_request_test() ->
    {[], [], Ended} = finish(<<"remote-stream-error">>, 0, stanza(session(#{}))),
    ?assertEqual(
        {200, <<"<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='remote-stream-error'/>">>},
        maps:get(final, Ended)
    ).

legacy_clients_get_http_statuses_test_() ->
    Body = fun(Condition) -> megaphone_condition:failure(true, Condition) end,
    [
        ?_assertMatch({400, _}, Body(<<"bad-request">>)),
        ?_assertMatch({403, _}, Body(<<"policy-violation">>)),
        ?_assertMatch({404, _}, Body(<<"item-not-found">>)),
        ?_assertMatch({200, _}, Body(<<"host-unknown">>)),
        ?_assertMatch({200, _}, megaphone_condition:failure(false, <<"bad-request">>))
    ].

%% XEP-0124 §15.3: K(n) = hex(SHA-1(K(n-1))), used from the last to the first.
keys_test() ->
    [K4, K3, K2, K1] = keys(<<"seed">>, 4),
    B = session(#{newkey => K4}),
    {[], B1} = request(101, 2, 0, #{key => K3}, B),
    ?assertMatch({stop, wrong_key, _}, request(102, 3, 9000, #{key => K1}, B1)),
    ?assertMatch({stop, wrong_key, _}, request(102, 3, 9000, B1)),
    %% Repeats are checked as well.
    ?assertMatch({[_], _}, request(101, 3, 9000, #{key => K3}, B1)),
    ?assertMatch({stop, wrong_key, _}, request(101, 3, 9000, #{key => K2}, B1)),
    %% A new sequence (§15.5).
    [N2, N1] = keys(<<"other">>, 2),
    {_, B2} = request(102, 3, 9000, #{key => K2, newkey => N2}, B1),
    ?assertMatch({[_], _}, request(103, 4, 18000, #{key => N1}, B2)).

keys(Seed, N) ->
    lists:foldl(fun(_, Acc) -> [sha1(case Acc of [] -> Seed; [Last | _] -> Last end) | Acc] end, [], lists:seq(1, N)).

sha1(Bytes) ->
    list_to_binary(string:lowercase([io_lib:format("~2.16.0b", [B]) || <<B>> <= crypto:hash(sha, Bytes)])).

%% The limit of the queue is 1000 bytes here; 30 s without a fetch are too long.
many(N, Bytes, Now, Bosh) -> many(N, Bytes, Now, none, Bosh).

many(N, Bytes, Now, Owed, Bosh) ->
    lists:foldl(
        fun(_, B) ->
            {ok, B1} = enqueue({binary:copy(<<"x">>, Bytes), Owed}, stanza, Now, B),
            B1
        end,
        Bosh,
        lists:seq(1, N)
    ).

a_client_that_does_not_fetch_test() ->
    B = many(1, 1000, 0, session(#{})),
    ?assertMatch({ok, _}, enqueue({<<"x">>, none}, stanza, 29999, B)),
    ?assertMatch({stop, too_much_queued, _}, enqueue({<<"x">>, none}, stanza, 30000, B)),
    %% Whatever it does: what takes 64 times the limit is all, or 1 MB where that is more.
    Most = many(1040, 1000 - 120, 0, B),
    ?assertMatch({stop, too_much_queued, _}, enqueue({binary:copy(<<"x">>, 10000), none}, stanza, 0, Most)).

%% Small elements take many times their text: what counts is the memory.
what_waits_is_bounded_by_what_it_takes_test() ->
    Small = {xmlel, <<"a">>, [], lists:duplicate(1000, {xmlel, <<"b">>, [], []})},
    Fill = fun F(B) ->
        case enqueue({binary:copy(<<"x">>, 4000), {1, {message, binary_to_term(term_to_binary(Small))}}}, stanza, 0, B) of
            {ok, B1} -> F(B1);
            {stop, too_much_queued, B1} -> B1
        end
    end,
    erlang:garbage_collect(),
    {memory, Before} = process_info(self(), memory),
    Full = Fill(session(#{})),
    erlang:garbage_collect(),
    {memory, After} = process_info(self(), memory),
    %% A heap has room to grow.
    ?assert(After - Before < 3 * 1048576, {After - Before}),
    ?assert(length(owed(Full)) > 5).

a_client_that_fetches_slowly_test() ->
    B = many(20, 1000, 0, session(#{})),
    {[{101, 2, 200, _}], B1} = request(101, 2, 29000, B),
    {ok, B2} = enqueue({<<"x">>, none}, stanza, 58999, B1),
    ?assertMatch({stop, too_much_queued, _}, enqueue({<<"x">>, none}, stanza, 59000, B2)).

%% A request that is repeated late is due later than the one behind it, which may not wait for that.
what_is_due_first_takes_those_before_it_along_test() ->
    Limits = (limits())#{hold := 2},
    B = session(#{hold => 2}, Limits),
    {[], B1} = request(101, 2, 1000, B),
    {[], B2} = request(102, 3, 2000, B1),
    {[], B3} = request(101, 4, 30100, closed(2, 30000, B2)),
    ?assertEqual(62000, megaphone_bosh:deadline(B3)),
    {[{101, 4, 200, ?EMPTY}, {102, 3, 200, ?EMPTY}], B4} = flush(62000, B3),
    ?assertEqual(92000, megaphone_bosh:deadline(B4)).

%% While what it sent goes on by itself, it is answered when it must be.
one_whose_requests_go_on_is_not_answered_yet_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[], B1} = arrive(102, 3, 10, #{}, stanza(B)),
    {[{deliver, _}], B2} = megaphone_bosh:next(10, B1),
    {[], B3} = megaphone_bosh:flush(true, 10, B2),
    ?assertEqual(60000, megaphone_bosh:deadline(B3)),
    ?assertMatch({[{answer, {101, 2, 200, _}}], _}, megaphone_bosh:flush(true, 60000, B3)),
    ?assertMatch({[{101, 2, 200, _}], _}, flush(10, B3)).

%% A client that reads answers as they come gets no later payload before one that did not reach it.
no_payload_overtakes_a_lost_one_test() ->
    {[{101, 2, 200, First}], B} = request(101, 2, 0, stanza(session(#{}))),
    {[], B1} = request(102, 3, 10, data(), stanza(lost(101, B))),
    {[{101, 4, 200, First}, {102, 3, 200, _}], _} = request(101, 4, 20, B1).

%% The gateway is there, but for a while it does not read.
unsent() ->
    {[Answer], B} = request(101, 2, 0, stanza(session(#{}))),
    {Answer, unsent(Answer, 0, B)}.

unsent({Rid, Conn, _, _}, Now, Bosh) -> megaphone_bosh:undelivered({busy, Rid, Conn}, Now, Bosh).

lost(Rid, Bosh) -> megaphone_bosh:undelivered({gone, Rid, none}, 0, Bosh).

%% Not even when to try again, which would have each later event search for what waits.
of_an_answer_that_left_at_last_nothing_stays_test() ->
    {_, B} = unsent(),
    {[_], Left} = flush(50, B),
    {[], Later} = flush(150, Left),
    ?assert(erts_debug:flat_size(Later) < erts_debug:flat_size(Left)).

unsent_answer_is_given_again_after_pauses_that_double_test() ->
    {Answer, B} = unsent(),
    ?assertEqual(50, megaphone_bosh:deadline(B)),
    {[], B1} = flush(49, stanza(B)),
    {[Answer], B2} = flush(50, B1),
    B3 = unsent(Answer, 50, B2),
    ?assertEqual(150, megaphone_bosh:deadline(B3)),
    ?assertNot(megaphone_bosh:is_expired(1000000, B3)),
    {[Answer], B4} = flush(150, B3),
    ?assertEqual(30150, megaphone_bosh:deadline(B4)),
    {[], _} = flush(1000, B4).

unsent_answer_goes_to_the_repeat_instead_test() ->
    {{101, 2, 200, Body}, B} = unsent(),
    {[{101, 3, 200, Body}], B1} = request(101, 3, 10, B),
    ?assertMatch({[], _}, flush(50, B1)).

unsent_answer_waits_for_the_repeat_of_a_cut_request_test() ->
    {{101, 2, 200, Body}, B} = unsent(),
    {[], B1} = flush(50, closed(2, 10, B)),
    ?assertMatch({[{101, 3, 200, Body}], _}, request(101, 3, 60, B1)).

unsent_answer_is_among_the_last_unless_it_is_handed_back_test() ->
    {{101, 2, 200, Body} = Answer, B} = unsent(),
    {[Answer], _, _} = finish(client, 10, B),
    {[{101, 2, 200, End}], [], _} = finish(<<"system-shutdown">>, 10, B),
    ?assertNotEqual(Body, End).

%% The link to the gateway broke, and what was on it may be lost.
asked_for_a_request_that_is_open_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    ?assertEqual({[], B}, megaphone_bosh:asked(101, 2, 10, B)),
    {[], B1} = arrive(102, 3, 0, #{}, B),
    ?assertEqual({[], B1}, megaphone_bosh:asked(102, 3, 10, B1)),
    {_, B2} = unsent(),
    ?assertEqual({[], B2}, megaphone_bosh:asked(101, 2, 10, B2)).

asked_for_an_answered_request_test() ->
    {[{101, 2, 200, Body}], B} = request(101, 2, 0, stanza(session(#{}))),
    ?assertMatch({[{answer, {101, 2, 200, Body}}], _}, megaphone_bosh:asked(101, 2, 10, B)),
    %% One that is known not to have left us holds up no other any more.
    {[{answer, _}], B1} = megaphone_bosh:asked(101, 2, 10, lost(101, B)),
    ?assertMatch({[{102, 3, 200, _}], _}, request(102, 3, 20, data(), stanza(B1))).

asked_for_a_request_that_nothing_is_known_of_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    %% It never came.
    ?assertEqual({[{repeat, 3}], B}, megaphone_bosh:asked(102, 3, 10, B)),
    %% The client has repeated it on another connection, or had done so before: which is the newer one?
    ?assertEqual({[{repeat, 3}], B}, megaphone_bosh:asked(101, 3, 10, B)).

the_answer_to_a_request_with_a_key_is_not_told_without_it_test() ->
    [K2, K1] = keys(<<"seed">>, 2),
    {[_], B} = request(101, 2, 0, #{key => K1}, stanza(session(#{newkey => K2}))),
    ?assertEqual({[{repeat, 2}], B}, megaphone_bosh:asked(101, 2, 10, B)).

sent_again_by_the_gateway_on_the_same_connection_test() ->
    {[], B} = request(101, 2, 0, session(#{})),
    {[], B1} = request(101, 2, 10, B),
    ?assertMatch({[{101, 2, 200, _}], _}, flush(20, stanza(B1))),
    {[], Overtaking} = request(102, 3, 0, data(), session(#{})),
    ?assertMatch({[], _}, request(102, 3, 10, data(), Overtaking)).

what_the_client_may_not_have_is_owed_test() ->
    {[{101, 2, 200, _}], B} = request(101, 2, 7, stanza({5, first}, session(#{}))),
    ?assertEqual([{5, first}], owed(B)),
    ?assertEqual([{5, first}, {6, second}], owed(stanza({6, second}, stanza(B)))),
    %% An empty request of a client with one request open says that it has all before.
    {[], B1} = request(102, 3, 9000, B),
    ?assertEqual([], owed(B1)).

%% One that has something to say may have one more request open; so all answers before that arrived.
requests_prove_what_came_before_the_window_test() ->
    {[_], B1} = request(101, 2, 0, stanza({1, first}, session(#{}, maps:put(queue, 100000, limits())))),
    {[], B2} = request(102, 3, 1, data(), B1),
    ?assertEqual([{1, first}], owed(B2)),
    {[_], B3} = flush(2, stanza({2, second}, B2)),
    {[], B4} = request(103, 4, 3, data(), B3),
    ?assertEqual([{2, second}], owed(B4)).

%% §11: one more may be open with a pause, or with the end.
pause_proves_one_less_test() ->
    {[_], B1} = request(101, 2, 0, stanza({1, first}, session(#{}))),
    {[], B2} = request(102, 3, 1, data(), B1),
    {_, B3} = request(103, 4, 2, #{pause => 10}, B2),
    ?assertEqual([{1, first}], owed(B3)).

%% Some clients keep as many requests open as they may: their empty ones say nothing of those before.
empty_request_beside_a_held_one_proves_nothing_of_it_test() ->
    {[], B1} = request(101, 2, 0, session(#{})),
    {[_], B2} = request(102, 3, 9000, stanza({1, first}, B1)),
    ?assertEqual([{1, first}], owed(B2)).

%% It asks for what it has not, though its request says the contrary.
known_loss_outweighs_a_proof_test() ->
    {[_], B1} = request(101, 2, 0, stanza({1, first}, session(#{}))),
    B2 = lost(101, B1),
    {[], B3} = request(102, 3, 9000, B2),
    ?assertEqual([{1, first}], owed(B3)),
    Later = lists:foldl(
        fun(Rid, B) ->
            {_, Next} = request(Rid, Rid, 9000 * Rid, data(), B),
            Next
        end,
        B3,
        lists:seq(103, 120)
    ),
    ?assertEqual([{1, first}], owed(Later)),
    ?assertMatch({[{101, 200, 200, _} | _], _}, request(101, 200, 9000 * 200, Later)).

proof_lets_stanzas_go_test() ->
    Large = list_to_tuple(lists:seq(1, 1000)),
    {[_], B1} = request(101, 2, 0, stanza({1, Large}, session(#{}))),
    ?assert(erts_debug:flat_size(B1) > 1000),
    {[], B2} = request(102, 3, 9000, B1),
    ?assert(erts_debug:flat_size(B2) < 300).

%% A client that does not acknowledge gets no more, however often it asks, and is not kept waiting.
unacknowledged_bytes_are_bounded_test() ->
    Ask = fun(Rid, Attributes, {Before, B}) ->
        {ok, B1} = enqueue({binary:copy(<<"x">>, 400), none}, stanza, 9000 * Rid, B),
        {Answers, B2} = request(Rid, Rid, 9000 * Rid, Attributes, B1),
        {Before ++ [byte_size(Body) > 400 || {_, _, _, Body} <- Answers], B2}
    end,
    Start = {[], session(#{ack => 1})},
    {Got, Behind} = lists:foldl(fun(Rid, Acc) -> Ask(Rid, #{ack => 100}, Acc) end, Start, lists:seq(101, 105)),
    ?assertEqual([true, true, true, false, false], Got),
    %% Once it does, it gets on.
    {[{106, 106, 200, Body}], _} = request(106, 106, 9000 * 106, #{ack => 103}, Behind),
    ?assert(byte_size(Body) > 800).

%% Small stanzas count for what they take themselves.
unacknowledged_stanzas_are_bounded_test() ->
    Start = session(#{ack => 1}, maps:put(queue, 10000, limits())),
    Behind = lists:foldl(
        fun(Rid, B) ->
            {_, B1} = request(Rid, Rid, 9000 * Rid, #{ack => 100}, many(5, 1, 9000 * Rid, {1, small}, B)),
            B1
        end,
        Start,
        lists:seq(101, 110)
    ),
    ?assertEqual(50, length(owed(Behind))),
    %% One that says goodbye has what was in an answer, for all we know.
    {_, Left, _} = finish(client, 0, Behind),
    ?assertEqual(40, length(Left)).

%% Answers beyond the window that the standard asks for are kept as far as there is room.
extra_answers_are_kept_as_far_as_there_is_room_test() ->
    Kept = fun(Size) ->
        B = lists:foldl(
            fun(Rid, B1) ->
                {_, B2} = request(Rid, Rid, 9000 * Rid, data(), B1),
                {ok, B3} = enqueue({binary:copy(<<"x">>, Size), none}, stanza, 0, B2),
                {_, B4} = flush(9000 * Rid, B3),
                B4
            end,
            session(#{}),
            lists:seq(101, 120)
        ),
        {_, _, #{kept := Answers}} = finish(client, 0, B),
        [Rid || {Rid, _, _} <- Answers]
    end,
    ?assertEqual(lists:seq(120, 115, -1), Kept(10)),
    ?assertEqual([120, 119, 118], Kept(300)).

%% A proxy on the way cuts what is held at 30 s: after three times in a row, answers come before that.
wait_adapts_to_cuts_test() ->
    Cut = fun(Rid, Conn, At, B) ->
        {[], B1} = request(Rid, Conn, At, B),
        closed(Conn, At + 30000 + Rid, B1)
    end,
    B3 = lists:foldl(fun({N, Conn}, B) -> Cut(101, Conn, N * 40000, B) end, session(#{}), [{0, 2}, {1, 3}, {2, 4}]),
    {[], B4} = request(101, 5, 200000, B3),
    ?assertMatch({[{101, 5, 200, ?EMPTY}], _}, flush(229000, B4)),
    %% Cuts at any age are the network's doing.
    Random = lists:foldl(
        fun({Conn, Age}, B) ->
            {[], B1} = request(101, Conn, 0, B),
            closed(Conn, Age, B1)
        end,
        session(#{}),
        [{2, 30000}, {3, 7000}, {4, 55000}, {5, 20000}]
    ),
    {[], Held} = request(101, 6, 300000, Random),
    ?assertEqual(360000, megaphone_bosh:deadline(Held)).

presence_waits_for_more_but_overtakes_nothing_test() ->
    Limits = maps:put(group, 500, limits()),
    Request = #{rid => 100, els => [], to => <<"h">>, ver => {1, 6}, hold => 1, wait => 60},
    {_, B} = ask(megaphone_bosh:new(Request, 1, 0, {<<"sid">>, Limits}), 0),
    {[], B1} = request(101, 2, 0, B),
    {ok, B2} = enqueue({<<"<presence/>">>, none}, presence, 1000, B1),
    {ok, B3} = enqueue({<<"<presence/>">>, none}, presence, 1400, B2),
    ?assertEqual(1500, megaphone_bosh:deadline(B3)),
    ?assertMatch({[], _}, flush(1499, B3)),
    {[{101, 2, 200, Both}], _} = flush(1500, B3),
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind'><presence/><presence/></body>">>, Both),
    {ok, B4} = enqueue({<<"<message/>">>, none}, stanza, 1400, B2),
    {[{101, 2, 200, Together}], _} = flush(1400, B4),
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind'><presence/><message/></body>">>, Together).

%%% Two gateways

%% Two payloads that leave over two gateways do not change places on their way; over one they leave as they come.
apart_test() ->
    Second = fun(Gateway) ->
        {[], B1} = request(101, conn(<<"a@h">>), 0, session(#{})),
        {[{101, _, 200, _}], B2} = flush(0, stanza(B1)),
        {[], B3} = request(102, conn(Gateway), 1, B2),
        stanza(B3)
    end,
    {[{102, _, 200, _}], _} = flush(1, Second(<<"a@h">>)),
    B = Second(<<"b@h">>),
    {[], _} = flush(1, B),
    50 = megaphone_bosh:deadline(B),
    {[{102, _, 200, _}], _} = flush(50, B),
    %% It has both open that it may have: so it has the answer to the one before.
    {[{102, _, 200, _} | _], _} = request(103, conn(<<"a@h">>), 2, data(), B).

%% With nothing to say there is no order to keep.
blank_is_not_apart_test() ->
    {[], B1} = request(101, conn(<<"a@h">>), 0, session(#{})),
    {[_], B2} = flush(0, stanza(B1)),
    {[], B3} = request(102, conn(<<"b@h">>), 1, B2),
    {[{102, _, 200, ?EMPTY}], _} = request(103, conn(<<"a@h">>), 2, data(), B3).

conn(Gateway) -> binary_to_term(<<131, 88, 119, (byte_size(Gateway)), Gateway/binary, 1:32, 1:32, 1:32>>).
