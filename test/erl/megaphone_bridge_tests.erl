%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_bridge, read from there, cell by cell and for each transport. The process that runs a test is the session's
%%% and each connection's; its stream is xmpp_stream_in, with this module in place of ejabberd_c2s.
-module(megaphone_bridge_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

-export([handle_info/2, handle_call/3, handle_timeout/1]).

-define(SID, <<"tag.sid">>).
-define(HOST, <<"localhost">>).
-define(TEXT, <<"what bob wrote">>).
-define(PAYLOAD, {xmlel, <<"message">>, [{<<"id">>, ?TEXT}], []}).

%% The stream: it tells what it hears.
handle_info(_, Stream) -> heard(Stream).
handle_call(_, _, Stream) -> heard(Stream).
handle_timeout(Stream) -> heard(Stream).

heard(Stream) -> self() ! heard_by_the_stream, Stream.

c2s(More) ->
    State = #{mod => ?MODULE, stream_state => established, stream_timeout => infinity, lang => <<>>, jid => #jid{}},
    megaphone_c2s:new(maps:merge(State, More)).

session(open, Via, Limits, C2s) ->
    B = begun(Via, Limits),
    {ok, B1} = megaphone_bridge:stream({ok, [], C2s}, B),
    B1;
session(ended, Via, Limits, C2s) ->
    {ok, B} = megaphone_bridge:stream({ok, [last_word()], C2s}, session(open, Via, Limits, C2s)),
    [_ | _] = seen(),
    B.

%% Its creation was answered, and request 8 is held.
begun(megaphone_via_bosh = Via, Limits) ->
    Body = <<"<body rid='7' to='localhost' ver='1.11' wait='60' hold='1' xmlns='http://jabber.org/protocol/httpbind'/>">>,
    {ok, Creation} = megaphone_body:parse(Body, 100),
    {ok, Transport} = Via:new(Creation, {self(), Body}, infinity, {?SID, Limits}),
    ok = megaphone_sessions:open(?SID, self(), {0, 0, 0}),
    {ok, B} = megaphone_bridge:settle(megaphone_bridge:opened(?HOST, Transport, megaphone_bridge:new(?SID, Via))),
    [{answer, _}] = seen(),
    {ok, B1} = settled(asks(8, B)),
    {_, _, 1} = megaphone_bridge:gauges(B1),
    B1;
%% Its stream's header was answered.
begun(megaphone_via_websocket = Via, _) ->
    Transport = Via:new(self(), 1000),
    ok = Via:enter(?SID, {0, 0, 0}, Transport),
    {ok, B} = megaphone_bridge:settle(megaphone_bridge:opened(?HOST, Transport, megaphone_bridge:new(?SID, Via))),
    {ok, B1} = settled(says(<<"<open to='localhost' xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>">>, B)),
    {ok, B2} = megaphone_bridge:stream({ok, [{xmlstreamstart, <<"stream:stream">>, [{<<"id">>, <<"1">>}]}], none}, B1),
    [{frame, _}] = seen(),
    B2.

limits() -> #{wait => 60, hold => 1, inactivity => 30, maxpause => 120, polling => 5, queue => 1000, group => 0, strict => false}.

request(Rid) -> <<"<body rid='", (integer_to_binary(Rid))/binary, "' sid='tag.sid' xmlns='http://jabber.org/protocol/httpbind'/>">>.

last_word() ->
    Condition = {xmlel, <<"host-gone">>, [{<<"xmlns">>, <<"urn:ietf:params:xml:ns:xmpp-streams">>}], []},
    {xmlstreamelement, {xmlel, <<"stream:error">>, [], [Condition]}}.

settled({ok, B}) -> megaphone_bridge:settle(B);
settled(Stop) -> Stop.

seen() ->
    receive
        {Self, 200, Body} when Self =:= self() -> [{answer, Body} | seen()];
        {Self, 503, _, _} when Self =:= self() -> [repeat | seen()];
        {Self, frame, Body} when Self =:= self() -> [{frame, Body} | seen()];
        {Self, frame, Body, _} when Self =:= self() -> [{frame, Body} | seen()];
        {Self, close, Code, _} when Self =:= self() -> [{close, Code} | seen()];
        heard_by_the_stream -> [heard | seen()]
    after 0 -> []
    end.

asks(Rid, B) -> megaphone_bridge:client({bosh_request, self(), request(Rid)}, B).

says(Frame, B) -> megaphone_bridge:client({self(), Frame}, B).

event(<<"the client's message">>, megaphone_via_bosh, B) -> asks(9, B);
event(<<"the client's message">>, megaphone_via_websocket, B) -> says(<<"<presence/>">>, B);
event(<<"the client's fault">>, megaphone_via_bosh, B) -> asks(100, B);
event(<<"the client's fault">>, megaphone_via_websocket, B) -> says(<<"<presence>">>, B);
event(<<"the client is away">>, megaphone_via_bosh, B) ->
    {ok, B1} = megaphone_bridge:client({bosh_closed, self()}, B),
    megaphone_bridge:tick(B1);
event(<<"the client is away">>, megaphone_via_websocket, B) -> megaphone_bridge:client({self(), closed, 1001}, B);
event(Row, _, B) -> event(Row, B).

event(<<"a stanza for the user">>, B) -> megaphone_bridge:hear({route, {message, ?TEXT}}, B);
event(<<"... who may resume">>, B) -> megaphone_bridge:hear({route, {message, ?TEXT}}, B);
event(<<"another message, or call">>, B) ->
    {ok, B1} = megaphone_bridge:hear(whatever, B),
    [heard] = seen(),
    megaphone_bridge:call(whatever, {self(), tag}, B1);
event(<<"the stream sent">>, B) -> megaphone_bridge:stream({ok, [{owed, ?PAYLOAD, {message, ?TEXT}}], c2s(#{})}, B);
event(<<"out of the stream's turn">>, B) ->
    Header = {xmlstreamstart, <<"stream:stream">>, [{<<"id">>, ?TEXT}]},
    megaphone_bridge:stream(megaphone_c2s:event(Header, c2s(#{})), B);
event(<<"the stream's last word">>, B) -> megaphone_bridge:stream({ok, [last_word()], none}, B);
event(<<"the stream is closed">>, B) -> megaphone_bridge:stream({closed, [], none}, B);
event(<<"the stream stopped">>, B) ->
    {stop, shutdown, _} = megaphone_bridge:stream({{exit, shutdown}, [], none}, B),
    megaphone_bridge:stream({{stop, normal}, [], none}, B);
event(<<"a fault with what it sent">>, B) -> megaphone_bridge:stream({ok, [{xmlstreamstart, odd, odd}], none}, B);
event(<<"the stream's time came">>, B) -> megaphone_bridge:tick(B);
event(<<"hang up">>, B) -> megaphone_bridge:ends({hang_up, closed_by_operator}, B);
event(<<"shut down">>, B) -> megaphone_bridge:ends(shut_down, B).

is_open(B) -> case megaphone_bridge:parts(B) of #{phase := {open, _}} -> true; #{} -> false end.

%% What the event needs beside the session.
needs(<<"the client is away">>) -> {(limits())#{inactivity := 0}, none};
needs(<<"the stream's time came">>) ->
    Soon = fun(Stream) -> {noreply, Stream, 0} end,
    {ok, [], Due} = megaphone_c2s:run(Soon, c2s(#{stream_timeout => {0, erlang:monotonic_time(millisecond)}})),
    {limits(), Due};
needs(<<"... who may resume">>) -> {limits(), c2s(#{mgmt_state => pending})};
needs(Row) ->
    HasStream = [<<"a stanza for the user">>, <<"another message, or call">>, <<"the stream sent">>],
    {limits(), case lists:member(Row, HasStream) of true -> c2s(#{}); false -> none end}.

%% What came of it, as the table says it.
outcome(Before, Step) ->
    case settled(Step) of
        {ok, After} ->
            case {is_open(Before), is_open(After), seen()} of
                {_, _, [heard]} -> <<"stream">>;
                {true, false, _} -> ?assertEqual(none, megaphone_sessions:find(?SID)), <<"ended">>;
                {true, true, [{_, _}]} -> <<"transport">>;
                {true, true, []} -> ?assertMatch({_, _, 0}, megaphone_bridge:gauges(After)), <<"transport">>;
                {false, false, [{answer, _}]} -> <<"late">>;
                {false, false, []} when After =:= Before -> same;
                {false, false, []} -> ?assertMatch({_, _}, binary:match(term_to_binary(After), ?TEXT)), <<"owed">>
            end;
        {stop, Reason, After} ->
            ok = megaphone_bridge:terminate(Reason, After),
            Told = lists:any(fun is_last/1, seen()),
            ?assertEqual({is_open(Before), none}, {Told, megaphone_sessions:find(?SID)}),
            <<"stops">>
    end.

is_last({answer, Body}) -> re:run(Body, "terminate") =/= nomatch;
is_last(Seen) -> element(1, Seen) =:= close.

%% Nobody waits for an answer to what comes late by a WebSocket.
expected(<<"late">>, megaphone_via_websocket) -> same;
expected(Cell, _) -> Cell.

table_test_() ->
    {foreach,
        fun() ->
            ok = megaphone_stats:create(),
            ok = megaphone_chars:prepare(),
            ok = megaphone_sessions:create_table(),
            ok = megaphone_ended:create_table()
        end,
        fun(_) -> _ = seen(), [ets:delete(Table) || Table <- [megaphone_sessions, megaphone_ended]] end, [
            {lists:flatten(io_lib:format("~ts: ~ts: ~ts", [Via, Phase, Row])), fun() ->
                {Limits, C2s} = needs(Row),
                B = session(binary_to_existing_atom(Phase), Via, Limits, C2s),
                ?assertEqual(expected(Cell, Via), outcome(B, event(Row, Via, B)))
            end}
         || Via <- [megaphone_via_bosh, megaphone_via_websocket],
            {Row, Cells} <- megaphone_table:read(megaphone_bridge),
            {Phase, Cell} <- Cells
        ]}.
