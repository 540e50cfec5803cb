%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A client, its gateway and its session around the state machine: the client reads when it likes, the gateway tells what is
%%% written and proves what was read, the way to it has no room for a time, and the stream takes what it wants. The client must get every stanza
%%% once and in order; where it vanishes, what it may lack is owed, and nothing that it provably has; and neither direction
%%% holds more than its window, nor stands still.
-module(prop_megaphone_websocket).

-include_lib("proper/include/proper.hrl").

-export([prop_everything_arrives_once_and_in_order/0, prop_what_did_not_arrive_is_owed/0, prop_a_flood_ends_it/0]).

-define(UNWRITTEN, 131072).
-define(UNREAD, 262144).
-define(ASK, 16384).

%% Stanzas are numbered as their frames are, from 1; each tells its number.
-record(world, {
    ws,
    %% Its limit.
    queue,
    now = 0,
    stopped = none,
    %% There is no room on the way to the gateway.
    busy = false,
    %% To the client: made by the stream, and their bytes; of these owed; as they left, newest first: {Number, Bytes, IsAsked}.
    made = 0,
    bytes = 0,
    owed = [],
    left = [],
    %% With the gateway, and on the way from there to the client; what that has, newest first; what the gateway says of it.
    wire = [],
    pipe = [],
    %% What is to be told of what is written: bytes since it last was, what is told, and what was heard of that.
    untold = 0,
    told = [],
    written = 0,
    seen = [],
    asked = 0,
    proofs = [],
    proved = 0,
    %% From the client: sizes of frames that the gateway keeps back, that it may not know to be taken, and that the stream may take.
    kept = [],
    untaken = [],
    came = [],
    %% How many frames were reported as taken.
    reported = 0
}).

prop_everything_arrives_once_and_in_order() ->
    ?FORALL(
        {Queue, Steps},
        {oneof([1000, 100000, 1000000]), steps()},
        megaphone_property:holds(fun() ->
            W = lists:foldl(fun step/2, world(Queue), Steps),
            case W of
                #world{stopped = none} ->
                    #world{made = Made, seen = Seen, ws = Ws, now = Now, came = [], kept = []} = drain(W#world{busy = false}, 1000),
                    {_, Owed} = megaphone_websocket:finish(<<"system-shutdown">>, [], Now, Ws),
                    {lists:reverse(Seen), Owed =/= []} =:= {lists:seq(1, Made), false} orelse {failed, W};
                #world{stopped = too_much_queued} ->
                    3 * waiting(W) > most(W) orelse {failed, W}
            end
        end)
    ).

