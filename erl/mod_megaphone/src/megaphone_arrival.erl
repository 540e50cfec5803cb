%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The new process of a session that moves (megaphone_move): becomes what the old one sent, and takes over on its word. What
%%% comes directly stays in its mailbox while something that was sent before may still be with the old process: a
%%% user's stanzas, and a client's frames, keep their order.
-module(megaphone_arrival).

-export([offer/1, tell/4, take/2, begins/2, settle/3, modules/0]).

-export_type([offer/0, arrival/0]).

-type exported() :: megaphone_export:exported().

-record(offer, {
    %% What of both nodes must be alike.
    versions :: term(),
    exported :: exported()
}).
-opaque offer() :: #offer{}.

-record(arrival, {
    id :: reference(),
    old :: pid(),
    watch :: megaphone_watch:watch(),
    exported :: exported()
}).
-opaque arrival() :: #arrival{}.

%% It follows at once, unless the connection of the nodes takes nothing: then the old one has given up.
-define(OFFER_MS, 5000).
%% What was sent before all knew where the session is comes within this.
-define(SETTLE_MS, 15000).
%% Those whose terms move. What writes into the log holds its own path, and differs where that does.
-define(MODULES, [
    megaphone_export, megaphone_bridge, megaphone_c2s, megaphone_passage, megaphone_ending, megaphone_pending, megaphone_mailbox, megaphone_queue,
    megaphone_via_bosh, megaphone_bosh, megaphone_requests, megaphone_kept, megaphone_pace, megaphone_proof, megaphone_intake,
    megaphone_via_websocket, megaphone_websocket, megaphone_move, megaphone_departure, megaphone_forwarder, megaphone_arrival
]).

-spec offer(exported()) -> offer().
offer(Exported) -> #offer{versions = versions(), exported = Exported}.

-spec versions() -> term().
versions() -> {megaphone_passage:release(), [Module:module_info(md5) || Module <- modules()]}.

%% @doc Those whose terms move.
-spec modules() -> [module()].
modules() -> ?MODULES.

%% @doc To the process that is the session.
-spec tell(spawned | ready | {refused, megaphone_move:reason()} | moved, New :: pid(), Id :: reference(), Old :: pid()) -> ok.
tell(Word, New, Id, Old) ->
    Old ! {megaphone_arrival, Id, New, Word},
    ok.

