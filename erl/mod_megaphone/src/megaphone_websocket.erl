%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One client's WebSocket as a pure state machine: events go in, with the time in milliseconds, and effects come out, to be
%%% carried out in their order. It knows no process, no socket and no clock. A frame has left once its gateway was sent it, is
%%% written once the gateway's kernel took it (written/3), and with the client once that proved it (read/3). Its state is that of
%%% the way to the client:
%%%
%%%   clear  nothing waits: a frame leaves as it comes
%%%   full   so much is not known to be written, or so much of what is owed to be read, that what comes waits
%%%   busy   there was no room on the way to the gateway: what was to leave is tried again, and all else waits behind it
%%%   gone   nothing reaches the client any more: the session ends, after a `closed' with the next flush/2
%%%
%%%         | a frame that fits | one that does not | some is written | all is written | no room | its time came | no way
%%%   clear | clear, leaves     | full              | ·               | ·              | busy    | ·             | gone
%%%   full  | full              | full              | full, leaves    | clear, leaves  | busy  | ·             | gone
%%%   busy  | busy              | busy              | ·               | ·              | busy    | clear, leaves | gone
%%%   gone  | gone              | gone              | ·               | ·              | ·       | ·             | ·
%%%
%%% (·: nothing changes. The test reads this table.) Leaves: frames do, as many as there is room for. No room, no way: for what
%%% was to leave (undelivered/4), or its socket is gone (closed/1). Its time: flush/2's, after pauses that double.
%%%
%%% What is owed (megaphone_handback) is kept until it is read: the kernels on the way take megabytes for a client that reads
%%% nothing. So with 256 kB of it written and not read nothing more leaves. The client's word that it has read may stand behind
%%% all that it sent before: where only that is waited for, what it sends is taken (flow/1). Nothing is asked for twice: the
%%% later proves the earlier. The other direction has no states: the client's frames are counted as they come (came/3) and as
%%% its stream takes them (took/3), and its gateway sends no more than a window ahead of that.
-module(megaphone_websocket).

-export([new/3, limits/2, came/3, took/3, ahead/1, closing/1, closed/1, enqueue/3, written/3, read/3, flush/2, undelivered/4, finish/4]).
-export([conn/1, has_sent/1, is_under_way/1, flow/1, due/1, is_expired/2, info/1, shift/3]).

-export_type([websocket/0, effect/0]).

-type conn() :: pid().
-type ms() :: integer().
-type reason() :: megaphone_condition:reason().
-type effect() ::
    {frame, conn(), Body :: iodata()}
    %% When it is written, and when the client has it, written/3 and read/3 are to be told.
    | {frame, conn(), Body :: iodata(), Number :: pos_integer()}
    | {taken, conn(), Count :: pos_integer()}
    %% The last of all.
    | {close, conn(), Code :: 1000..4999, Reason :: binary()}
    | {count, stanzas_out}
    | {stop, reason()}.
%% Asked for, newest first: the bytes since the one before it, and what it owes.
-type asked() :: [{Number :: pos_integer(), Bytes :: pos_integer(), unwritten | written, megaphone_queue:owed() | none}].
%% As mod_megaphone has them.
-type limits() :: #{queue := pos_integer(), inactivity := pos_integer(), _ => _}.
-type way() :: clear | full | {busy, Unsent :: [effect(), ...], Due :: ms()} | gone.

-record(ws, {
    conn :: conn(),
    limits :: limits(),
    %% When the client last said something; has it said that it goes.
    heard :: ms(),
    closing = false :: boolean(),
    %% Frames of the client's that were reported as taken; those that came since, and their bytes.
    reported = 0 :: non_neg_integer(),
    came = 0 :: non_neg_integer(),
    came_bytes = 0 :: non_neg_integer(),
    way = clear :: way(),
    %% How long there was no room, as long as that lasts.
    pause = 0 :: ms(),
    %% What has not left.
    queue = megaphone_queue:new() :: megaphone_queue:queue(),
    %% Frames that left; bytes of those that are not known to be written, of those behind the last that was asked for, and of
    %% those that are kept and written.
    sent = 0 :: non_neg_integer(),
    unwritten = 0 :: non_neg_integer(),
    unasked = 0 :: non_neg_integer(),
    kept = 0 :: non_neg_integer(),
    asked = [] :: asked()
}).

-opaque websocket() :: #ws{}.

%% How far the gateway may be ahead; one frame may go beyond the bytes.
-define(WINDOW_FRAMES, 64).
-define(WINDOW_BYTES, 65536).
-define(REPORT_FRAMES, 16).
-define(REPORT_BYTES, 16384).
%% How much may be unwritten; one frame may go beyond.
-define(UNWRITTEN_BYTES, 131072).
%% How much of what is owed may be written and unread; what is unwritten may go beyond.
-define(UNREAD_BYTES, 262144).
-define(ASK_BYTES, 16384).
-define(FIRST_PAUSE, 50).
-define(LONGEST_PAUSE, 5000).
%% Why the session ends then.
-define(GONE, <<"remote-connection-failed">>).

-spec new(conn(), ms(), limits()) -> websocket().
new(Conn, Now, Limits) -> #ws{conn = Conn, limits = Limits, heard = Now}.

%% @doc From now on it has these.
-spec limits(limits(), websocket()) -> websocket().
limits(Limits, W) -> W#ws{limits = Limits}.

%%% What the client sends

%% @doc A frame of so many bytes.
-spec came(Bytes :: non_neg_integer(), ms(), websocket()) -> {[effect()], websocket()}.
came(_, _, #ws{came = Came, came_bytes = Before} = W) when Came >= ?WINDOW_FRAMES; Before >= ?WINDOW_BYTES ->
    {[{stop, too_much_pending}], W};
came(Bytes, Now, #ws{came = Came, came_bytes = Before} = W) ->
    {[], W#ws{came = Came + 1, came_bytes = Before + Bytes, heard = Now}}.

%% @doc Those that came and were not reported as taken, and their bytes, where there may be so many that it is to be said if
%% they were.
-spec ahead(websocket()) -> {Frames :: pos_integer(), Bytes :: non_neg_integer()} | none.
ahead(#ws{came = Came, came_bytes = Bytes}) when Came < ?REPORT_FRAMES, Bytes < ?REPORT_BYTES -> none;
ahead(#ws{came = Came, came_bytes = Bytes}) -> {Came, Bytes}.

%% @doc So many of those went to the stream.
-spec took(Frames :: non_neg_integer(), Bytes :: non_neg_integer(), websocket()) -> {[effect()], websocket()}.
took(Frames, Bytes, #ws{way = Way} = W) when Frames < ?REPORT_FRAMES, Bytes < ?REPORT_BYTES; Way =:= gone; is_tuple(Way) ->
    {[], W};
took(Frames, Bytes, #ws{conn = Conn, reported = Before, came = Came, came_bytes = CameBytes} = W) ->
    Count = Before + Frames,
    {[{taken, Conn, Count}], W#ws{reported = Count, came = Came - Frames, came_bytes = CameBytes - Bytes}}.

%% @doc It said that it goes (RFC 7395 §3.6), but listens until we say so.
-spec closing(websocket()) -> websocket().
closing(W) -> W#ws{closing = true}.

%% @doc Its socket is gone.
-spec closed(websocket()) -> websocket().
closed(W) -> W#ws{way = gone}.

%%% What is for the client

%% @doc A frame for it. It is to be slow for a time, but not for ever, and not without bounds.
-spec enqueue(megaphone_queue:item(), ms(), websocket()) -> {[effect()], websocket()}.
enqueue({Body, _} = Item, _, #ws{way = clear, unwritten = Unwritten, kept = Kept} = W) when Unwritten < ?UNWRITTEN_BYTES, Kept < ?UNREAD_BYTES ->
    {Frame, W1} = leave(Item, iolist_size(Body), W),
    {[{count, stanzas_out}, Frame], W1};
enqueue(Item, Now, #ws{way = clear} = W) ->
    wait(Item, Now, W#ws{way = full});
enqueue(Item, Now, W) ->
    wait(Item, Now, W).

-spec wait(megaphone_queue:item(), ms(), websocket()) -> {[effect()], websocket()}.
wait(Item, Now, #ws{queue = Queue, limits = #{queue := Limit, inactivity := Inactivity}} = W) ->
    Queue1 = megaphone_queue:add(Item, stanza, Now, 0, Queue),
    Ends = [{stop, too_much_queued} || megaphone_queue:is_too_slow(Now, Limit, Inactivity * 1000, Queue1)],
    {[{count, stanzas_out} | Ends], W#ws{queue = Queue1}}.

-spec leave(megaphone_queue:item(), Bytes :: non_neg_integer(), websocket()) -> {effect(), websocket()}.
leave({Body, none}, Bytes, #ws{conn = Conn, sent = Sent, unwritten = Unwritten, unasked = Unasked} = W) when Unasked + Bytes < ?ASK_BYTES ->
    {{frame, Conn, Body}, W#ws{sent = Sent + 1, unwritten = Unwritten + Bytes, unasked = Unasked + Bytes}};
leave({Body, Owed}, Bytes, #ws{conn = Conn, sent = Sent, unwritten = Unwritten, unasked = Unasked, asked = Asked} = W) ->
    Number = Sent + 1,
    {{frame, Conn, Body, Number}, W#ws{
        sent = Number, unwritten = Unwritten + Bytes, unasked = 0, asked = [{Number, Unasked + Bytes, unwritten, Owed} | Asked]
    }}.

%% @doc The gateway's kernel took the frame with this number, and all before it.
-spec written(Number :: pos_integer(), ms(), websocket()) -> {[effect()], websocket()}.
written(Number, Now, #ws{unwritten = Unwritten, kept = Kept, asked = Asked} = W) ->
    {Behind, Rest} = lists:splitwith(fun({N, _, _, _}) -> N > Number end, Asked),
    {New, Old} = lists:splitwith(fun({_, _, How, _}) -> How =:= unwritten end, Rest),
    New1 = [{N, Bytes, written, Owed} || {N, Bytes, _, Owed} <- New, Owed =/= none],
    drain(Now, W#ws{unwritten = Unwritten - bytes(New), kept = Kept + bytes(New1), asked = Behind ++ New1 ++ Old}).

%% @doc The client has the frame with this number, and all before it.
-spec read(Number :: pos_integer(), ms(), websocket()) -> {[effect()], websocket()}.
read(Number, Now, #ws{unwritten = Unwritten, kept = Kept, asked = Asked} = W) ->
    {Left, Read} = lists:splitwith(fun({N, _, _, _}) -> N > Number end, Asked),
    {New, Old} = lists:splitwith(fun({_, _, How, _}) -> How =:= unwritten end, Read),
    drain(Now, W#ws{unwritten = Unwritten - bytes(New), kept = Kept - bytes(Old), asked = Left}).

-spec bytes(asked()) -> non_neg_integer().
bytes(Asked) -> lists:foldl(fun({_, Bytes, _, _}, Sum) -> Sum + Bytes end, 0, Asked).

%% Where it is full, as long as there is room.
-spec drain(ms(), websocket()) -> {[effect()], websocket()}.
drain(_, #ws{way = Way} = W) when Way =/= full -> {[], W};
drain(Now, #ws{queue = Queue, unwritten = Unwritten, kept = Kept} = W) ->
    case megaphone_queue:size(Queue) of
        0 ->
            {[], W#ws{way = clear}};
        _ when Unwritten < ?UNWRITTEN_BYTES, Kept < ?UNREAD_BYTES ->
            {Items, _, Queue1} = megaphone_queue:take(?UNWRITTEN_BYTES - Unwritten, Now, Queue),
            {Frames, W1} = lists:mapfoldl(fun({Body, _} = Item, Acc) -> leave(Item, iolist_size(Body), Acc) end, W#ws{queue = Queue1}, Items),
            {More, W2} = drain(Now, W1),
            {Frames ++ More, W2};
        _ ->
            {[], W}
    end.

%% @doc What is due leaves. Where nothing is, the last try was not in vain.
-spec flush(ms(), websocket()) -> {[effect()], websocket()}.
flush(Now, #ws{way = {busy, Unsent, Due}} = W) when Due =< Now ->
    {Frames, W1} = drain(Now, W#ws{way = full}),
    {Unsent ++ Frames, W1};
flush(_, #ws{way = {busy, _, _}} = W) ->
    {[], W};
flush(_, #ws{way = gone} = W) ->
    {[{stop, ?GONE}], W};
flush(_, #ws{pause = 0} = W) ->
    {[], W};
flush(_, W) ->
    {[], W#ws{pause = 0}}.

%% @doc The first of these effects did not leave, so none of those for the gateway may: `busy', there is no room on the way
%% to it; `gone', there is no way. The others are left to be carried out.
-spec undelivered(busy | gone, [effect(), ...], ms(), websocket()) -> {[effect()], websocket()}.
undelivered(Why, Effects, Now, W) ->
    {Others, Unsent} = lists:partition(fun(Effect) -> lists:member(element(1, Effect), [count, stop]) end, Effects),
    {More, W1} = unsent(Why, Unsent, Now, W),
    {Others ++ More, W1}.

-spec unsent(busy | gone, [effect(), ...], ms(), websocket()) -> {[effect()], websocket()}.
unsent(_, _, _, #ws{way = gone} = W) ->
    {[], W};
unsent(gone, _, _, W) ->
    {[{stop, ?GONE}], closed(W)};
unsent(busy, Effects, _, #ws{way = {busy, Unsent, Due}} = W) ->
    {[], W#ws{way = {busy, Unsent ++ Effects, Due}}};
unsent(busy, Effects, Now, #ws{pause = Before} = W) ->
    Pause = case Before of 0 -> ?FIRST_PAUSE; _ -> min(2 * Before, ?LONGEST_PAUSE) end,
    {[], W#ws{way = {busy, Effects, Now + Pause}, pause = Pause}}.

%%% The end

%% @doc The last frames. `Error' is the stream's, or nothing where the condition is to be told. What the client may not have
%% and is owed to its user, oldest first, is for the caller to deliver by another way; one that says goodbye gets what
%% waits, as far as there is room, and what there is none for is owed.
-spec finish(megaphone_closing:condition(), Error :: iodata(), ms(), websocket()) ->
    {[effect()], [megaphone_queue:owed()]}.
