%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What must wait for a gateway that does not read, and whose sender cannot try again: last answers, and marks of what
%%% was taken. One process for each such gateway waits with what came first; what comes meanwhile queues here, within limits:
%%% beyond them answers are dropped, and their clients repeat.
-module(megaphone_last_answers).
-behaviour(gen_server).

-export([start_link/0, send/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-type to() :: pid() | {atom(), node()}.

%% Of what waits for one gateway; as much again may be with its process.
-define(MAX_BYTES, 33554432).
%% What a message takes beside its body.
-define(OVERHEAD, 200).

-record(box, {
    %% The process that waits, and what queues behind it, newest first.
    sender :: reference(),
    queue = [] :: [{to(), tuple()}],
    bytes = 0 :: non_neg_integer()
}).

-type boxes() :: #{node() => #box{}}.
-type next_state() :: {noreply, boxes()} | {stop, {shutdown, term()}, boxes()}.

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Sends this as soon as there is room; `Bytes' is the size of its body. Nothing of that size is dropped.
-spec send(to(), tuple(), Bytes :: non_neg_integer()) -> ok.
send(To, Message, Bytes) ->
    gen_server:cast(?MODULE, {send, To, Message, Bytes}).

-spec init([]) -> {ok, boxes()}.
init([]) ->
    {ok, #{}}.

-spec handle_call(term(), {pid(), term()}, boxes()) -> {reply, {error, unknown_request}, boxes()}.
handle_call(_, _, Boxes) ->
    {reply, {error, unknown_request}, Boxes}.

-spec handle_cast(term(), boxes()) -> next_state().
handle_cast(Cast, Boxes) -> guard(fun queue/2, Cast, Boxes).

-spec handle_info(term(), boxes()) -> next_state().
handle_info(Info, Boxes) -> guard(fun hear/2, Info, Boxes).

%% @doc Users' messages are in all of it.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) -> megaphone_fault:hide(Status).

%% Left to gen_server and proc_lib a fault would be told with state and mailbox; so the supervisor tells it.
-spec guard(fun((Message, boxes()) -> boxes()), Message, boxes()) -> next_state() when Message :: term().
guard(Callback, Message, Boxes) ->
    try
        {noreply, Callback(Message, Boxes)}
    catch
        _:Reason:Stack ->
            #{reason := Kind} = megaphone_fault:hide(#{reason => Reason}),
            Places = [{M, F, proplists:get_value(line, Info, 0)} || {M, F, _, Info} <- lists:sublist(Stack, 5)],
            {stop, {shutdown, {fault, Kind, Places}}, Boxes}
    end.

-spec queue({send, to(), tuple(), non_neg_integer()}, boxes()) -> boxes().
queue({send, To, Message, Bytes}, Boxes) ->
    Gateway = gateway(To),
    case Boxes of
        #{Gateway := #box{bytes = Waiting}} when Bytes > 0, Waiting + Bytes > ?MAX_BYTES ->
            ok = megaphone_stats:add(answers_dropped, 1),
            Boxes;
        #{Gateway := #box{queue = Queue, bytes = Waiting} = Box} ->
            Boxes#{Gateway := Box#box{queue = [{To, Message} | Queue], bytes = Waiting + Bytes + ?OVERHEAD}};
        #{} ->
            Boxes#{Gateway => #box{sender = start_sender([{To, Message}])}}
    end.

-spec hear(term(), boxes()) -> boxes().
hear({'DOWN', Ref, process, _, _}, Boxes) ->
    [Gateway] = [G || {G, #box{sender = Sender}} <- maps:to_list(Boxes), Sender =:= Ref],
    case Boxes of
        #{Gateway := #box{queue = []}} -> maps:remove(Gateway, Boxes);
        #{Gateway := #box{queue = Queue}} -> Boxes#{Gateway := #box{sender = start_sender(lists:reverse(Queue))}}
    end;
hear(_, Boxes) ->
    Boxes.

-spec gateway(to()) -> node().
gateway({_, Node}) -> Node;
gateway(Pid) -> node(Pid).

%% Linked: it must not outlive this process, whose successor would start a second one.
-spec start_sender([{to(), tuple()}]) -> reference().
start_sender(Queue) ->
    Send = fun({To, Message}) -> erlang:send(To, Message, [noconnect]) end,
    {_, Ref} = spawn_opt(fun() -> lists:foreach(Send, Queue) end, [link, monitor]),
    Ref.
