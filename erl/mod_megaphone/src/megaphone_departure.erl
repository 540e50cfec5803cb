%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The old process of a session that moves (megaphone_move): asks the other node to take it, and, once it has, becomes what passes
%%% on what still comes here (megaphone_forwarder). Until the new one serves it leaves its mailbox alone, so that it can go on as if nothing
%%% had happened; that takes some milliseconds, and five seconds at most.
%%%
%%% What the new one sends must not overtake what is on its way to a gateway: that answers a call behind it before anything moves.
-module(megaphone_departure).

-export([run/3, courier/3]).

-type asker() :: {pid(), reference()}.
-type move() :: {Id :: reference(), New :: pid(), megaphone_watch:watch()}.

%% How long the other node may take until it is ready.
-define(READY_MS, 5000).
%% Larger ones stay: they would fill the connection of the nodes, which all others use, too.
-define(MOST_BYTES, 8388608).

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
    {Courier, Monitor} = Watch = spawn_monitor(?MODULE, courier, [Target, Id, self()]),
    Courier ! {Id, megaphone_arrival:offer(Exported)},
    case is_passed(Exported, Until) andalso await_spawned(Id, Monitor, Until) of
        {ready, New} ->
            case is_there(Monitor) andalso erlang:send(New, {Id, go}, [nosuspend, noconnect]) of
                false ->
                    stay(refused, Asker);
                ok ->
                    gone({Id, New, Watch}, Asker, Exported, B);
                _ ->
                    ok = megaphone_watch:stop(Watch),
                    ok = tell_over(New, Id),
                    stay(busy, Asker)
            end;
        Not ->
            %% What it started says so, and hears that nothing comes of it.
            ok = megaphone_watch:stop(Watch),
            stay(case Not of {stays, Reason} -> Reason; false -> no_gateway end, Asker)
    end.

%% @doc A process that starts the new one, watches it, and waits for the connection of the nodes in place of the session's. What the session
%% is goes there, and came here, as a message: arguments of a process that fails, or cannot start, are written to the log.
-spec courier(node(), Id :: reference(), Old :: pid()) -> ok.
courier(Target, Id, Old) ->
    New = proc_lib:spawn_opt(Target, megaphone_session, run, [{move, Id, Old}], [{fullsweep_after, 0}]),
    receive {Id, _} = Offer -> New ! Offer end,
    megaphone_watch:run(New, Old, fun() -> megaphone_arrival:tell(spawned, New, Id, Old) end).

%% Who comes late, after the session stayed, is told so by megaphone_session.
-spec await_spawned(reference(), Monitor :: reference(), Until :: integer()) -> {ready, pid()} | {stays, megaphone_move:reason()}.
await_spawned(Id, Monitor, Until) ->
    receive
        {megaphone_arrival, Id, New, spawned} -> await_ready(Id, New, Monitor, Until);
        {'DOWN', Monitor, process, _, _} -> {stays, refused}
    after max(0, Until - erlang:monotonic_time(millisecond)) -> {stays, timeout}
    end.

-spec await_ready(reference(), pid(), reference(), integer()) -> {ready, pid()} | {stays, megaphone_move:reason()}.
await_ready(Id, New, Monitor, Until) ->
    receive
        {megaphone_arrival, Id, New, ready} -> {ready, New};
        {megaphone_arrival, Id, New, {refused, Reason}} -> {stays, Reason};
        {'DOWN', Monitor, process, _, _} -> {stays, refused}
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
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
-spec is_there(Monitor :: reference()) -> boolean().
is_there(Monitor) ->
    receive {'DOWN', Monitor, process, _, _} -> false after 0 -> true end.

%% Has the gateway all that was sent to the socket? It answers behind that. One that is gone takes nothing any more.
-spec is_passed(megaphone_export:exported(), Until :: integer()) -> boolean().
is_passed(#{under_way := false}, _) ->
    true;
is_passed(#{socket := ConnId}, Until) ->
    Gateway = {megaphone, node(ConnId)},
    {_, Monitor} = Watch = megaphone_watch:start(Gateway),
    IsSent = erlang:send(Gateway, {'$gen_call', {self(), Monitor}, moves}, [nosuspend, noconnect]) =:= ok,
    IsPassed = IsSent andalso
        receive
            {Monitor, _} -> true;
            {'DOWN', Monitor, process, _, _} -> true
        after max(0, Until - erlang:monotonic_time(millisecond)) -> false
        end,
    ok = megaphone_watch:stop(Watch),
    IsPassed.

-spec exchanges(megaphone_export:exported()) -> [pid()].
exchanges(#{socket := none, conns := Conns}) -> Conns;
exchanges(_) -> [].

%% It is not this process' session any more, unless the new one dies before it says so.
-spec gone(move(), asker(), megaphone_export:exported(), megaphone_bridge:bridge()) -> stays | ends.
gone({Id, New, {_, Monitor}} = Move, {From, Ref} = Asker, #{socket := Socket} = Exported, B) ->
    Event = receive
        {megaphone_arrival, Id, New, moved} ->
            moved;
        {'DOWN', Monitor, process, _, Reason} ->
            case megaphone_watch:reason(Reason) of
                noconnection -> no_way;
                %% It was there no more when the monitor came, which is before `go'.
                noproc -> refused;
                _ -> died
            end
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
            megaphone_forwarder:become(Sid, Move, Asker, exchanges(Exported), Socket, Row)
    end.

%% If the new one lives, it has the session: clients are not to hear that it is over, but to ask again, and are led there.
-spec left_alone(New :: pid(), megaphone_export:exported(), megaphone_bridge:bridge()) -> ok.
left_alone(New, #{socket := Socket} = Exported, B) ->
    #{sid := Sid, c2s := C2s} = megaphone_bridge:parts(B),
    ok = megaphone_moved:left_for(New, Sid),
    ok = megaphone_sessions:close(Sid, self()),
    ok = megaphone_resumable:leave(),
    ok = megaphone_passage:close(megaphone_passage:name(megaphone_c2s:stream(C2s))),
    ok = megaphone_forwarder:close_socket(Socket),
    %% May take long. What comes meanwhile would be lost with this process.
    ok = megaphone_forwarder:left(),
    lists:foreach(fun megaphone_gateway:repeat/1, exchanges(Exported) ++ unread()).

%% Exchanges that came meanwhile.
-spec unread() -> [pid()].
unread() ->
    receive
        {Kind, ConnId, _} when Kind =:= bosh_request; Kind =:= bosh_asked -> [ConnId | unread()]
    after 0 -> []
    end.