finish(client, _, _, #ws{way = gone, queue = Queue}) ->
    {[], megaphone_queue:all_owed(Queue)};
finish(_, _, _, #ws{way = gone} = W) ->
    {[], owed(W)};
finish(client, _, Now, #ws{conn = Conn, way = Way} = W) ->
    {Frames, #ws{queue = Left}} = drain(Now, W#ws{way = full}),
    Unsent = case Way of {busy, Waiting, _} -> Waiting; _ -> [] end,
    {[Body], Code, Reason} = megaphone_closing:last(client, []),
    {Unsent ++ Frames ++ [{frame, Conn, Body}, {close, Conn, Code, Reason}], megaphone_queue:all_owed(Left)};
finish(Condition, Error, _, #ws{conn = Conn} = W) ->
    {Bodies, Code, Reason} = megaphone_closing:last(Condition, Error),
    {[{frame, Conn, Body} || Body <- Bodies] ++ [{close, Conn, Code, Reason}], owed(W)}.

-spec owed(websocket()) -> [megaphone_queue:owed()].
owed(#ws{asked = Asked, queue = Queue}) ->
    lists:reverse([Owed || {_, _, _, Owed} <- Asked, Owed =/= none]) ++ megaphone_queue:all_owed(Queue).

%%% What it is like

%% @doc Did anything leave?
-spec has_sent(websocket()) -> boolean().
has_sent(#ws{sent = Sent}) -> Sent > 0.

%% @doc May there be frames that its gateway has not got yet?
-spec is_under_way(websocket()) -> boolean().
is_under_way(#ws{unwritten = Unwritten}) -> Unwritten > 0.

-spec conn(websocket()) -> conn().
conn(#ws{conn = Conn}) -> Conn.

%% @doc May what it sends go on, or does too much wait for it?
-spec flow(websocket()) -> megaphone_pending:flow().
flow(#ws{way = clear}) ->
    open;
flow(#ws{way = full, unwritten = Unwritten}) when Unwritten < ?UNWRITTEN_BYTES ->
    open;
flow(#ws{queue = Queue, closing = Closing, limits = #{queue := Limit}}) ->
    case megaphone_queue:is_full(Limit, Queue) of
        false -> open;
        true when Closing -> leaving;
        true -> full
    end.

%% @doc When flush/2 or is_expired/2 will next have something to say.
-spec due(websocket()) -> ms() | infinity.
due(#ws{way = {busy, _, Due}}) -> Due;
due(#ws{way = full} = W) -> patience(W);
due(_) -> infinity.

%% @doc Was nothing written for too long? Where no room is on the way to it, it is held up by us; and that its
%% socket lives is its gateway's to know.
-spec is_expired(ms(), websocket()) -> boolean().
is_expired(Now, #ws{way = full} = W) -> Now >= patience(W);
is_expired(_, _) -> false.

-spec patience(websocket()) -> ms().
patience(#ws{queue = Queue, limits = #{inactivity := Inactivity}}) -> megaphone_queue:since(Queue) + Inactivity * 1000.

%% @doc For whoever reports it or needs its room.
-spec info(websocket()) -> megaphone_transport:info().
info(#ws{heard = Heard, closing = Closing}) -> #{held => 0, paused => false, terminating => Closing, idle_from => Heard}.

%% @doc The same on a clock that is so much ahead, with limits as another node has them.
-spec shift(ms(), fun((Limits) -> Limits), websocket()) -> websocket().
shift(By, Own, #ws{heard = Heard, way = Way, queue = Queue, asked = Asked, limits = Limits} = W) ->
    W#ws{limits = Own(Limits), heard = Heard + By,
        way = case Way of {busy, Unsent, Due} -> {busy, Unsent, Due + By}; _ -> Way end,
        queue = megaphone_queue:shift(By, Queue),
        asked = [{N, Bytes, How, case Owed of none -> none; {At, Stanza} -> {At + By, Stanza} end} || {N, Bytes, How, Owed} <- Asked]}.
