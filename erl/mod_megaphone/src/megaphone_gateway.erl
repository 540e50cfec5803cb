%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What goes to gateways: the one answer to each exchange, the frames of each socket, how far their requests were taken, and
%%% which sessions can answer none any more. Nothing here waits for a gateway that does not read, for it must not suspend sessions, and
%%% none is connected for the sake of an answer.
-module(megaphone_gateway).

-export([answer/4, last_answer/4, repeat/1, elsewhere/3, taken/2, full/2, gone/1, guest/1]).
-export([session/1, session/2, socket/1, last_of_socket/1, close/2, connection/1, connections/0]).

-export_type([connection/0]).

%% How many are told in one message.
-define(SIDS, 1000).

-type headers() :: [{iodata(), iodata()}].
-type status() :: 100..599.
%% Of this node with another, as long as it lasts.
-type connection() :: integer() | none.
-type to_socket() :: megaphone_websocket:effect().

%% @doc `busy': there is no room on the way to it, for now; `gone': there is no way to it.
-spec answer(ConnId :: pid(), status(), headers(), Body :: binary()) -> ok | busy | gone.
answer(ConnId, Status, Headers, Body) ->
    case erlang:send(ConnId, message(ConnId, Status, Headers, Body), [nosuspend, noconnect]) of
        ok -> ok;
        nosuspend -> busy;
        noconnect -> gone
    end.

%% @doc For those who cannot try again.
-spec last_answer(ConnId :: pid(), status(), headers(), Body :: binary()) -> ok.
last_answer(ConnId, Status, Headers, Body) ->
    send(ConnId, message(ConnId, Status, Headers, Body), byte_size(Body)).

%% @doc Nothing is known of this request: its client is to send it again, as it does after a 503.
-spec repeat(ConnId :: pid()) -> ok.
repeat(ConnId) ->
    last_answer(ConnId, 503, [{<<"retry-after">>, <<"0">>}], <<>>).

%% @doc Its session is on that node, as far as is known here, and there is no way there: the gateway may have one, or know that the node
%% is no more. The body of a request goes back with that, for the gateway has not kept it.
-spec elsewhere(ConnId :: pid(), node(), Body :: binary()) -> ok.
elsewhere(ConnId, Node, Body) ->
    case erlang:send(ConnId, {ConnId, elsewhere, Node, Body}, [nosuspend, noconnect]) of
        ok -> ok;
        _ -> repeat(ConnId)
    end.

%% @doc Everything that the gateway sent before it marked this place was taken.
-spec taken(node(), Place :: non_neg_integer()) -> ok.
taken(Gateway, Place) ->
    send({megaphone, Gateway}, {taken, Place}, 0).

%% @doc No creations for so many seconds, please. One that is lost is followed by others.
-spec full(node(), pos_integer()) -> ok.
full(Gateway, Seconds) ->
    _ = erlang:send({megaphone, Gateway}, {full, Seconds}, [nosuspend, noconnect]),
    ok.

%% @doc These sessions were killed without a word: nobody will answer what gateways hold for them. Which gateways do
%% is not known; to other hidden nodes it says nothing.
-spec gone([megaphone_sid:sid()]) -> ok.
gone([]) ->
    ok;
gone(Sids) ->
    Some = lists:sublist(Sids, ?SIDS),
    Message = {gone, Some},
    lists:foreach(fun(Gateway) -> send({megaphone, Gateway}, Message, iolist_size(Some)) end, nodes(hidden)),
    gone(lists:nthtail(length(Some), Sids)).

%% @doc Of an address, to all that there are, for its client may come by any. One that is lost is followed by others.
-spec guest({failed_login, Ip :: binary()} | {banned, Ip :: binary(), Seconds :: pos_integer()}) -> ok.
guest(Message) ->
    Tell = fun(Gateway) -> erlang:send({megaphone, Gateway}, Message, [nosuspend, noconnect]) end,
    lists:foreach(Tell, nodes(hidden)).

%%% WebSockets

%% @doc The calling process is the session of this socket. `gone': there is no way to it.
-spec session(ConnId :: pid()) -> ok | gone.
session(ConnId) -> session(ConnId, self()).

%% @doc This process is that of this socket, or exchange.
-spec session(ConnId :: pid(), pid()) -> ok | gone.
session(ConnId, Pid) ->
    Message = {ConnId, session, Pid},
    case erlang:send(ConnId, Message, [nosuspend, noconnect]) of
        ok -> ok;
        nosuspend -> megaphone_last_answers:send(ConnId, Message, 0);
        noconnect -> gone
    end.

%% @doc As answer/4.
-spec socket(to_socket()) -> ok | busy | gone.
socket(Effect) ->
    {ConnId, Message, Bytes} = to_socket(Effect),
    case erlang:send(ConnId, Message, [nosuspend, noconnect]) of
        ok -> megaphone_stats:add(bytes_out, Bytes);
        nosuspend -> busy;
        noconnect -> gone
    end.

-spec to_socket(to_socket()) -> {ConnId :: pid(), tuple(), Bytes :: non_neg_integer()}.
to_socket({frame, ConnId, Body}) -> {ConnId, {ConnId, frame, Body}, iolist_size(Body)};
to_socket({frame, ConnId, Body, Number}) -> {ConnId, {ConnId, frame, Body, Number}, iolist_size(Body)};
to_socket({taken, ConnId, Count}) -> {ConnId, {ConnId, taken, Count}, 0};
to_socket({close, ConnId, Code, Reason}) -> {ConnId, {ConnId, close, Code, Reason}, 0}.

%% @doc The last for a socket, for those who cannot try again. Where one has to wait, those behind it do.
-spec last_of_socket([to_socket()]) -> ok.
last_of_socket([]) ->
    ok;
last_of_socket([Effect | Effects] = All) ->
    case socket(Effect) of
        ok -> last_of_socket(Effects);
        gone -> ok;
        busy ->
            Later = fun(E) -> {ConnId, Message, Bytes} = to_socket(E), megaphone_last_answers:send(ConnId, Message, Bytes) end,
            lists:foreach(Later, All)
    end.

-spec close(ConnId :: pid(), Code :: 1000..4999) -> ok.
close(ConnId, Code) -> last_of_socket([{close, ConnId, Code, <<>>}]).

%% @doc The one with this node now; none with itself, and with a node that is not connected any more.
-spec connection(node()) -> connection().
connection(Node) -> maps:get(Node, connections(), none).

%% @doc All that there are.
-spec connections() -> #{node() => connection()}.
connections() -> maps:from_list([{Node, Id} || {Node, #{connection_id := Id}} <- nodes(connected, #{connection_id => true})]).

-spec message(pid(), status(), headers(), binary()) -> tuple().
message(ConnId, Status, [], Body) -> {ConnId, Status, Body};
message(ConnId, Status, Headers, Body) -> {ConnId, Status, Headers, Body}.

%% Where it has to wait, it does so in another process.
-spec send(pid() | {atom(), node()}, tuple(), Bytes :: non_neg_integer()) -> ok.
send(To, Message, Bytes) ->
    case erlang:send(To, Message, [nosuspend, noconnect]) of
        nosuspend -> megaphone_last_answers:send(To, Message, Bytes);
        _ -> ok
    end.