%% @doc The calling process is to take over what comes with this. Returns once it is the session.
-spec take(Id :: reference(), Old :: pid()) -> {ok, megaphone_bridge:bridge(), arrival()} | gone.
take(Id, Old) ->
    {_, Monitor} = Watch = megaphone_watch:start(Old),
    receive
        {Id, #offer{} = Offer} -> take(Offer, Id, Old, Watch);
        {Id, over} -> gone;
        {'DOWN', Monitor, process, _, _} -> gone
    after ?OFFER_MS -> gone
    end.

-spec take(offer(), Id :: reference(), Old :: pid(), megaphone_watch:watch()) -> {ok, megaphone_bridge:bridge(), arrival()} | gone.
take(#offer{exported = Exported} = Offer, Id, Old, {_, Monitor} = Watch) ->
    case become(Offer) of
        {ok, B} ->
            ok = tell(ready, self(), Id, Old),
            receive
                {Id, go} -> {ok, B, #arrival{id = Id, old = Old, watch = Watch, exported = Exported#{state := none}}};
                {Id, over} -> gone;
                {'DOWN', Monitor, process, _, _} -> gone
            end;
        {refused, Reason} ->
            ok = tell({refused, Reason}, self(), Id, Old),
            gone
    end.

%% What fails is not told with users' messages.
-spec become(offer()) -> {ok, megaphone_bridge:bridge()} | {refused, megaphone_move:reason()}.
become(#offer{exported = Exported} = Offer) ->
    try
        case refusal(Offer) of
            none -> {ok, megaphone_export:import(Exported)};
            Refusal -> {refused, Refusal}
        end
    catch
        Class:Reason:Stack ->
            ok = megaphone_fault:log("does not move here", Class, Reason, Stack),
            {refused, fault}
    end.

-spec refusal(offer()) -> none | megaphone_move:reason().
refusal(#offer{versions = Versions, exported = Exported}) ->
    Hub = whereis(mod_megaphone),
    case Versions =:= versions() of
        false -> version;
        true when Hub =:= undefined -> no_hub;
        true ->
            %% Else its log would be the other node's.
            {group_leader, Leader} = erlang:process_info(Hub, group_leader),
            true = group_leader(Leader, self()),
            case megaphone_cluster:state() of in_service -> place(Exported); State -> State end
    end.

-spec place(exported()) -> none | megaphone_move:reason().
place(#{host := Host, conns := Conns}) ->
    Connected = [node() | nodes(connected)],
    IsServed = gen_mod:is_loaded(Host, mod_megaphone),
    case lists:all(fun(ConnId) -> lists:member(node(ConnId), Connected) end, Conns) of
        _ when not IsServed -> no_host;
        true -> none;
        false -> no_gateway
    end.

%% @doc Others know now where the session is, whose stream this is. It is in the index already.
-spec begins(xmpp_stream_in:state(), arrival()) -> ok.
begins(Stream, #arrival{id = Id, old = Old, exported = #{row := Row, conns := Conns}}) ->
    ok = megaphone_passage:open(Row, Stream),
    ok = megaphone_stats:add(sessions_arrived, 1),
    ok = tell(moved, self(), Id, Old),
    lists:foreach(fun megaphone_gateway:session/1, Conns),
    megaphone_passage:ask(Stream).

%% @doc Until nothing is left with the old process, what came by that goes first.
-spec settle(Next, fun((term(), S) -> Next), arrival()) -> Next when Next :: {noreply, S, timeout() | hibernate} | {stop, term(), S}.
settle(Next, Hear, #arrival{exported = #{socket := Socket}} = A) ->
    Until = erlang:monotonic_time(millisecond) + ?SETTLE_MS,
    settle(megaphone_move:go(Socket =/= none), Next, Hear, Until, A).

-spec settle(megaphone_move:state(), Next, fun((term(), S) -> Next), Until :: integer(), arrival()) -> Next when
    Next :: {noreply, S, timeout() | hibernate} | {stop, term(), S}.
settle(State, {stop, _, _} = Next, _, _, _) when State =/= open ->
    Next;
settle(open, Next, _, _, #arrival{watch = Watch}) ->
    ok = megaphone_watch:stop(Watch),
    Next;
settle(cut, {noreply, S, _}, Hear, Until, #arrival{exported = #{socket := ConnId}} = A) ->
    settle(open, Hear({ConnId, closed, 1006}, S), Hear, Until, A);
settle(State, {noreply, S, _} = Next, Hear, Until, #arrival{id = Id, watch = {_, Monitor}, exported = #{socket := Socket}} = A) ->
    Go = fun(Event, Next1) -> settle(megaphone_move:next(Event, State), Next1, Hear, Until, A) end,
    receive
        {megaphone_forwarded, {Socket, moved}} -> Go(socket, Next);
        {megaphone_forwarded, {Socket, closed, _}} = Message -> Go(socket, Hear(Message, S));
        {Id, settled} -> Go(settled, Next);
        {'DOWN', Monitor, process, _, Reason} -> Go(case megaphone_watch:reason(Reason) of noconnection -> no_way; _ -> died end, Next);
        {Kind, _} = Message when Kind =:= megaphone_forwarded; Kind =:= bosh_closed; Kind =:= bosh_release -> settle(State, Hear(Message, S), Hear, Until, A);
        {Kind, _, _} = Message when Kind =:= bosh_request; Kind =:= bosh_asked; Kind =:= timeout -> settle(State, Hear(Message, S), Hear, Until, A);
        %% Of frames to the client, which have no order with those from it.
        {Socket, Kind, _} = Message when Kind =:= written; Kind =:= read -> settle(State, Hear(Message, S), Hear, Until, A)
    after max(0, Until - erlang:monotonic_time(millisecond)) -> Go(time, Next)
    end.