%% The client says goodbye, or its session ends, or its socket does; it may read what is on the way to it still.
prop_what_did_not_arrive_is_owed() ->
    ?FORALL(
        {Queue, Steps, End, ReadsOn},
        {oneof([1000, 100000]), steps(), oneof([client, <<"policy-violation">>, closed, gone]), boolean()},
        megaphone_property:holds(fun() ->
            Ran = lists:foldl(fun step/2, world(Queue), Steps),
            {Last, Back, #world{made = Made, seen = Seen, owed = Owed, proved = Proved}} = ends(End, Ran, ReadsOn),
            Lacks = [N || N <- lists:seq(1, Made), lists:member(N, Owed), not lists:member(N, Seen ++ Last)],
            %% What left for a client that says goodbye is given to nobody else.
            Expected = case End of client -> Last ++ Back; _ -> Back end,
            Missing = case {End, ReadsOn} of {client, false} -> []; _ -> Lacks -- Expected end,
            Twice = [N || N <- Back, N =< Proved orelse lists:member(N, Last)],
            InOrder = lists:usort(Back) =:= Back andalso increase(lists:reverse(Seen) ++ Last),
            {Missing, Twice, InOrder} =:= {[], [], true} orelse {failed, End, Missing, Twice, Back, Ran}
        end)
    ).

%% A gateway that keeps to no window.
prop_a_flood_ends_it() ->
    ?FORALL(
        Sizes,
        ?LET(N, range(1, 200), vector(N, oneof([range(0, 100), range(0, 3000)]))),
        begin
            Came = fun(Size, {Stops, Count, Bytes, Ws}) ->
                {Effects, Ws1} = megaphone_websocket:came(Size, 0, Ws),
                case Effects of
                    [] -> {Stops, Count + 1, Bytes + Size, Ws1};
                    [{stop, too_much_pending}] -> {Stops + 1, Count, Bytes, Ws1}
                end
            end,
            {Stops, Count, Bytes, _} = lists:foldl(Came, {0, 0, 0, ws(1000)}, Sizes),
            Count =< 64 andalso Bytes < 65536 + 3000 andalso
                (Stops > 0) =:= (length(Sizes) > 64 orelse lists:sum(lists:sublist(Sizes, length(Sizes) - 1)) >= 65536)
        end
    ).

steps() -> ?LET(N, range(0, 150), vector(N, step())).

step() ->
    frequency([
        {6, {stanza, boolean(), frequency([{8, range(4, 300)}, {3, range(4, 20000)}, {1, range(100000, 200000)}])}},
        {4, {write, range(1, 20)}},
        {4, tell},
        {4, {read, range(1, 20)}},
        {4, prove},
        {4, {say, range(1, 40), oneof([range(0, 200), range(0, 20000)])}},
        {4, {take, range(1, 60)}},
        {3, {busy, boolean()}},
        {2, {move, range(-100000, 100000)}},
        {4, {pass, range(1, 6000)}}
    ]).

ws(Queue) -> megaphone_websocket:new(self(), 0, #{queue => Queue, inactivity => 1000000}).

world(Queue) ->
    ok = megaphone_chars:prepare(),
    #world{ws = ws(Queue), queue = Queue}.

step(_, #world{stopped = Reason} = W) when Reason =/= none -> W;
step(Step, W) -> check(happens(Step, W)).

happens({stanza, IsOwed, Bytes}, #world{ws = Ws, now = Now, made = Made, owed = Owed} = W) ->
    N = Made + 1,
    Item = {<<N:32, 0:((Bytes - 4) * 8)>>, case IsOwed of true -> {Now, {N}}; false -> none end},
    effects(megaphone_websocket:enqueue(Item, Now, Ws), W#world{made = N, bytes = W#world.bytes + Bytes, owed = [N || IsOwed] ++ Owed});
happens({write, 0}, W) ->
    W;
happens({write, N}, #world{wire = [{Number, Bytes, IsAsked} = Frame | Wire], pipe = Pipe, untold = Untold, told = Told} = W) ->
    Sum = Untold + Bytes,
    {Untold1, Told1} = case IsAsked andalso Sum >= ?ASK of true -> {0, Told ++ [Number]}; false -> {Sum, Told} end,
    happens({write, N - 1}, W#world{wire = Wire, pipe = Pipe ++ [Frame], untold = Untold1, told = Told1});
happens({write, _}, W) ->
    W;
happens(tell, #world{told = [Number | Told], ws = Ws, now = Now} = W) ->
    effects(megaphone_websocket:written(Number, Now, Ws), W#world{told = Told, written = Number});
happens(tell, W) ->
    W;
happens({read, N}, #world{pipe = Pipe, seen = Seen, asked = Asked} = W) ->
    {Read, Rest} = lists:split(min(N, length(Pipe)), Pipe),
    Numbers = [Number || {Number, _, _} <- Read],
    W#world{pipe = Rest, seen = lists:reverse(Numbers) ++ Seen, asked = lists:max([Asked | [Number || {Number, _, true} <- Read]])};
%% What the gateway knows leaves, and what it said before arrives: behind all that the client sent.
happens(prove, #world{proofs = [Number | Proofs], kept = [], ws = Ws, now = Now} = W) ->
    effects(megaphone_websocket:read(Number, Now, Ws), W#world{proofs = Proofs, proved = Number});
happens(prove, #world{asked = Asked, proved = Proved} = W) when Asked > Proved ->
    W#world{proofs = [Asked]};
happens(prove, W) ->
    W;
happens({say, N, Bytes}, #world{kept = Kept} = W) ->
    pass_on(W#world{kept = Kept ++ lists:duplicate(N, Bytes)});
happens({take, 0}, W) ->
    took(W);
happens({take, N}, #world{came = [_ | Came], ws = Ws} = W) ->
    case megaphone_websocket:flow(Ws) of
        open -> happens({take, N - 1}, W#world{came = Came});
        full -> took(W)
    end;
happens({take, _}, W) ->
    took(W);
happens({busy, Busy}, W) ->
    W#world{busy = Busy};
%% To another node, whose clock is so much ahead.
happens({move, By}, #world{now = Now, ws = Ws} = W) ->
    Own = fun(Limits) -> Limits end,
    Exported = megaphone_websocket:shift(-Now, Own, Ws),
    Ws = megaphone_websocket:shift(Now, Own, Exported),
    Moved = megaphone_websocket:shift(Now + By, Own, Exported),
    true = case megaphone_websocket:due(Ws) of infinity -> infinity; Due -> Due + By end =:= megaphone_websocket:due(Moved),
    W#world{ws = Moved, now = Now + By};
happens({pass, Ms}, #world{now = Now, ws = Ws} = W) ->
    took(effects(megaphone_websocket:flush(Now + Ms, Ws), W#world{now = Now + Ms})).

took(#world{ws = Ws, came = Came} = W) ->
    case megaphone_websocket:ahead(Ws) of
        none -> W;
        {Frames, Bytes} -> effects(megaphone_websocket:took(Frames - length(Came), Bytes - lists:sum(Came), Ws), W)
    end.

%% The gateway sends what its window lets it, by what it was told.
pass_on(#world{kept = [Bytes | Kept], untaken = Untaken, came = Came, ws = Ws, now = Now} = W) ->
    case is_open(Untaken) of
        true ->
            {[], Ws1} = megaphone_websocket:came(Bytes, Now, Ws),
            pass_on(W#world{kept = Kept, untaken = Untaken ++ [Bytes], came = Came ++ [Bytes], ws = Ws1});
        false ->
            W
    end;
pass_on(W) ->
    W.

is_open(Untaken) -> length(Untaken) < 64 andalso lists:sum(Untaken) < 65536.

%% As the session's process carries them out.
effects({Effects, Ws}, W) -> carry_out(Effects, leave(Effects, W#world{ws = Ws})).

carry_out([{count, stanzas_out} | Effects], W) ->
    carry_out(Effects, W);
carry_out([{stop, Reason} | Effects], W) ->
    carry_out(Effects, W#world{stopped = Reason});
carry_out([_ | _] = Effects, #world{busy = true, ws = Ws, now = Now} = W) ->
    {Others, Ws1} = megaphone_websocket:undelivered(busy, Effects, Now, Ws),
    carry_out(Others, W#world{ws = Ws1});
carry_out([{taken, _, Count} | Effects], #world{untaken = Untaken, reported = Before} = W) ->
    true = Count > Before,
    carry_out(Effects, pass_on(W#world{untaken = lists:nthtail(Count - Before, Untaken), reported = Count}));
carry_out([Frame | Effects], #world{wire = Wire} = W) ->
    carry_out(Effects, W#world{wire = Wire ++ [frame(Frame)]});
carry_out([], W) ->
    W.

frame({frame, _, <<N:32, _/binary>> = Body}) -> {N, byte_size(Body), false};
%% They number all frames.
frame({frame, _, <<N:32, _/binary>> = Body, N}) -> {N, byte_size(Body), true}.

%% Each leaves once, in order, with as much unwritten as may be; and what must be asked for is. One that is tried again
%% has left before.
leave(Effects, W) -> lists:foldl(fun leave_one/2, W, [frame(Frame) || Frame <- Effects, element(1, Frame) =:= frame]).

leave_one({N, _, _}, #world{left = [{Newest, _, _} | _]} = W) when N =< Newest ->
    W;
leave_one({N, Bytes, IsAsked} = Frame, #world{left = Left, owed = Owed} = W) ->
    N = length(Left) + 1,
    true = bytes(unwritten(W)) < ?UNWRITTEN andalso unread(W) < ?UNREAD,
    Unasked = lists:takewhile(fun({_, _, Is}) -> not Is end, Left),
    IsAsked = lists:member(N, Owed) orelse bytes(Unasked) + Bytes >= ?ASK,
    W#world{left = [Frame | Left]}.

unwritten(#world{left = Left, proved = Proved, written = Written}) -> [Frame || {N, _, _} = Frame <- Left, N > max(Proved, Written)].

%% Of what is owed and written, with what each asks for, too.
unread(#world{left = Left, proved = Proved, written = Written, owed = Owed}) ->
    Add = fun({N, Bytes, IsAsked}, {Before, Sum}) ->
        Counts = N > Proved andalso N =< Written andalso lists:member(N, Owed),
        case IsAsked of false -> {Before + Bytes, Sum}; true when Counts -> {0, Sum + Before + Bytes}; true -> {0, Sum} end
    end,
    element(2, lists:foldr(Add, {0, 0}, Left)).

bytes(Frames) -> lists:sum([Bytes || {_, Bytes, _} <- Frames]).

%% After each step.
check(#world{stopped = none, ws = Ws, now = Now, busy = Busy, left = Left, made = Made, came = Came, untaken = Untaken} = W) ->
    %% Nothing is due that did not leave: whoever waits for the time does not spin.
    true = megaphone_websocket:due(Ws) > Now,
    true = length(Came) =< 64,
    %% Where there is room, and all is taken, the gateway may go on; and while little is unwritten and unread, nothing waits.
    HasRoom = not Busy andalso megaphone_websocket:due(Ws) > Now + 5000,
    true = not HasRoom orelse Came =/= [] orelse is_open(Untaken),
    true = not HasRoom orelse bytes(unwritten(W)) >= ?UNWRITTEN orelse unread(W) >= ?UNREAD orelse length(Left) =:= Made,
    true = waiting(W) =< most(W),
    W;
check(W) ->
    W.

%% What has not left, in bytes. A stanza counts for up to three times as much.
waiting(#world{bytes = Bytes, left = Left}) -> Bytes - bytes(Left).

most(#world{queue = Queue}) -> max(1048576, 64 * Queue).

%% The way is free, and everybody does what they can.
drain(#world{made = Made, seen = Seen, kept = Kept, came = Came, asked = Asked, proved = Proved} = W, Rounds) when
    Rounds > 0, length(Seen) < Made orelse Kept =/= [] orelse Came =/= [] orelse Asked > Proved
->
    Steps = [{pass, 5001}, {write, 1000}, tell, tell, {read, 1000}, {take, 1000}, prove, prove],
    drain(lists:foldl(fun step/2, W, Steps), Rounds - 1);
drain(W, _) ->
    W.

%% What goes to the client at the end, and what is owed.
ends(gone, #world{ws = Ws, now = Now} = W, ReadsOn) ->
    %% With the next frame that is to leave.
    {Effects, Ws1} = megaphone_websocket:undelivered(gone, [{frame, self(), <<>>}], Now, Ws),
    gone(Effects, Ws1, W, ReadsOn);
ends(closed, #world{ws = Ws} = W, ReadsOn) ->
    {Effects, Ws1} = megaphone_websocket:flush(W#world.now, megaphone_websocket:closed(Ws)),
    gone(Effects, Ws1, W, ReadsOn);
ends(Condition, #world{ws = Ws, now = Now} = W, ReadsOn) ->
    {Effects, Owed} = megaphone_websocket:finish(Condition, [], Now, Ws),
    {close, _, _, _} = lists:last(Effects),
    Last = [N || {N, _, _} <- W#world.pipe ++ W#world.wire] ++ [element(1, frame(Frame)) || Frame <- Effects, is_stanza(Frame)],
    {case Condition of client -> Last; _ -> [] end, numbers(Owed), read_on(ReadsOn andalso Condition =/= client, W)}.

gone([{stop, <<"remote-connection-failed">>}], Ws, #world{now = Now} = W, ReadsOn) ->
    {[], Owed} = megaphone_websocket:finish(<<"remote-connection-failed">>, [], Now, Ws),
    {[], numbers(Owed), read_on(ReadsOn, W)}.

read_on(true, W) -> happens({read, 1000000}, happens({write, 1000000}, W));
read_on(false, W) -> W.

is_stanza({frame, _, <<"<", _/binary>>}) -> false;
is_stanza(Effect) -> element(1, Effect) =:= frame.

numbers(Owed) -> [N || {_, {N}} <- Owed].

increase(List) -> lists:usort(List) =:= List.
