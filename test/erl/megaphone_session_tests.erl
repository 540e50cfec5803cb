%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A fault of a session undoes nothing that was done before it. The session's stream is xmpp_stream_in, with this module in
%%% place of ejabberd_c2s; the fault is a connection that is no process.
-module(megaphone_session_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

-export([handle_info/2]).

-define(SID, <<"tag.sid">>).
-define(HOST, <<"localhost">>).
-define(LIMITS, #{wait => 60, hold => 1, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => false}).

%% The stream sends what comes for its user.
handle_info({route, Stanza}, Stream) ->
    ok = megaphone_socket:send_xml(socket, {xmlstreamelement, {xmlel, <<"message">>, [], []}}),
    megaphone_socket:sent(Stream, Stanza, ok).

body(Rid, Els) ->
    Sid = case Rid of 7 -> <<"to='localhost'">>; _ -> <<"sid='tag.sid'">> end,
    iolist_to_binary(["<body rid='", integer_to_binary(Rid), "' ", Sid, " xmlns='http://jabber.org/protocol/httpbind'>", Els, "</body>"]).

%% Its creation was answered; request 8 is held, and its answer will fail.
bridge(C2s) ->
    ok = megaphone_stats:create(),
    ok = megaphone_chars:prepare(),
    Body = body(7, []),
    {ok, Request} = megaphone_body:parse(Body, 100),
    {ok, Transport} = megaphone_via_bosh:new(Request, {self(), Body}, infinity, {?SID, ?LIMITS}),
    {ok, B} = megaphone_bridge:settle(megaphone_bridge:opened(?HOST, Transport, megaphone_bridge:new(?SID, megaphone_via_bosh))),
    receive {_, 200, _} -> ok end,
    {ok, B1} = megaphone_bridge:client({bosh_request, not_a_process, body(8, [])}, B),
    {ok, B2} = megaphone_bridge:settle(B1),
    {ok, B3} = megaphone_bridge:stream({ok, [], C2s}, B2),
    B3.

stream() ->
    megaphone_c2s:new(#{mod => ?MODULE, stream_state => established, stream_timeout => infinity, lang => <<>>, jid => #jid{}}).

what_the_stream_sent_before_a_fault_is_owed_test() ->
    Message = #message{type = chat, id = <<"owed">>},
    {stop, {shutdown, fault}, {session, After, _, _}} =
        megaphone_session:handle_info({route, Message}, {session, bridge(stream()), {1, 0, 1}, none}),
    #{phase := {open, Transport}} = megaphone_bridge:parts(After),
    {ok, Closed} = megaphone_via_bosh:hear({bosh_closed, not_a_process}, ?SID, user, Transport),
    ?assertMatch([{_, Message}], megaphone_via_bosh:finish(<<"internal-server-error">>, [], nobody, ?SID, Closed)).

%% Nobody answers who asked beside the session: it does so itself as it ends.
what_the_stream_got_before_a_fault_is_not_said_again_test() ->
    {ok, B} = megaphone_bridge:client({bosh_request, self(), body(9, "<message/>")}, bridge(megaphone_c2s:none())),
    {stop, {shutdown, fault}, After} = megaphone_bridge:settle(B),
    #{phase := {open, Transport}, pending := Pending} = megaphone_bridge:parts(After),
    ?assert(megaphone_pending:is_empty(Pending)),
    ?assertEqual(none, megaphone_via_bosh:next(?HOST, Transport)),
    ?assertEqual(none, receive {_, 200, _} -> answer after 0 -> none end).

a_fault_in_the_end_itself_stops_the_process_test() ->
    B = bridge(megaphone_c2s:none()),
    ?assertEqual({stop, {shutdown, fault}, B}, megaphone_bridge:ends({hang_up, wrong_key}, B)).

%% Its old process said so after it was not waited for any longer. The stream would not know what it is.
what_comes_late_of_a_move_is_not_the_streams_test() ->
    ?assertMatch({noreply, _, _}, megaphone_session:handle_info({make_ref(), settled}, {session, bridge(stream()), {1, 0, 1}, none})).

%% It is found again as what it is.
one_of_a_websocket_enters_a_new_index_with_its_link_test_() ->
    {setup, fun megaphone_sessions:create_table/0, fun(_) -> ets:delete(megaphone_sessions) end, fun() ->
        ok = megaphone_stats:create(),
        Via = megaphone_via_websocket,
        B = megaphone_bridge:opened(?HOST, Via:new(self(), 1000), megaphone_bridge:new(?SID, Via)),
        {ok, B1} = megaphone_bridge:stream({ok, [], stream()}, B),
        Ref = make_ref(),
        {noreply, _, _} = megaphone_session:handle_info({megaphone_announce, {self(), Ref}}, {session, B1, {1, 0, 0}, none}),
        receive {Ref, here} -> ok end,
        ?assertEqual([{?SID, self(), {1, 0, 0}, self(), none}], ets:lookup(megaphone_sessions, ?SID)),
        ?assertEqual(1, megaphone_sessions:websockets())
    end}.

%% An idle one of BOSH, beside its stream and the limits, which are one term for all.
an_idle_one_is_small_test() ->
    Idle = fun(B) -> erts_debug:flat_size(B) - erts_debug:flat_size(?LIMITS) end,
    ?assert(Idle(bridge(megaphone_c2s:none())) =< 100).
