%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What requests brought goes to the stream one by one, and only as far as there is room.
-module(megaphone_pending_tests).

-include_lib("eunit/include/eunit.hrl").

el(Name) -> el(Name, []).
el(Name, Attrs) -> {xmlstreamelement, {xmlel, Name, Attrs, []}}.

leave(Bytes, Events, Pending) ->
    {ok, Pending1} = megaphone_pending:leave(Bytes, Events, Pending),
    Pending1.

all(Flow, Pending) ->
    case megaphone_pending:take(Flow, Pending) of
        none -> [];
        {Event, Pending1} -> [Event | all(Flow, Pending1)]
    end.

in_order_one_by_one_test() ->
    P = leave(10, [a, b], leave(10, [], leave(10, [c, d], megaphone_pending:new()))),
    ?assertEqual([c, d, a, b], all(open, P)),
    ?assertEqual([], all(full, P)),
    ?assert(megaphone_pending:is_empty(leave(10, [], megaphone_pending:new()))).

%% Who sends on and on while its queue is full is heard where that brings nothing back.
what_brings_nothing_back_goes_on_where_much_waits_test() ->
    Message = el(<<"message">>),
    Requests = lists:duplicate(3, [Message, Message]),
    P = lists:foldl(fun(Events, Acc) -> leave(100000, Events, Acc) end, megaphone_pending:new(), Requests),
    ?assertEqual([Message, Message], all(full, P)),
    ?assertEqual([], all(full, leave(300000, [el(<<"iq">>), Message], megaphone_pending:new()))).

%% Three requests of any size are no flood.
flood_test() ->
    Leave = fun(Bytes) -> fun(_, {ok, P}) -> megaphone_pending:leave(Bytes, [el(<<"iq">>)], P); (_, flood) -> flood end end,
    After = fun(N, Bytes) -> lists:foldl(Leave(Bytes), {ok, megaphone_pending:new()}, lists:seq(1, N)) end,
    ?assertMatch({ok, _}, After(3, 10000000)),
    ?assertMatch({ok, _}, After(4, 262144)),
    ?assertEqual(flood, After(5, 262144)),
    ?assertMatch({ok, _}, After(100, 5000)),
    ?assertEqual(flood, After(110, 5000)).

%% What went to the stream does not count.
what_is_gone_is_no_flood_test() ->
    lists:foldl(
        fun(_, P) ->
            {_, P1} = megaphone_pending:take(open, leave(262144, [el(<<"iq">>), el(<<"iq">>)], P)),
            {_, P2} = megaphone_pending:take(open, P1),
            P2
        end,
        leave(262144, [el(<<"iq">>)], megaphone_pending:new()),
        lists:seq(1, 20)
    ).

an_end_test() ->
    Presence = el(<<"presence">>),
    End = {xmlstreamend, <<"stream:stream">>},
    P = leave(10, [Presence, el(<<"iq">>), End], leave(10, [el(<<"iq">>), el(<<"message">>)], megaphone_pending:new())),
    ?assertEqual([el(<<"message">>), Presence, End], all(leaving, P)),
    ?assertEqual([el(<<"message">>), Presence], megaphone_pending:last_words(P)),
    ?assertEqual([], megaphone_pending:last_words(megaphone_pending:new())).

what_changes_nothing_of_the_stream_test() ->
    Stateless = [el(<<"message">>), el(<<"presence">>, [{<<"type">>, <<"subscribe">>}])],
    Others = [el(<<"presence">>), el(<<"presence">>, [{<<"type">>, <<"unavailable">>}]), el(<<"iq">>), el(<<"a">>)],
    ?assertEqual(Stateless, lists:filter(fun megaphone_pending:is_stateless/1, Others ++ Stateless)).
