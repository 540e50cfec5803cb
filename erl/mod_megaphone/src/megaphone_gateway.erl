%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What goes to gateways: the one answer to each exchange, how far their requests were taken, and which sessions can
%%% answer none any more. Nothing here waits for a gateway that does not read, for it must not suspend sessions, and
%%% none is connected for the sake of an answer.
-module(megaphone_gateway).

-export([answer/4, last_answer/4, repeat/1, taken/2, full/2, gone/1]).

%% How many are told in one message.
-define(SIDS, 1000).

-type headers() :: [{iodata(), iodata()}].
-type status() :: 100..599.

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
