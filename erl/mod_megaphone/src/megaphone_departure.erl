%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The old process of a session that moves (megaphone_move): asks the other node to take it, and, once it has, passes on what
%%% still comes here, to the end of its time. Until the new one serves it leaves its mailbox alone, so that it can go on as if nothing
%%% had happened; that takes some milliseconds, and five seconds at most, unless the connection of the nodes takes nothing just when
%%% it is to carry a monitor of the new one: for that there is no `nosuspend'.
%%%
%%% What the new one sends must not overtake what is on its way to a gateway: that answers a call behind it before anything moves.
-module(megaphone_departure).

-export([run/3, courier/3, settle/3, forward/1]).

-type asker() :: {pid(), reference()}.
-type move() :: {Id :: reference(), New :: pid(), Monitor :: reference()}.

%% How long the other node may take until it is ready.
-define(READY_MS, 5000).
%% Those who look it up in a table that is not up to date.
-define(PASS_MS, 60000).
-define(SLEEP_MS, 1000).
%% Of one client, that hear at once that the new one is gone: its latest.
-define(MOST_CONNS, 16).
%% RFC 6455 §7.4.1, the registry's 1012.
-define(SERVICE_RESTART, 1012).
%% Larger ones stay: they would fill the connection of the nodes, which all others use, too.
-define(MOST_BYTES, 8388608).

-record(forwarder, {
    sid :: megaphone_sid:sid(),
    move :: move(),
    state = settling :: settling | passing | over,
    asker :: asker(),
    %% Exchanges that the new one is to answer: their gateways may not know that yet.
    conns :: [pid()],
    %% Of a WebSocket, until its gateway has nothing more for this process, and knows the new one.
    socket = none :: pid() | none,
    %% The old row of ejabberd's table, if it is there still.
    row :: megaphone_passage:name() | none
}).

%% @doc To this node, for whoever asks. `stays': it goes on here. `ends': it cannot go on; its process is to stop. Else it does not
%% return.
-spec run(node(), asker(), megaphone_bridge:bridge()) -> stays | ends.
run(Target, Asker, B) ->
    case lists:member(Target, nodes()) andalso megaphone_export:export(B) of
        false -> stay(no_node, Asker);
        {stays, Reason} -> stay(Reason, Asker);
        {ok, Exported} ->
            case erlang:external_size(Exported) > ?MOST_BYTES of
                true -> stay(too_large, Asker);
                false -> ask(Target, Asker, Exported, B)
            end
    end.

-spec stay(megaphone_move:reason(), asker()) -> stays.
stay(Reason, {From, Ref}) ->
    From ! {Ref, {stays, Reason}},
    stays.

%% Another process waits for the connection of the nodes, if that does not take it: this one has a session to go on with.
-spec ask(node(), asker(), megaphone_export:exported(), megaphone_bridge:bridge()) -> stays | ends.
ask(Target, Asker, Exported, B) ->
    Id = make_ref(),
    Until = erlang:monotonic_time(millisecond) + ?READY_MS,
    {Courier, Monitor} = spawn_monitor(?MODULE, courier, [Target, Id, self()]),
    Courier ! {Id, megaphone_arrival:offer(Exported)},
    case is_passed(Exported, Until) andalso await_ready(Id, Monitor, Until) of
        {New, NewMonitor} when is_reference(NewMonitor) ->
            case is_there(New, NewMonitor) andalso erlang:send(New, {Id, go}, [nosuspend, noconnect]) of
                false ->
                    stay(refused, Asker);
                ok ->
                    gone({Id, New, NewMonitor}, Asker, Exported, B);
                _ ->
                    _ = erlang:demonitor(NewMonitor, [flush]),
                    ok = tell_over(New, Id),
                    stay(busy, Asker)
            end;
        Not ->
            _ = erlang:demonitor(Monitor, [flush]),
            %% What it started says so, and hears that nothing comes of it.
            true = exit(Courier, kill),
            stay(case Not of {stays, Reason} -> Reason; false -> no_gateway end, Asker)
    end.

%% @doc A process that starts the new one, and waits for the connection of the nodes in place of the session's. What the session
%% is goes there, and came here, as a message: arguments of a process that fails, or cannot start, are written to the log.
-spec courier(node(), Id :: reference(), Old :: pid()) -> ok.
courier(Target, Id, Old) ->
    New = proc_lib:spawn_opt(Target, megaphone_session, run, [{move, Id, Old}], [{fullsweep_after, 0}]),
    receive {Id, _} = Offer -> New ! Offer end,
    ok = megaphone_arrival:tell(spawned, New, Id, Old).

%% Who comes late, after the session stayed, is told so by megaphone_session.
-spec await_ready(reference(), Courier :: reference(), Until :: integer()) -> {pid(), reference()} | {stays, megaphone_move:reason()}.
await_ready(Id, Courier, Until) ->
    receive
        {megaphone_arrival, Id, New, spawned} ->
            _ = erlang:demonitor(Courier, [flush]),
            await_ready(Id, New, erlang:monitor(process, New), Until);
        {'DOWN', Courier, process, _, _} ->
            {stays, refused}
    after max(0, Until - erlang:monotonic_time(millisecond)) -> {stays, timeout}
    end.

