%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a WebSocket's client may send and when it goes on, what its gateway hears of that, and what becomes of what cannot be
%%% sent. The process that runs a test is the session's and the gateway's.
-module(megaphone_via_websocket_tests).

-include_lib("eunit/include/eunit.hrl").

-define(SID, <<"tag.sid">>).
-define(HOST, <<"localhost">>).
-define(MAX, 100000).

transport() -> transport(self()).

transport(ConnId) ->
    ok = megaphone_stats:create(),
    ok = megaphone_chars:prepare(),
    _ = seen(),
    megaphone_via_websocket:new(ConnId, ?MAX).

hear(Message, Who, T) -> megaphone_via_websocket:hear(Message, ?SID, Who, T).

says(Frame, Who, T) -> hear({self(), iolist_to_binary(Frame)}, Who, T).

message(Bytes) ->
    Empty = iolist_size(<<"<message></message>">>),
    ["<message>", lists:duplicate(Bytes - Empty, $x), "</message>"].

%% All that may go on.
all(T) -> all(?HOST, T).

all(Host, T) ->
    case megaphone_via_websocket:next(Host, T) of
        {ok, _, Events, T1} -> {More, T2} = all(Host, T1), {Events ++ More, T2};
        none -> {[], T}
    end.

flush(T) -> flush(megaphone_pending:new(), T).

flush(Left, T) ->
    {ok, T1} = megaphone_via_websocket:flush(false, Left, T),
    T1.

seen() ->
    receive
        {Self, frame, Body} when Self =:= self() -> [Body | seen()];
        {Self, frame, Body, Number} when Self =:= self() -> [{Number, Body} | seen()];
        {Self, taken, Count} when Self =:= self() -> [{taken, Count} | seen()];
        {Self, close, Code, _} when Self =:= self() -> [{close, Code} | seen()]
    after 0 -> []
    end.

