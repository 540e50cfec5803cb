%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% WebSocket as a session's transport (RFC 7395): it reaches its client over one socket that a gateway holds, as
%%% megaphone_websocket decides and this carries out. Frames come straight from the gateway, past the shaper (megaphone_intake)
%%% and within what one may bring (megaphone_allowance), and are read by megaphone_framing; what the stream sends leaves at once.
%%%
%%% | message, from the gateway |                                                                          |
%%% |---------------------------|--------------------------------------------------------------------------|
%%% | ConnId, Frame             | a text frame of the client's                                             |
%%% | ConnId, written, Number   | our frame with this number, and all before it, is on its way to the client |
%%% | ConnId, read, Number      | the client has it, and all before it                                     |
%%% | ConnId, closed, Code      | the socket is gone; or the way to it is, as megaphone_index finds        |
%%%
%%% For which host a session is, its client says in its first frame. Until then it has nobody's limits.
-module(megaphone_via_websocket).
-include("megaphone_transport.hrl").

-export([new/2, name/0, open/3, begun/3, enter/3, failed/1, hear/4, late/2, rest/1, wait/3, next/2, flow/2, sent/2, flush/3, finish/5]).
-export([due/1, is_expired/1, info/1, conns/1, socket/1, shift/3]).

-type sid() :: megaphone_sid:sid().
-type who() :: megaphone_allowance:who().
-type reason() :: megaphone_condition:reason().
-type step() :: {ok, transport()} | {stop, reason(), transport()}.
-type ms() :: integer().
%% What the client is told at the end, where only this knows better.
-type fault() :: megaphone_allowance:fault().

-record(transport, {
    ws :: megaphone_websocket:websocket(),
    %% Of the nodes, by which it came.
    connection :: megaphone_gateway:connection(),
    max_frame :: pos_integer() | infinity,
    shaper = none :: ejabberd_shaper:shaper(),
    intake = megaphone_intake:new() :: megaphone_intake:intake(),
    %% What was read and is for next/2.
    frames = [] :: [{Bytes :: pos_integer(), megaphone_allowance:frame()}],
    fault = none :: fault()
}).
-type transport() :: #transport{}.

