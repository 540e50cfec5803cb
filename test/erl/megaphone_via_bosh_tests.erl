%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the stream sent, up to its last word; and what a client's request counts as and is logged as.
-module(megaphone_via_bosh_tests).

-include_lib("eunit/include/eunit.hrl").

-export([log/2]).

-define(HOST, <<"localhost">>).
-define(SID, <<"tag.sid">>).

limits() -> #{wait => 60, hold => 1, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => false}.

body(Rid, Els) ->
    Sid = case Rid of 7 -> <<"to='localhost'">>; _ -> <<"sid='tag.sid'">> end,
    iolist_to_binary(["<body rid='", integer_to_binary(Rid), "' ", Sid, " xmlns='http://jabber.org/protocol/httpbind'>", Els, "</body>"]).

transport() -> transport(limits()).

transport(Limits) ->
    {ok, T} = new(body(7, []), infinity, Limits),
    T.

new(Body, MaxBody, Limits) ->
    ok = megaphone_stats:create(),
    ok = megaphone_chars:prepare(),
    {ok, Request} = megaphone_body:parse(Body, 100),
    megaphone_via_bosh:new(Request, {self(), Body}, MaxBody, {?SID, Limits}).

a_creation_may_be_too_much_test() ->
    Is = fun(Els, MaxBody) -> element(1, new(body(7, Els), MaxBody, limits())) end,
    ?assertEqual(ok, Is(lists:duplicate(8, "<iq/>"), infinity)),
    ?assertEqual(body_too_large, Is(lists:duplicate(9, "<iq/>"), infinity)),
    ?assertEqual(body_too_large, Is([], 20)).

owed(N) -> {owed, {xmlel, <<"message">>, [], [{xmlcdata, <<"text">>}]}, {stanza, N}}.

stream_error(Condition) ->
    {xmlstreamelement, {xmlel, <<"stream:error">>, [], [{xmlel, Condition, [], []}]}}.

owes(T) -> [N || {_, {stanza, N}} <- megaphone_via_bosh:finish(<<"system-shutdown">>, [], nobody, ?SID, T)].

what_comes_behind_the_last_word_is_left_to_the_caller_test() ->
    {ended, <<"host-gone">>, [], Rest, T} = megaphone_via_bosh:sent([owed(1), stream_error(<<"host-gone">>), owed(2)], transport()),
    ?assertEqual({[owed(2)], [1]}, {Rest, owes(T)}).

an_error_that_is_no_condition_is_told_whole_test() ->
    {ended, <<"remote-stream-error">>, Error, [], _} = megaphone_via_bosh:sent([stream_error(<<"conflict">>)], transport()),
    ?assertMatch({_, _}, binary:match(iolist_to_binary(Error), <<"<conflict/>">>)).

%% What is too much for the client is owed like all else, and the stream's own last word goes before that.
too_much_is_taken_to_the_end_test() ->
    Little = transport((limits())#{queue := 1, inactivity := 0}),
    {stop, too_much_queued, T} = megaphone_via_bosh:sent([owed(1), owed(2)], Little),
    ?assertEqual([1, 2], owes(T)),
    {ended, <<"host-gone">>, [], [], T1} = megaphone_via_bosh:sent([owed(1), stream_error(<<"host-gone">>)], Little),
    ?assertEqual([1], owes(T1)).

%% How many of the client's requests are taken at once.
taken(T) ->
    Request = fun(Rid, Acc) -> {ok, Acc1} = megaphone_via_bosh:hear({bosh_request, self(), body(Rid, [])}, ?SID, user, Acc), Acc1 end,
    count(lists:foldl(Request, T, [8, 9])).

count(T) ->
    case megaphone_via_bosh:next(?HOST, T) of
        {ok, _, [], T1} -> 1 + count(T1);
        {ok, _, [{xmlstreamstart, _, _}], T1} -> count(T1);
        none -> 0
    end.

%% The burst is spent: each byte takes a second.
the_stream_s_shaper_holds_requests_back_test() ->
    {Spent, _} = ejabberd_shaper:update(ejabberd_shaper:new(1), 1),
    {ok, Shaped} = megaphone_via_bosh:sent([{shaper, Spent}], transport()),
    ?assertEqual({2, 1}, {taken(transport()), taken(Shaped)}).

counted(Rid, Els) ->
    Names = [requests, requests_overtaken, requests_repeated],
    All = fun() -> maps:with(Names, megaphone_stats:all()) end,
    T = transport(),
    Before = All(),
    Step = megaphone_via_bosh:hear({bosh_request, self(), body(Rid, Els)}, ?SID, stranger, T),
    After = All(),
    {element(1, Step), [Name || Name <- Names, map_get(Name, After) > map_get(Name, Before)]}.

requests_count_though_they_are_refused_test_() ->
    Many = lists:duplicate(9, "<iq/>"),
    {setup, fun megaphone_sessions:create_table/0, fun(_) -> ets:delete(megaphone_sessions) end, [
        ?_assertEqual({Step, Counters}, counted(Rid, Els))
     || {Rid, Els, Step, Counters} <- [
            {8, [], ok, [requests]},
            {8, Many, stop, [requests]},
            {9, Many, stop, [requests, requests_overtaken]},
            {9, ["<iq>", lists:duplicate(2048, $x), "</iq>"], stop, [requests, requests_overtaken]},
            {7, Many, stop, [requests_repeated]}
        ]
    ]}.

log(#{msg := {Format, Arguments}}, #{config := Test}) -> Test ! {logged, lists:flatten(io_lib:format(Format, Arguments))};
log(_, _) -> ok.

%% As all lines of the log do.
a_request_that_is_too_old_is_logged_with_the_session_test() ->
    T = transport(),
    #{level := Level} = logger:get_primary_config(),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    ok = logger:set_primary_config(level, all),
    {ok, _} = megaphone_via_bosh:hear({bosh_request, self(), body(6, [])}, ?SID, stranger, T),
    ok = logger:set_primary_config(level, Level),
    ok = logger:remove_handler(?MODULE),
    Expected = lists:flatten(io_lib:format("Megaphone session ~ts goes on", [megaphone_sid:short(?SID)])),
    receive {logged, Text} -> ?assertEqual(Expected, lists:sublist(Text, length(Expected))) after 1000 -> error(not_logged) end.

a_websocket_s_words_are_none_test() ->
    T = transport(),
    Words = [{self(), <<"<iq/>">>}, {self(), read, 1}, {self(), closed, 1000}],
    [?assertEqual({{ok, T}, ok}, {megaphone_via_bosh:hear(Word, ?SID, user, T), megaphone_via_bosh:late(Word, ?SID)}) || Word <- Words].