each_frame_is_an_event_test() ->
    Frames = [
        {"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0' xml:lang='de'/>",
            {xmlstreamstart, <<"stream:stream">>, [
                {<<"to">>, ?HOST},
                {<<"xmlns">>, <<"jabber:client">>},
                {<<"xmlns:stream">>, <<"http://etherx.jabber.org/streams">>},
                {<<"xml:lang">>, <<"de">>},
                {<<"version">>, <<"1.0">>}
            ]}},
        {"<iq id='1'/>", {xmlstreamelement, {xmlel, <<"iq">>, [{<<"id">>, <<"1">>}], []}}},
        {"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", {xmlstreamend, <<"stream:stream">>}}
    ],
    [
        begin
            {ok, T} = says(Frame, user, transport()),
            {Events, T1} = all(T),
            ?assertEqual([Event], Events),
            ?assertMatch(#{terminating := Goes}, megaphone_via_websocket:info(T1))
        end
     || {Frame, Event} <- Frames, Goes <- [element(1, Event) =:= xmlstreamend]
    ].

%% Where it does not say another, a stream is for the session's host.
a_header_needs_no_host_later_test() ->
    {ok, T} = says("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", user, transport()),
    ?assertMatch({[{xmlstreamstart, _, [{<<"to">>, ?HOST} | _]}], _}, all(T)).

nothing_goes_before_the_host_is_known_test() ->
    Next = fun(Frame) ->
        {ok, T} = says(Frame, stranger, transport()),
        {stop, Reason, T1} = megaphone_via_websocket:next(<<>>, T),
        {ok, T2} = megaphone_via_websocket:sent([{xmlstreamstart, <<"stream:stream">>, []}], T1),
        [] = megaphone_via_websocket:finish(Reason, [], stranger, ?SID, T2),
        [_, Error, _, {close, Code}] = seen(),
        {Reason, Code, [Name || Name <- [<<"bad-format">>, <<"improper-addressing">>], binary:match(Error, Name) =/= nomatch]}
    end,
    ?assertEqual({<<"bad-request">>, 1000, [<<"bad-format">>]}, Next("<iq/>")),
    ?assertEqual({<<"bad-request">>, 1000, [<<"bad-format">>]}, Next("<close/>")),
    ?assertEqual({<<"improper-addressing">>, 1000, [<<"improper-addressing">>]}, Next("<open/>")).

too_much_test_() ->
    Attributes = fun(N) -> ["<iq", [[" a", integer_to_list(I), "='1'"] || I <- lists:seq(1, N)], "/>"] end,
    Elements = fun(N) -> ["<iq>", lists:duplicate(N - 1, "<a/>"), "</iq>"] end,
    [
        {Name, fun() ->
            {ok, T} = says(Frame, Who, transport()),
            ?assertEqual(Expected, case megaphone_via_websocket:next(?HOST, T) of {stop, Reason, T1} -> {Reason, code(Reason, T1)}; _ -> ok end)
        end}
     || {Name, Who, Frame, Expected} <- [
            {"a stranger's longest", stranger, message(8192), ok},
            {"more than that", stranger, message(8193), {body_too_large, 1009}},
            {"a user's", user, message(?MAX), ok},
            {"more than ejabberd takes", user, message(?MAX + 1), {body_too_large, 1009}},
            {"a stranger's parts", stranger, Elements(256), ok},
            {"more than those", stranger, Elements(257), {body_too_large, 1008}},
            {"a user's parts", user, Elements(257), ok},
            {"attributes", user, Attributes(65), {body_too_large, 1008}},
            {"no XML", user, "<iq>", {<<"bad-request">>, 1000}}
        ]
    ].

code(Reason, T) ->
    {ok, T1} = megaphone_via_websocket:sent([{xmlstreamstart, <<"stream:stream">>, []}], T),
    [] = megaphone_via_websocket:finish(megaphone_condition:of_reason(Reason), [], user, ?SID, T1),
    {close, Code} = lists:last(seen()),
    Code.

%% The burst is spent: each byte takes a second.
shaped() ->
    {Spent, _} = ejabberd_shaper:update(ejabberd_shaper:new(1), 1),
    {ok, T} = megaphone_via_websocket:sent([{shaper, Spent}], transport()),
    T.

the_shaper_holds_frames_back_in_order_test() ->
    {ok, T1} = says("<iq id='1'/>", user, shaped()),
    {ok, T2} = says("<iq id='2'/>", user, T1),
    {[{xmlstreamelement, {_, _, [{_, <<"1">>}], _}}], T3} = all(T2),
    Now = erlang:monotonic_time(millisecond),
    ?assert(megaphone_via_websocket:due(T3) > Now + 5000),
    {ok, T3} = megaphone_via_websocket:wait(?SID, user, T3).

a_stranger_waits_with_little_test() ->
    Waits = fun(Frames) ->
        {ok, T} = says("<iq/>", stranger, shaped()),
        lists:foldl(fun(Frame, {ok, Acc}) -> says(Frame, stranger, Acc); (_, Stop) -> Stop end, {ok, T}, Frames)
    end,
    ?assertMatch({ok, _}, Waits(lists:duplicate(8, message(2048)))),
    ?assertMatch({stop, too_much_ahead, _}, Waits(lists:duplicate(9, "<iq/>"))),
    ?assertMatch({stop, too_much_ahead, _}, Waits([message(2049)])).

%% Answers that are not read: 128 kB are on their way, and behind them waits little.
a_stranger_asks_for_no_more_than_it_reads_test() ->
    Answer = {xmlstreamelement, {xmlel, <<"a">>, [], [{xmlcdata, binary:copy(<<"x">>, 2000)}]}},
    Answered = fun(N) ->
        {ok, T} = says("<open to='localhost' xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", stranger, transport()),
        {ok, T1} = megaphone_via_websocket:sent(lists:duplicate(N, Answer), T),
        megaphone_via_websocket:flow(stranger, T1)
    end,
    %% One goes beyond.
    Unread = 1 + 131072 div iolist_size(element(1, megaphone_framing:element(element(2, Answer)))),
    ?assertEqual(open, Answered(Unread + 4)),
    ?assertEqual(full, Answered(Unread + 5)).

%% What waits for the shaper, or for the stream, is not taken.
taken_test() ->
    Say = fun(N, T) -> lists:foldl(fun(_, Acc) -> {ok, Acc1} = says("<iq/>", user, Acc), Acc1 end, T, lists:seq(1, N)) end,
    {_, T1} = all(Say(15, transport())),
    T2 = flush(T1),
    ?assertEqual([], seen()),
    {[Event], T3} = all(Say(1, T2)),
    {ok, Left} = megaphone_pending:leave(5, [Event], megaphone_pending:new()),
    ?assertEqual([], begin _ = flush(Left, T3), seen() end),
    T4 = flush(T3),
    ?assertEqual([{taken, 16}], seen()),
    {_, T5} = all(Say(47, T4)),
    _ = flush(T5),
    ?assertEqual([{taken, 63}], seen()),
    _ = flush(Say(16, shaped())),
    ?assertEqual([], seen()).

a_flood_ends_it_test() ->
    Say = fun(_, {ok, T}) -> says("<iq/>", user, T); (_, Stop) -> Stop end,
    ?assertMatch({ok, _}, lists:foldl(Say, {ok, transport()}, lists:seq(1, 64))),
    ?assertMatch({stop, too_much_pending, _}, lists:foldl(Say, {ok, transport()}, lists:seq(1, 65))).

owed(N) -> {owed, {xmlel, <<"message">>, [], [{xmlcdata, <<"text">>}]}, {stanza, N}}.

owes(T) -> [N || {_, {stanza, N}} <- megaphone_via_websocket:finish(<<"system-shutdown">>, [], user, ?SID, T)].

%% Proof is asked for what is owed.
owed_until_it_is_read_test() ->
    {ok, T} = megaphone_via_websocket:sent([owed(1), owed(2)], transport()),
    [{1, <<"<message xmlns='jabber:client'>text</message>">>}, {2, _}] = seen(),
    {ok, T1} = hear({self(), read, 1}, user, T),
    ?assertEqual([2], owes(T1)),
    {ok, T2} = hear({self(), read, 2}, user, T),
    ?assertEqual([], owes(T2)),
    T3 = closed(T),
    _ = seen(),
    ?assertEqual([1, 2], owes(T3)),
    ?assertEqual([], seen()).

what_comes_behind_the_last_word_is_left_to_the_caller_test() ->
    Error = {xmlstreamelement, {xmlel, <<"stream:error">>, [], [{xmlel, <<"conflict">>, [], []}]}},
    {ended, <<"remote-stream-error">>, Told, Rest, T} = megaphone_via_websocket:sent([owed(1), Error, owed(2)], transport()),
    ?assertEqual([owed(2)], Rest),
    ?assertEqual(<<"<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict/></stream:error>">>, iolist_to_binary(Told)),
    ?assertEqual([1], owes(T)).

closed(T) ->
    {ok, Gone} = hear({self(), closed, 1001}, user, T),
    {stop, <<"remote-connection-failed">>, Gone1} = megaphone_via_websocket:flush(false, megaphone_pending:new(), Gone),
    Gone1.

%% Of one that waited for the shaper, and whose client closed its tab.
what_came_before_the_end_is_heard_test() ->
    {ok, T1} = says("<iq id='1'/>", user, shaped()),
    {_, T2} = all(T1),
    {ok, T3} = says("<message id='2'/>", user, T2),
    {ok, T4} = says("<message id='3'/>", user, T3),
    {[], T5} = all(T4),
    {ok, T6} = hear({self(), closed, 1001}, user, T5),
    {Events, T7} = all(T6),
    ?assertEqual([<<"2">>, <<"3">>], [Id || {xmlstreamelement, {xmlel, <<"message">>, [{<<"id">>, Id}], []}} <- Events]),
    ?assertMatch({stop, _, _}, megaphone_via_websocket:flush(false, megaphone_pending:new(), T7)).

what_came_before_a_wrong_one_is_heard_test() ->
    {ok, T1} = says("<iq id='1'/>", user, shaped()),
    {ok, T2} = says("<iq id='2'/>", user, T1),
    {ok, T3} = says("<iq>", user, T2),
    {ok, T4} = hear({self(), closed, 1001}, user, T3),
    {ok, _, [{xmlstreamelement, {xmlel, _, [{_, <<"1">>}], _}}], T5} = megaphone_via_websocket:next(?HOST, T4),
    {ok, _, [{xmlstreamelement, {xmlel, _, [{_, <<"2">>}], _}}], T6} = megaphone_via_websocket:next(?HOST, T5),
    ?assertMatch({stop, <<"bad-request">>, _}, megaphone_via_websocket:next(?HOST, T6)).

%% By the condition that it said itself, whatever BOSH calls that.
the_streams_own_error_has_its_code_test_() ->
    [
        ?_assertEqual({Code, Condition}, begin
            Error = {xmlstreamelement, {xmlel, <<"stream:error">>, [], [{xmlel, <<"text">>, [], []}, {xmlel, Condition, [], []}]}},
            {ended, Known, Told, [], T} = megaphone_via_websocket:sent([{xmlstreamstart, <<"stream:stream">>, []}, Error], transport()),
            [] = megaphone_via_websocket:finish(Known, Told, user, ?SID, T),
            receive {_, close, Is, Reason} -> {Is, Reason} after 0 -> none end
        end)
     || {Condition, Code} <- [
            {<<"policy-violation">>, 1008},
            {<<"internal-server-error">>, 1011},
            {<<"system-shutdown">>, 1012},
            {<<"conflict">>, 1000}
        ]
    ].

%% A pid of a node that is not there.
gone() -> binary_to_term(<<131, 88, 119, 3, "a@h", 1:32, 0:32, 1:32>>).

who_cannot_be_reached_is_gone_test() ->
    T = transport(gone()),
    {ok, Gone} = megaphone_via_websocket:begun(gone(), none, T),
    ?assertMatch({stop, <<"remote-connection-failed">>, _}, megaphone_via_websocket:flush(false, megaphone_pending:new(), Gone)),
    {stop, <<"remote-connection-failed">>, T1} = megaphone_via_websocket:sent([owed(1), owed(2)], T),
    ?assertEqual([1, 2], owes(T1)).

who_serves_is_told_test() ->
    {ok, _} = megaphone_via_websocket:begun(self(), none, transport()),
    Self = self(),
    receive {Self, session, Self} -> ok after 0 -> error(untold) end,
    ok = megaphone_via_websocket:failed(self()),
    ?assertEqual([{close, 1011}], seen()).

%% The limits are one term for all.
idle_is_small_test() ->
    {ok, T} = says("<iq/>", user, transport()),
    {_, T1} = all(T),
    {ok, T2} = megaphone_via_websocket:sent([owed(1)], flush(T1)),
    {ok, T3} = hear({self(), read, 1}, user, T2),
    _ = seen(),
    ?assert(erts_debug:flat_size(T3) =< 35).

another_s_word_is_none_test() ->
    {ok, T} = megaphone_via_websocket:sent([owed(1)], transport()),
    _ = seen(),
    [?assertEqual({ok, T}, hear(Message, user, T)) || Message <- [{gone(), <<"<iq/>">>}, {gone(), read, 1}, {gone(), closed, 1000}]].
