%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The Erlang side of `make bench-link': `source' sends {ConnId, Binary} as often as it is asked to, `sink' takes as
%%% many as it was announced and says when it has them all.
-module(link_peer).

-export([start/1]).

%% @doc Bytes is the size of each binary of the source.
-spec start(non_neg_integer()) -> ok.
start(Bytes) ->
    Body = binary:copy(<<"x">>, Bytes),
    Source = spawn(fun() -> source(Body) end),
    %% Messages that wait are not copied by each garbage collection.
    Sink = spawn_opt(fun sink/0, [{message_queue_data, off_heap}]),
    true = register(source, Source),
    true = register(sink, Sink),
    ok.

-spec source(binary()) -> no_return().
source(Body) ->
    receive
        {ConnId, Count} -> send(binary_to_integer(Count), ConnId, {ConnId, Body})
    end,
    source(Body).

-spec send(non_neg_integer(), pid(), {pid(), binary()}) -> ok.
send(0, _, _) ->
    ok;
send(Left, ConnId, Message) ->
    ConnId ! Message,
    send(Left - 1, ConnId, Message).

-spec sink() -> no_return().
sink() ->
    receive
        {ConnId, Count} ->
            ok = take(binary_to_integer(Count)),
            ConnId ! {ConnId, <<"all">>}
    end,
    sink().

-spec take(non_neg_integer()) -> ok.
take(0) ->
    ok;
take(Left) ->
    receive
        {_, _} -> take(Left - 1)
    end.
