%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What ejabberd's stream takes for its socket. The stream runs inside the session's process, so
%%% nothing is sent here: elements pile up in the process dictionary until the session collects them.
-module(megaphone_socket).

-export([new/2, collect/0, sent/3]).
%% The interface that xmpp_socket expects of a socket module.
-export([send_xml/2, send/2, setopts/2, controlling_process/2, reset_stream/1, change_shaper/2]).
-export([close/1, sockname/1, peername/1, get_owner/1, get_transport/1]).

-export_type([socket/0, event/0, endpoint/0, transport/0]).

-type endpoint() :: {inet:ip_address(), inet:port_number()}.
-type event() ::
    {xmlstreamstart, binary(), [{binary(), binary()}]}
    | {xmlstreamelement, megaphone_body:xmlel()}
    %% One that is owed to its user, with the stanza that was encoded.
    | {owed, megaphone_body:xmlel(), Stanza :: tuple()}
    | {xmlstreamend, binary()}
    | {shaper, term()}.
%% As xmpp_socket knows them.
-type transport() :: http_bind | websocket.
%% `opening' until the first reset.
-opaque socket() :: {endpoint(), {opening, transport()} | transport()}.

-define(EVENTS, megaphone_socket_events).

-spec new(endpoint(), transport()) -> socket().
new(Peer, Transport) -> {Peer, {opening, Transport}}.

%% @doc What the stream sent since the last time, oldest first.
-spec collect() -> [event()].
collect() ->
    case erase(?EVENTS) of
        undefined -> [];
        Events -> lists:reverse(Events)
    end.

-spec add(event()) -> ok.
add(Event) ->
    Events = case get(?EVENTS) of undefined -> []; Some -> Some end,
    put(?EVENTS, [Event | Events]),
    ok.

%% @doc ejabberd's hook for what a stream just gave to its socket: of what this one took it tells the
%% stanza, which knows more than its element. Other sockets' streams have no events here.
-spec sent(xmpp_stream_in:state(), tuple(), ok | {error, term()}) -> xmpp_stream_in:state().
sent(Stream, Error, _) when element(1, Error) =:= stream_error ->
    ok = megaphone_guests:said(Error, Stream),
    Stream;
sent(Stream, Failure, _) when element(1, Failure) =:= sasl_failure; element(1, Failure) =:= sasl2_failure ->
    megaphone_guests:failed(Stream);
sent(Stream, Stanza, _) ->
    case get(?EVENTS) of
        [{xmlstreamelement, El} | Events] ->
            case megaphone_handback:is_owed(Stanza, Stream) of
                true -> put(?EVENTS, [{owed, El, Stanza} | Events]);
                false -> ok
            end;
        _ ->
            ok
    end,
    Stream.

-spec send_xml(socket(), event()) -> ok.
send_xml(_, Event) -> add(Event).

%% Only streams in text mode send bytes; see get_owner/1.
-spec send(socket(), iodata()) -> {error, einval}.
send(_, _) -> {error, einval}.

-spec setopts(socket(), list()) -> ok.
setopts(_, _) -> ok.

-spec controlling_process(socket(), pid()) -> ok.
controlling_process(_, _) -> ok.

-spec reset_stream(socket()) -> socket().
reset_stream({Peer, {opening, Transport}}) -> {Peer, Transport};
reset_stream(Socket) -> Socket.

-spec change_shaper(socket(), term()) -> ok.
change_shaper(_, Shaper) -> add({shaper, Shaper}).

-spec close(socket()) -> ok.
close(_) -> ok.

-spec sockname(socket()) -> {ok, endpoint()}.
sockname(_) -> {ok, {{0, 0, 0, 0}, 0}}.

%% @doc The web client's address, as the gateway saw it.
-spec peername(socket()) -> {ok, endpoint()}.
peername({Peer, _}) -> {ok, Peer}.

%% The process that ejabberd's log names. But a socket that the stream's own process owns when the stream
%% begins would get an XML parser.
-spec get_owner(socket()) -> pid().
get_owner({_, {opening, _}}) -> group_leader();
get_owner(_) -> self().

-spec get_transport(socket()) -> transport().
get_transport({_, {opening, Transport}}) -> Transport;
get_transport({_, Transport}) -> Transport.
