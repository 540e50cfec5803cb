%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The ways in which a session ends, as a table, and what they come to without a stream.
-module(megaphone_ending_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

%% Whatever the reason: first the client is told, or, where the stream is to tell it, that; what goes back through the
%% router goes last.
ways_test_() ->
    Stop = <<"system-shutdown">>,
    Fault = <<"internal-server-error">>,
    Failed = <<"remote-connection-failed">>,
    [
        {lists:flatten(io_lib:format("~0p", [Way])), ?_assertEqual(Steps, megaphone_ending:steps(Way))}
     || {Way, Steps} <- [
            {{hang_up, wrong_key}, [{drop, wrong_key}, last_words, closed]},
            {{hang_up, expired}, [{drop, expired}, last_words, closed]},
            {{hang_up, too_much_queued}, [{drop, too_much_queued}, last_words, closed]},
            {{hang_up, Failed}, [{drop, Failed}, last_words, closed]},
            {{hang_up, <<"bad-request">>}, [{finish, <<"bad-request">>, []}, last_words, {last_word, <<"bad-request">>}]},
            {{hang_up, closed_by_operator},
                [{finish, closed_by_operator, []}, last_words, {last_word, <<"policy-violation">>}]},
            {{stream, Failed, [], before}, [{drop, Failed}, {say, before}]},
            {{stream, <<"host-gone">>, [], before}, [{finish, <<"host-gone">>, []}, {say, before}]},
            {{stream, <<"remote-stream-error">>, <<"<e/>">>, before},
                [{finish, <<"remote-stream-error">>, <<"<e/>">>}, {say, before}]},
            {shut_down, [last_words, {last_word, Stop}, {finish, Stop, []}, {stop, normal}]},
            {{stopped, normal, before}, [{say, before}, flush, {stop, normal}]},
            {{fault, [sent]}, [{finish, Fault, []}, {owe, [sent]}, {stop, {shutdown, fault}}]},
            {{terminate, normal, now}, [{finish, <<"remote-connection-failed">>, []}, {say, now}, hand_back]},
            {{terminate, shutdown, now}, [{finish, Stop, []}, {say, now}, hand_back]},
            {{terminate, {shutdown, {process_limit, {max_queue, 7}}}, now}, [{finish, Stop, []}, {say, now}, hand_back]},
            {{terminate, {shutdown, fault}, now}, [{finish, Fault, []}, {say, now}, hand_back]},
            {{terminate, {badmatch, 1}, now}, [{finish, Fault, []}, {say, now}, hand_back]}
        ]
    ].

-define(SID, <<"tag.sid">>).

%% One that has no stream, for one that has none gets no words.
session(Phase) ->
    #{sid => ?SID, via => megaphone_via_bosh, host => <<"localhost">>, who => stranger, phase => Phase, c2s => none, pending => megaphone_pending:new()}.

open() ->
    Limits = #{wait => 60, hold => 1, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => false},
    Body = <<"<body rid='7' to='localhost' ver='1.11' xmlns='http://jabber.org/protocol/httpbind'/>">>,
    {ok, Request} = megaphone_body:parse(Body, 100),
    {ok, Transport} = megaphone_via_bosh:new(Request, {self(), Body}, infinity, {?SID, Limits}),
    {open, Transport}.

with_tables_test_() ->
    {foreach,
        fun() ->
            ok = megaphone_stats:create(),
            ok = megaphone_chars:prepare(),
            ok = megaphone_sessions:create_table(),
            ok = megaphone_ended:create_table(),
            ok = megaphone_sessions:open(?SID, self(), {0, 0, 0})
        end,
        fun(_) -> [ets:delete(Table) || Table <- [megaphone_sessions, megaphone_ended]] end, [
            fun() -> every_way_ends_an_open_session_once() end,
            fun() -> one_whose_stream_is_stopped_gets_what_is_due_and_ends() end,
            fun() -> of_one_that_expired_nothing_is_kept() end,
            fun() -> one_that_never_was_open_leaves_the_index() end,
            fun() -> who_asks_while_it_terminates_is_answered() end
        ]}.

ways() ->
    [{hang_up, body_too_large}, {stream, <<"host-gone">>, [], none}, shut_down, {fault, []}, {terminate, normal, none}].

every_way_ends_an_open_session_once() ->
    [
        begin
            ok = megaphone_sessions:open(?SID, self(), {0, 0, 0}),
            true = ets:delete(megaphone_ended, ?SID),
            {_, #{phase := {ended, _}} = Ended} = megaphone_ending:run(First, session(open())),
            ?assertMatch([Answer] when is_binary(Answer), answers()),
            ?assertEqual(none, megaphone_sessions:find(?SID)),
            {ended, Kept} = megaphone_ended:find(?SID),
            [megaphone_ending:run(Then, Ended) || Then <- ways()],
            ?assertEqual([], answers()),
            ?assertEqual({ended, Kept}, megaphone_ended:find(?SID))
        end
     || First <- ways()
    ].

%% Its end is for its process to come to.
one_whose_stream_is_stopped_gets_what_is_due_and_ends() ->
    {open, Transport} = open(),
    {ok, _, _, Taken} = megaphone_via_bosh:next(<<"localhost">>, Transport),
    {{stop, normal}, #{phase := {open, _}} = Stopped} = megaphone_ending:run({stopped, normal, none}, session({open, Taken})),
    [Creation] = answers(),
    ?assertMatch({match, _}, re:run(Creation, "sid='tag.sid'")),
    ?assertMatch({ok, _}, megaphone_sessions:find(?SID)),
    ok = megaphone_ending:terminate(normal, Stopped),
    ?assertEqual({[], none}, {answers(), megaphone_sessions:find(?SID)}),
    {ended, #{kept := [{7, 200, Creation}]}} = megaphone_ended:find(?SID).

of_one_that_expired_nothing_is_kept() ->
    {ok, #{phase := {ended, _}}} = megaphone_ending:run({hang_up, expired}, session(open())),
    ?assertEqual(none, megaphone_ended:find(?SID)).

one_that_never_was_open_leaves_the_index() ->
    ok = megaphone_ending:terminate(normal, session(opening)),
    ?assertEqual({none, none}, {megaphone_sessions:find(?SID), megaphone_ended:find(?SID)}),
    ?assertEqual([], answers()).

who_asks_while_it_terminates_is_answered() ->
    self() ! {bosh_request, self(), <<"<body sid='tag.sid' rid='7'/>">>},
    self() ! {bosh_asked, self(), 9},
    ok = megaphone_ending:terminate({shutdown, fault}, session(open())),
    %% Its own answer, that once more for a repeat of the same request, and the end.
    [First, First, End] = answers(),
    [?assertMatch({match, _}, re:run(Answer, "internal-server-error")) || Answer <- [First, End]].

answers() ->
    receive
        {Self, _, Body} when Self =:= self() -> [Body | answers()]
    after 0 -> []
    end.

%% A stanza that comes for a user who is gone is not to be lost; but a stream that may be resumed takes it.
late_test_() ->
    [
        ?_assertEqual(Is, begin
            {_, #{phase := {ended, Ended}}} = end_without_tables((session(open()))#{c2s := megaphone_c2s:new(Stream)}),
            megaphone_ending:late({message, late}, Ended, megaphone_c2s:none()) =:= stream
        end)
     || {Is, Stream} <- [{false, #{jid => #jid{}}}, {true, #{jid => #jid{}, mgmt_state => pending}}]
    ].

end_without_tables(Session) ->
    ok = megaphone_stats:create(),
    ok = megaphone_chars:prepare(),
    Result = megaphone_ending:run({stream, <<"host-gone">>, [], none}, Session),
    _ = answers(),
    Result.