%% Frames that wait for the shaper, of one who has not logged in.
-define(STRANGERS_WAITING, 8).
%% As many as its gateway may send ahead.
-define(WAITING, 64).
%% Before the login. Nothing is sent before the host is known.
-define(NOBODYS, #{queue => 8192, inactivity => 30}).

%%% How it begins

-spec name() -> websocket.
name() -> websocket.

-spec open(pid(), none, sid()) -> {ok, Host :: binary(), transport()}.
open(ConnId, none, Sid) ->
    ok = megaphone_stats:add(sessions_opened, 1),
    T = new(ConnId, megaphone_c2s:max_bytes()),
    ok = enter(Sid, {0, 0, 0}, T),
    {ok, <<>>, T}.

%% @doc ejabberd takes frames up to `Max'.
-spec new(pid(), Max :: pos_integer() | infinity) -> transport().
new(ConnId, Max) ->
    #transport{
        ws = megaphone_websocket:new(ConnId, now_ms(), ?NOBODYS),
        connection = megaphone_gateway:connection(node(ConnId)),
        max_frame = Max
    }.

%% @doc The upgrade is granted. That is said after this session entered the index: where the connection of the nodes breaks
%% before, this goes nowhere, or its gateway says that the socket is gone; else the index finds it.
-spec begun(pid(), none, transport()) -> step().
begun(ConnId, none, T) ->
    case megaphone_gateway:session(ConnId) of
        ok -> {ok, T};
        gone -> {ok, gone(T)}
    end.

-spec enter(sid(), megaphone_sessions:gauges(), transport()) -> ok.
enter(Sid, Gauges, #transport{ws = Ws, connection = Connection}) ->
    megaphone_sessions:open(Sid, self(), Gauges, {megaphone_websocket:conn(Ws), Connection}).

%% @doc While it is asked for, that refuses it.
-spec failed(pid()) -> ok.
failed(ConnId) -> megaphone_gateway:close(ConnId, 1011).

%%% What the client sends

%% @doc Of its own socket, and nobody else's.
-spec hear(tuple(), sid(), who(), transport()) -> step().
hear(Message, _, Who, #transport{ws = Ws} = T) ->
    case megaphone_websocket:conn(Ws) =:= element(1, Message) of true -> heard(Message, Who, T); false -> {ok, T} end.

-spec heard(tuple(), who(), transport()) -> step().
heard({ConnId, Frame}, Who, #transport{ws = Ws, shaper = Shaper, intake = Intake} = T) ->
    Bytes = byte_size(Frame),
    ok = megaphone_stats:add(bytes_in, Bytes),
    Now = now_ms(),
    case megaphone_websocket:came(Bytes, Now, Ws) of
        {[], Ws1} ->
            Most = case Who of stranger -> ?STRANGERS_WAITING; user -> ?WAITING end,
            {When, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Frame}, Most, Now, Shaper, Intake),
            T1 = T#transport{ws = Ws1, shaper = Shaper1, intake = Intake1},
            case When of
                now -> {ok, read(Frame, Who, T1)};
                flood -> {stop, too_much_ahead, T1};
                later -> may_wait(Frame, Who, T1)
            end;
        {[{stop, Reason}], Ws1} ->
            {stop, Reason, T#transport{ws = Ws1}}
    end;
heard({_, read, Number}, _, #transport{ws = Ws} = T) ->
    carry_out(megaphone_websocket:read(Number, now_ms(), Ws), T);
heard({_, written, Number}, _, #transport{ws = Ws} = T) ->
    carry_out(megaphone_websocket:written(Number, now_ms(), Ws), T);
%% What it said before is heard: of what waits for the shaper nobody would tell it.
heard({_, closed, _}, Who, #transport{intake = Intake} = T) ->
    Read = fun({_, Frame}, Acc) -> read(Frame, Who, Acc) end,
    {ok, lists:foldl(Read, gone(T#transport{intake = megaphone_intake:new()}), megaphone_intake:all(Intake))}.

%% It ends with flush/3, when what was read is taken.
-spec gone(transport()) -> transport().
gone(#transport{ws = Ws} = T) -> T#transport{ws = megaphone_websocket:closed(Ws)}.

-spec may_wait(binary(), who(), transport()) -> step().
may_wait(Frame, Who, T) ->
    case megaphone_allowance:may_wait(Frame, Who) of
        true -> {ok, T};
        false -> {stop, too_much_ahead, T}
    end.

%% @doc Frames whose time has come.
-spec wait(sid(), who(), transport()) -> step().
wait(Sid, Who, #transport{intake = Intake} = T) ->
    case megaphone_intake:take(now_ms(), Intake) of
        none -> {ok, T};
        {_, open, Frame, Intake1} -> wait(Sid, Who, read(Frame, Who, T#transport{intake = Intake1}))
    end.

%% What is wrong ends the session when its turn comes, behind what came before.
-spec read(binary(), who(), transport()) -> transport().
read(Frame, Who, #transport{max_frame = Max, frames = Frames} = T) ->
    Bytes = byte_size(Frame),
    T#transport{frames = Frames ++ [{Bytes, megaphone_allowance:frame(Frame, Who, Max)}]}.

%% @doc The first frame says for which host it is.
-spec next(Host :: binary(), transport()) -> megaphone_transport:next().
next(_, #transport{frames = []}) ->
    none;
next(_, #transport{frames = [{_, {wrong, Reason, Fault}} | _]} = T) ->
    {stop, Reason, T#transport{frames = [], fault = Fault}};
next(<<>>, #transport{frames = [{_, {open, Open}} | _], ws = Ws} = T) ->
    case megaphone_opening:host(Open) of
        {ok, Host} ->
            #{host := Own} = Limits = mod_megaphone:limits(Host),
            {host, Own, T#transport{ws = megaphone_websocket:limits(Limits, Ws)}};
        {error, Condition} ->
            {stop, Condition, T}
    end;
next(<<>>, T) ->
    {stop, <<"bad-request">>, T#transport{fault = <<"bad-format">>}};
next(Host, #transport{frames = [{Bytes, Frame} | Frames]} = T) ->
    T1 = T#transport{frames = Frames},
    case Frame of
        {stanza, El} ->
            ok = megaphone_stats:add(stanzas_in, 1),
            {ok, Bytes, [{xmlstreamelement, El}], T1};
        {open, Open} ->
            {ok, Bytes, [megaphone_stream:start(Open, Host)], T1};
        close ->
            {ok, Bytes, [{xmlstreamend, <<"stream:stream">>}], T1#transport{ws = megaphone_websocket:closing(T#transport.ws)}}
    end.

%% Answers are larger than what asks for them, and no login leaves more than a few unread.
-spec flow(who(), transport()) -> megaphone_pending:flow().
flow(stranger, #transport{ws = Ws}) -> megaphone_websocket:flow(megaphone_websocket:limits(?NOBODYS, Ws));
flow(user, #transport{ws = Ws}) -> megaphone_websocket:flow(Ws).

%%% What the client is sent

-spec sent([megaphone_socket:event()], transport()) -> megaphone_transport:sent().
sent([], T) -> {ok, T};
sent(Sent, T) -> sent(Sent, now_ms(), none, T).

%% What is too much is taken to the end, like all else.
-spec sent([megaphone_socket:event()], ms(), none | {full, reason()}, transport()) -> megaphone_transport:sent().
sent([{xmlstreamelement, {xmlel, <<"stream:error">>, _, Children} = El} | Rest], _, _, T) ->
    {Error, _} = megaphone_framing:element(El),
    {ended, megaphone_stream:condition(Children), Error, Rest, T#transport{fault = megaphone_stream:said(Children)}};
sent([{xmlstreamelement, El} | Rest], Now, Full, T) ->
    {Frame, _} = megaphone_framing:element(El),
    enqueue({Frame, none}, Rest, Now, Full, T);
sent([{owed, El, Stanza} | Rest], Now, Full, T) ->
    {Frame, _} = megaphone_framing:element(El),
    enqueue({Frame, {Now, Stanza}}, Rest, Now, Full, T);
sent([{xmlstreamstart, _, Attrs} | Rest], Now, Full, T) ->
    enqueue({megaphone_framing:open(Attrs), none}, Rest, Now, Full, T);
sent([{shaper, Shaper} | Rest], Now, Full, T) ->
    sent(Rest, Now, Full, T#transport{shaper = Shaper});
sent([_ | Rest], Now, Full, T) ->
    sent(Rest, Now, Full, T);
sent([], _, none, T) ->
    {ok, T};
sent([], _, {full, Reason}, T) ->
    {stop, Reason, T}.

-spec enqueue(megaphone_queue:item(), Rest, ms(), none | {full, reason()}, transport()) -> megaphone_transport:sent() when
    Rest :: [megaphone_socket:event()].
enqueue(Item, Rest, Now, Full, #transport{ws = Ws} = T) ->
    case carry_out(megaphone_websocket:enqueue(Item, Now, Ws), T) of
        {ok, T1} -> sent(Rest, Now, Full, T1);
        {stop, Reason, T1} -> sent(Rest, Now, {full, Reason}, T1)
    end.

%% @doc What waited for room may leave, and its gateway hears how far its frames were taken. `Left': what the stream has not
%% got yet.
-spec flush(boolean(), Left :: megaphone_pending:pending(), transport()) -> step().
flush(_, Left, #transport{ws = Ws} = T) ->
    case carry_out(megaphone_websocket:flush(now_ms(), Ws), T) of
        {ok, #transport{ws = Ws1} = T1} ->
            case megaphone_websocket:ahead(Ws1) of
                none -> {ok, T1};
                {Frames, Bytes} -> took(Frames, Bytes, Left, T1)
            end;
        Stop ->
            Stop
    end.

%% Of so many.
-spec took(pos_integer(), pos_integer(), megaphone_pending:pending(), transport()) -> step().
took(Frames, Bytes, Left, #transport{ws = Ws, intake = Intake} = T) ->
    {Pending, PendingBytes} = megaphone_pending:size(Left),
    Waiting = megaphone_intake:all(Intake),
    WaitingBytes = lists:sum([byte_size(Frame) || {_, Frame} <- Waiting]),
    carry_out(megaphone_websocket:took(Frames - Pending - length(Waiting), Bytes - PendingBytes - WaitingBytes, Ws), T).

%% What megaphone_websocket wants done, but for the end of the session.
-spec carry_out({[megaphone_websocket:effect()], megaphone_websocket:websocket()}, transport()) -> step().
carry_out({Effects, Ws}, T) -> carry_out(Effects, Ws, T).

-spec carry_out([megaphone_websocket:effect()], megaphone_websocket:websocket(), transport()) -> step().
carry_out([], Ws, T) ->
    {ok, T#transport{ws = Ws}};
carry_out([{count, Counter} | Effects], Ws, T) ->
    ok = megaphone_stats:add(Counter, 1),
    carry_out(Effects, Ws, T);
carry_out([{stop, Reason} | _], Ws, T) ->
    {stop, Reason, T#transport{ws = Ws}};
carry_out([Effect | Effects] = All, Ws, T) ->
    case megaphone_gateway:socket(Effect) of
        ok ->
            carry_out(Effects, Ws, T);
        Why ->
            {More, Ws1} = megaphone_websocket:undelivered(Why, All, now_ms(), Ws),
            carry_out(More, Ws1, T)
    end.

%%% The end

%% @doc One that never heard anything is told whose stream it is that ends (RFC 6120 §4.9.1.2).
-spec finish(megaphone_condition:condition() | resumable, Error :: iodata(), For :: who() | nobody, sid(), transport()) -> [megaphone_queue:owed()].
finish(Condition, Error, _, _, #transport{ws = Ws, fault = Fault}) ->
    Told = case Fault of none -> Condition; _ -> Fault end,
    {Effects, Owed} = megaphone_websocket:finish(Told, Error, now_ms(), Ws),
    IsFirst = Effects =/= [] andalso not megaphone_websocket:has_sent(Ws),
    ok = megaphone_gateway:last_of_socket([{frame, megaphone_websocket:conn(Ws), megaphone_framing:header()} || IsFirst] ++ Effects),
    Owed.

%% @doc Nobody waits for an answer.
-spec late(tuple(), sid()) -> ok.
late(_, _) -> ok.

-spec rest(sid()) -> ok.
rest(_) -> ok.

%%% What it is like

%% Atoms sort behind numbers: `infinity' is the largest.
-spec due(transport()) -> ms() | infinity.
due(#transport{ws = Ws, intake = Intake}) -> min(megaphone_websocket:due(Ws), megaphone_intake:due(Intake)).

-spec is_expired(transport()) -> boolean().
is_expired(#transport{ws = Ws}) -> megaphone_websocket:is_expired(now_ms(), Ws).

-spec info(transport()) -> megaphone_transport:info().
info(#transport{ws = Ws}) -> megaphone_websocket:info(Ws).

-spec conns(transport()) -> [pid()].
conns(#transport{ws = Ws}) -> [megaphone_websocket:conn(Ws)].

-spec socket(transport()) -> {pid(), boolean()}.
socket(#transport{ws = Ws}) -> {megaphone_websocket:conn(Ws), megaphone_websocket:is_under_way(Ws)}.

-spec shift(ms(), fun((Limits) -> Limits), transport()) -> transport().
shift(By, Own, #transport{ws = Ws, intake = Intake} = T) ->
    Connection = megaphone_gateway:connection(node(megaphone_websocket:conn(Ws))),
    T#transport{ws = megaphone_websocket:shift(By, Own, Ws), intake = megaphone_intake:shift(By, Intake), connection = Connection}.

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