-spec await_ready(reference(), pid(), reference(), integer()) -> {pid(), reference()} | {stays, megaphone_move:reason()}.
await_ready(Id, New, Monitor, Until) ->
    receive
        {megaphone_arrival, Id, New, ready} ->
            {New, Monitor};
        {megaphone_arrival, Id, New, {refused, Reason}} ->
            _ = erlang:demonitor(Monitor, [flush]),
            {stays, Reason};
        {'DOWN', Monitor, process, New, _} ->
            {stays, refused}
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
        _ = erlang:demonitor(Monitor, [flush]),
        ok = tell_over(New, Id),
        {stays, timeout}
    end.

%% It must come there, where it is waited for without end; and this process must not wait for the connection of the nodes.
-spec tell_over(New :: pid(), Id :: reference()) -> ok.
tell_over(New, Id) ->
    _ = spawn(erlang, send, [New, {Id, over}]),
    ok.

%% Has nothing been heard of its end, as when the connection broke meanwhile? That looks at what has come: where the connection broke
%% and is back before this process hears of it, `go' leaves on the new one, to a process that is gone. The session is killed
%% then, though nobody has it: it is over, but there are never two.
-spec is_there(pid(), Monitor :: reference()) -> boolean().
is_there(New, Monitor) ->
    receive {'DOWN', Monitor, process, New, _} -> false after 0 -> true end.

%% Has the gateway all that was sent to the socket? It answers behind that. One that is gone takes nothing any more.
-spec is_passed(megaphone_export:exported(), Until :: integer()) -> boolean().
is_passed(#{under_way := false}, _) ->
    true;
is_passed(#{socket := ConnId}, Until) ->
    Monitor = erlang:monitor(process, {megaphone, node(ConnId)}),
    IsSent = erlang:send({megaphone, node(ConnId)}, {'$gen_call', {self(), Monitor}, moves}, [nosuspend, noconnect]) =:= ok,
    IsPassed = IsSent andalso
        receive
            {Monitor, _} -> true;
            {'DOWN', Monitor, process, _, _} -> true
        after max(0, Until - erlang:monotonic_time(millisecond)) -> false
        end,
    _ = erlang:demonitor(Monitor, [flush]),
    IsPassed.

-spec exchanges(megaphone_export:exported()) -> [pid()].
exchanges(#{socket := none, conns := Conns}) -> Conns;
exchanges(_) -> [].

%% It is not this process' session any more, unless the new one dies before it says so.
-spec gone(move(), asker(), megaphone_export:exported(), megaphone_bridge:bridge()) -> stays | ends.
gone({Id, New, Monitor} = Move, {From, Ref} = Asker, #{socket := Socket} = Exported, B) ->
    Event = receive
        {megaphone_arrival, Id, New, moved} -> moved;
        {'DOWN', Monitor, process, New, noconnection} -> no_way;
        %% It was there no more when the monitor came, which is before `go'.
        {'DOWN', Monitor, process, New, noproc} -> refused;
        {'DOWN', Monitor, process, New, _} -> died
    end,
    case megaphone_move:next(Event, going) of
        stays ->
            stay(refused, Asker);
        ends ->
            From ! {Ref, cut},
            ends;
        killed ->
            From ! {Ref, cut},
            ok = left_alone(New, Exported, B),
            true = exit(self(), kill),
            ends;
        settling ->
            #{sid := Sid, phase := Phase, c2s := C2s} = megaphone_bridge:parts(B),
            ok = case Phase of {open, _} -> megaphone_forwarders:enter(Sid); _ -> megaphone_resumable:leave() end,
            Row = megaphone_passage:name(megaphone_c2s:stream(C2s)),
            _ = spawn(?MODULE, settle, [Row, self(), Id]),
            %% It is none of the sessions any more (megaphone_control).
            _ = put('$initial_call', {?MODULE, forward, 1}),
            proc_lib:hibernate(?MODULE, forward, [#forwarder{sid = Sid, move = Move, asker = Asker, conns = exchanges(Exported), socket = Socket, row = Row}])
    end.

%% If the new one lives, it has the session: clients are not to hear that it is over, but to ask again, and are led there.
-spec left_alone(New :: pid(), megaphone_export:exported(), megaphone_bridge:bridge()) -> ok.
left_alone(New, #{socket := Socket} = Exported, B) ->
    #{sid := Sid, c2s := C2s} = megaphone_bridge:parts(B),
    ok = megaphone_moved:left_for(New, Sid),
    ok = megaphone_sessions:close(Sid, self()),
    ok = megaphone_resumable:leave(),
    ok = megaphone_passage:close(megaphone_passage:name(megaphone_c2s:stream(C2s))),
    ok = close_socket(Socket),
    %% May take long. What comes meanwhile would be lost with this process.
    ok = left(),
    lists:foreach(fun megaphone_gateway:repeat/1, exchanges(Exported) ++ unread()).

%% Exchanges that came meanwhile.
-spec unread() -> [pid()].
unread() ->
    receive
        {Kind, ConnId, _} when Kind =:= bosh_request; Kind =:= bosh_asked -> [ConnId | unread()]
    after 0 -> []
    end.

%% @doc A process that waits until all nodes know where the session is, and for those who looked before that.
-spec settle(megaphone_passage:name(), pid(), reference()) -> ok.
settle(Row, Old, Id) ->
    try
        ok = megaphone_handover:settle(Row)
    after
        Old ! {Id, time}
    end.

%%% What it is then

%% @doc Passes on what comes.
-spec forward(#forwarder{}) -> ok.
forward(F) ->
    receive
        Message -> forward(passed(Message, F), noted(Message, F))
    after ?SLEEP_MS -> proc_lib:hibernate(?MODULE, forward, [F])
    end.

-spec forward(next(), #forwarder{}) -> ok.
forward(same, F) -> forward(F);
forward(Event, #forwarder{move = {Id, New, _}, state = Before, asker = {From, Ref}} = F) ->
    case megaphone_move:next(Event, Before) of
        passing ->
            ok = close(F),
            New ! {Id, settled},
            From ! {Ref, moved},
            _ = erlang:send_after(?PASS_MS, self(), {Id, time}),
            proc_lib:hibernate(?MODULE, forward, [F#forwarder{state = passing, conns = [], row = none}]);
        over ->
            _ = Before =:= settling andalso (From ! {Ref, moved}),
            %% Where the new one ended early it is there still, and other nodes would route here for ever.
            ok = close(F),
            ok = megaphone_forwarders:leave(F#forwarder.sid),
            %% Their clients would wait in vain, where the new one died before it told the gateway; if it lives, they lose nothing.
            _ = Event =:= no_way andalso lists:foreach(fun megaphone_gateway:repeat/1, F#forwarder.conns),
            ok = close_socket(F#forwarder.socket),
            left()
    end.

%% Its gateway has nobody who takes its frames, or soon will not: the new one counts it as closed, if it lives.
-spec close_socket(pid() | none) -> ok.
close_socket(none) -> ok;
close_socket(ConnId) -> megaphone_gateway:close(ConnId, ?SERVICE_RESTART).

-spec close(#forwarder{}) -> ok.
close(#forwarder{row = none}) -> ok;
close(#forwarder{row = Row}) -> megaphone_passage:close(Row).

-type next() :: same | megaphone_move:event().

-spec passed(term(), #forwarder{}) -> next().
passed({Id, time}, #forwarder{move = {Id, _, _}}) ->
    time;
passed({'DOWN', Monitor, process, _, Reason}, #forwarder{move = {_, _, Monitor}}) ->
    case Reason of noconnection -> no_way; _ -> died end;
passed({megaphone_move, _, {From, Ref}}, _) ->
    From ! {Ref, {stays, moved}},
    same;
passed({megaphone_arrival, Id, Late, _}, _) ->
    Late ! {Id, over},
    same;
%% It is none of this node's sessions any more, whoever still takes it for one.
passed({megaphone_stop, _, {From, Ref}}, _) ->
    From ! {Ref, staying},
    same;
passed({megaphone_announce, {From, Ref}}, _) ->
    From ! {Ref, here},
    same;
%% Late, of the place where it was before.
passed({Id, settled}, _) when is_reference(Id) ->
    same;
%% Its own.
passed({timeout, _, tick}, _) ->
    same;
passed({bosh_request, ConnId, Body}, F) ->
    to_hub({ConnId, Body}, F);
passed({bosh_asked, ConnId, Rid}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, held, Sid, Rid}, F);
passed({bosh_closed, ConnId}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, closed, Sid}, F);
passed({bosh_release, ConnId}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, release, Sid}, F);
passed({megaphone_forwarded, _} = Message, #forwarder{move = {_, New, _}}) ->
    New ! Message,
    same;
passed(Message, #forwarder{move = {_, New, _}}) ->
    New ! {megaphone_forwarded, Message},
    same.

%% Of one that is passed on nobody else knows, either.
-spec noted(term(), #forwarder{}) -> #forwarder{}.
noted({Kind, ConnId, _}, #forwarder{state = settling, conns = Conns} = F) when Kind =:= bosh_request; Kind =:= bosh_asked ->
    F#forwarder{conns = lists:sublist([ConnId | Conns], ?MOST_CONNS)};
noted({ConnId, moved}, #forwarder{socket = ConnId} = F) ->
    F#forwarder{socket = none};
noted({ConnId, closed, _}, #forwarder{socket = ConnId} = F) ->
    F#forwarder{socket = none};
noted(_, F) ->
    F.

%% That knows the session, and what its last answers were where it ended meanwhile.
-spec to_hub(tuple(), #forwarder{}) -> same.
to_hub(Message, #forwarder{move = {_, New, _}}) ->
    {mod_megaphone, node(New)} ! {passed, 1, Message},
    same.

%% What nobody took finds its way by the router.
-spec left() -> ok.
left() -> lists:foreach(fun ejabberd_router:route/1, megaphone_handover:take_routed()).
