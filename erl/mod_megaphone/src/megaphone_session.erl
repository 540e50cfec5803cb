%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One user in one process that hibernates: its mailbox, its one timer and its sleep. What the session is between its
%%% client and its stream is megaphone_bridge's.
%%%
%%% | message                                  | from                  | what is done                                    |
%%% |------------------------------------------|-----------------------|-------------------------------------------------|
%%% | bosh_request, bosh_asked, bosh_closed    | the hub, for gateways | it is the transport's: megaphone_via_bosh       |
%%% | ConnId, Frame; read, written, closed     | its gateway           | the same: megaphone_via_websocket               |
%%% | megaphone_make_room                      | the hub               | a stranger ends, whose client may have to be silent |
%%% | megaphone_stop, megaphone_close          | megaphone_control     | it ends                                         |
%%% | megaphone_info, megaphone_announce       | megaphone_control     | it tells of itself, who asks or the index       |
%%% | megaphone_move                           | who empties this node | it moves to another (megaphone_departure)       |
%%% | megaphone_forwarded                      | its old process       | what came there, to one that moved here         |
%%% | timeout                                  | nobody, for a second  | it sleeps until the next message                |
%%% | tick                                     | the timer             | what is due on either side                      |
%%% | any other, calls and casts               | ejabberd              | it is the stream's                              |
-module(megaphone_session).
-behaviour(gen_server).

-export([start/4, make_room/2]).
-export([run/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, format_status/1]).

-type ms() :: integer().

-record(session, {
    bridge :: megaphone_bridge:bridge(),
    %% What this session adds to the gauges.
    gauged = {0, 0, 0} :: megaphone_sessions:gauges(),
    timer = none :: none | {reference(), ms()}
}).

-type next_state() :: {noreply, #session{}, timeout()} | {noreply, #session{}, hibernate} | {stop, term(), #session{}}.

%% Falling asleep and waking up cost a third of a message: not within a conversation, but soon after it.
-define(SLEEP_AFTER_MS, 1000).
%% A client that has not logged in and has no request open for this long makes room for others.
-define(SILENT_MS, 3000).

%%% Interface

%% @doc A session for a client, monitored by the caller, which begins with what came by `ConnId'. Answers go
%% there, those to a request that starts no session too. Does not wait for it to begin; fails
%% with `system_limit' where there is no room for another process.
-spec start(megaphone_sid:sid(), Via :: module(), first(), megaphone_opening:client()) -> {pid(), reference()}.
start(Sid, Via, First, Client) ->
    proc_lib:spawn_opt(?MODULE, run, [{Sid, Via, First, Client}], [{fullsweep_after, 0}, monitor]).

%% @doc There are many others: it ends, or does so only if its client is silent, unless it has logged in.
-spec make_room(pid(), silent | any) -> ok.
make_room(Pid, Who) ->
    Pid ! {megaphone_make_room, Who},
    ok.

%%% Callbacks

-type first() :: {ConnId :: pid(), megaphone_transport:what()}.
-type args() :: {megaphone_sid:sid(), Via :: module(), first(), megaphone_opening:client()}.

-spec run(args() | {move, Id :: reference(), Old :: pid()}) -> ok.
run({move, Id, Old}) ->
    case megaphone_arrival:take(Id, Old) of
        {ok, B, Arrival} -> gen_server:enter_loop(?MODULE, [], #session{bridge = B, gauged = megaphone_bridge:gauges(B)}, {continue, {settle, Arrival}});
        gone -> ok
    end;
run(Args) ->
    {ok, S, Continue} = init(Args),
    gen_server:enter_loop(?MODULE, [], S, Continue).

-type begin_with() :: {open, Via :: module(), first(), megaphone_opening:client()}.

-spec init(args()) -> {ok, #session{}, {continue, begin_with()}}.
init({Sid, Via, First, Client}) ->
    ok = megaphone_sessions:open(Sid, self(), {0, 0, 0}),
    {ok, #session{bridge = megaphone_bridge:new(Sid, Via)}, {continue, {open, Via, First, Client}}}.

-spec handle_continue(begin_with() | {settle, megaphone_arrival:arrival()}, #session{}) -> next_state().
handle_continue({settle, Arrival}, S) ->
    guard(fun() -> settle(Arrival, S) end, none, S);
handle_continue({open, Via, {ConnId, What}, Client}, S) ->
    guard(fun() -> next_state(megaphone_bridge:open(ConnId, What, Client, handled(S)), S) end, {Via, ConnId}, S).

-spec settle(megaphone_arrival:arrival(), #session{}) -> next_state().
settle(Arrival, #session{bridge = B, gauged = Gauged} = S) ->
    #{c2s := C2s} = Parts = megaphone_bridge:parts(B),
    Stream = megaphone_c2s:stream(C2s),
    ok = try
        ok = announce(Parts, Gauged),
        megaphone_arrival:begins(Stream, Arrival)
    catch
        %% The old one hears of it, and ends with all that it has: nobody else may hand back the same.
        Class:Reason:Stack ->
            ok = megaphone_fault:log("does not begin here", Class, Reason, Stack),
            ok = megaphone_passage:close(megaphone_passage:name(Stream)),
            true = exit(self(), kill),
            ok
    end,
    megaphone_arrival:settle(next_state({ok, B}, S), fun handle_info/2, Arrival).

-spec handle_call(term(), {pid(), term()}, #session{}) -> next_state().
handle_call(Call, From, S) ->
    Answer = fun(B) -> case megaphone_handover:is_given_up(Call, From) of true -> {ok, B}; false -> megaphone_bridge:call(Call, From, B) end end,
    guard(fun() -> next_state(Answer(handled(S)), S) end, none, S).

-spec handle_cast(term(), #session{}) -> next_state().
handle_cast(Cast, S) ->
    guard(fun() -> next_state(megaphone_bridge:cast(Cast, handled(S)), S) end, none, S).

-spec handle_info(term(), #session{}) -> next_state().
handle_info(Info, S) ->
    guard(fun() -> hear(Info, handled(S), S) end, asker(Info), S).

-spec handled(#session{}) -> megaphone_bridge:bridge().
handled(#session{bridge = B}) -> megaphone_bridge:handled(B).

%% Who waits for an answer to this, and for nothing else.
-spec asker(term()) -> {Via :: module(), pid()} | none.
asker({bosh_request, ConnId, _}) -> {megaphone_via_bosh, ConnId};
asker(_) -> none.

-spec hear(term(), megaphone_bridge:bridge(), #session{}) -> next_state().
hear({ConnId, Frame} = Message, B, S) when is_pid(ConnId), is_binary(Frame) ->
    client(Message, Frame, B, S);
hear({ConnId, Word, Number} = Message, B, S) when is_pid(ConnId), is_integer(Number), (Word =:= read orelse Word =:= written orelse Word =:= closed) ->
    next_state(megaphone_bridge:client(Message, B), S);
hear({bosh_request, _, Body} = Message, B, S) ->
    client(Message, Body, B, S);
hear({bosh_asked, _, _} = Message, B, S) ->
    next_state(megaphone_bridge:client(Message, B), S);
hear({Kind, ConnId} = Message, B, S) when is_pid(ConnId), (Kind =:= bosh_closed orelse Kind =:= bosh_release) ->
    next_state(megaphone_bridge:client(Message, B), S);
hear({timeout, Ref, tick}, B, #session{timer = {Ref, _}} = S) ->
    next_state(megaphone_bridge:tick(B), S#session{timer = none});
hear({timeout, _, tick}, B, S) ->
    next_state({ok, B}, S);
hear(timeout, B, S) ->
    {noreply, S#session{bridge = megaphone_bridge:sleep(B)}, hibernate};
hear({megaphone_stop, Host, {From, Ref}}, B, S) ->
    case megaphone_bridge:parts(B) of
        #{host := Own} when Host =:= all; Host =:= Own -> next_state(megaphone_bridge:ends(shut_down, B), S);
        #{} -> From ! {Ref, staying}, next_state({ok, B}, S)
    end;
hear({megaphone_announce, {From, Ref}}, B, #session{gauged = Gauged} = S) ->
    ok = announce(megaphone_bridge:parts(B), Gauged),
    From ! {Ref, here},
    next_state({ok, B}, S);
hear({megaphone_info, {From, Ref}}, B, S) ->
    From ! {Ref, megaphone_report:info(megaphone_bridge:parts(B))},
    %% Many are asked one after the other, and most are asleep: what it takes to tell is let go at once.
    case next_state({ok, B}, S) of
        {noreply, #session{bridge = B1} = S1, _} -> {noreply, S1#session{bridge = megaphone_bridge:sleep(B1)}, hibernate};
        Stop -> Stop
    end;
hear({megaphone_move, Node, {From, Ref} = Asker}, B, S) when is_atom(Node), is_pid(From), is_reference(Ref) ->
    case megaphone_departure:run(Node, Asker, B) of
        stays -> next_state({ok, B}, S);
        ends -> {stop, {shutdown, fault}, S#session{bridge = B}}
    end;
hear({megaphone_forwarded, {'$gen_call', From, Call}}, B, S) ->
    next_state(megaphone_bridge:call(Call, From, B), S);
hear({megaphone_forwarded, {'$gen_cast', Cast}}, B, S) ->
    next_state(megaphone_bridge:cast(Cast, B), S);
hear({megaphone_forwarded, Message}, B, S) ->
    hear(Message, B, S);
%% Its gateway, or its old process, has nothing more for a session that moved; or one comes late to take this, which stayed.
hear({ConnId, moved}, B, S) when is_pid(ConnId) ->
    next_state({ok, B}, S);
hear({Id, settled}, B, S) when is_reference(Id) ->
    next_state({ok, B}, S);
hear({megaphone_arrival, Id, Late, _}, B, S) ->
    Late ! {Id, over},
    next_state({ok, B}, S);
hear({megaphone_make_room, Who}, B, S) ->
    Parts = megaphone_bridge:parts(B),
    case megaphone_report:is_stranger(Parts) andalso (Who =:= any orelse megaphone_report:is_silent(?SILENT_MS, Parts)) of
        true -> next_state(megaphone_bridge:ends({hang_up, expired}, B), S);
        false -> next_state({ok, B}, S)
    end;
hear({megaphone_close, {From, Ref}}, B, S) ->
    From ! {Ref, closed},
    next_state(megaphone_bridge:ends({hang_up, closed_by_operator}, B), S);
hear(Info, B, S) ->
    next_state(megaphone_bridge:hear(Info, B), S).

%% What the client sent.
-spec client(tuple(), binary(), megaphone_bridge:bridge(), #session{}) -> next_state().
client(Message, Body, B, S) ->
    IsLarge = not megaphone_allowance:may_wait(Body, megaphone_bridge:who(B)),
    case next_state(megaphone_bridge:client(Message, B), S) of
        %% Of thousands at once none keeps what reading it took.
        {noreply, S1, _} when IsLarge -> {noreply, S1, hibernate};
        Next -> Next
    end.

%% The index, or the hub, is new.
-spec announce(megaphone_ending:session(), megaphone_sessions:gauges()) -> ok.
announce(#{sid := Sid, via := Via, phase := {open, Transport}, c2s := C2s} = Session, Gauged) ->
    ok = Via:enter(Sid, Gauged, Transport),
    ok = megaphone_moved:enter(Sid, self()),
    _ = megaphone_report:is_stranger(Session) andalso megaphone_hub:stranger(self(), megaphone_c2s:address(C2s)),
    ok;
announce(#{c2s := C2s}, _) ->
    _ = megaphone_c2s:is_pending(C2s) andalso megaphone_resumable:enter(),
    ok.

%% The stream may end its process from within a callback.
-spec terminate(term(), #session{}) -> ok.
terminate(Reason, #session{bridge = B}) ->
    ok = megaphone_resumable:leave(),
    megaphone_bridge:terminate(Reason, B).

%% @doc Users' messages are in all of it.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) -> megaphone_fault:hide(Status).

%% The fault of one callback ends the session in good order. Left to gen_server and proc_lib it would be
%% told with state, mailbox and arguments, which hold users' messages.
-spec guard(fun(() -> next_state()), Asker :: {Via :: module(), pid()} | none, #session{}) -> next_state().
guard(Callback, Asker, S) ->
    try
        Callback()
    catch
        Class:Reason:Stack -> {stop, megaphone_ending:fault(Class, Reason, Stack, Asker), S}
    end.

%% Every callback ends here: what can be processed is, due answers leave, and one timer covers whatever
%% comes next. After a while without another message the process sleeps.
-spec next_state(megaphone_bridge:step(), #session{}) -> next_state().
next_state({ok, B}, S) ->
    case megaphone_bridge:settle(B) of
        {ok, B1} ->
            S1 = S#session{bridge = B1},
            try wait(S1) catch Class:Reason:Stack -> {stop, megaphone_ending:fault(Class, Reason, Stack, none), S1} end;
        Stop ->
            next_state(Stop, S)
    end;
next_state({stop, Reason, B}, S) ->
    {stop, Reason, S#session{bridge = B}}.

-spec wait(#session{}) -> next_state().
wait(#session{bridge = B} = S) ->
    S1 = rearm(gauge(S)),
    case megaphone_bridge:excess(B) of
        none -> {noreply, S1, ?SLEEP_AFTER_MS};
        Length -> crowded(Length, S1)
    end.

%% As ejabberd ends its own processes by `max_fsm_queue'. What is in the mailbox goes back through the router.
-spec crowded(pos_integer(), #session{}) -> next_state().
crowded(Length, #session{bridge = B} = S) ->
    case megaphone_bridge:parts(B) of
        #{phase := {open, _}} -> next_state(megaphone_bridge:ends({hang_up, mailbox_too_long}, B), S);
        #{} -> {stop, {shutdown, {process_limit, {max_queue, Length}}}, S}
    end.

-spec gauge(#session{}) -> #session{}.
gauge(#session{gauged = Before, bridge = B} = S) ->
    case megaphone_bridge:gauges(B) of
        Before ->
            S;
        Now ->
            ok = megaphone_sessions:gauge(megaphone_bridge:sid(B), Now),
            element(1, Now) > element(1, Before) andalso logged_in(megaphone_bridge:parts(B)),
            element(1, Now) < element(1, Before) andalso is_pending(B) andalso megaphone_resumable:enter(),
            S#session{gauged = Now}
    end.

-spec is_pending(megaphone_bridge:bridge()) -> boolean().
is_pending(B) ->
    #{c2s := C2s} = megaphone_bridge:parts(B),
    megaphone_c2s:is_pending(C2s).

-spec logged_in(megaphone_ending:session()) -> ok.
logged_in(Session) ->
    ok = megaphone_hub:logged_in(self()),
    %% It was used to make ids for the login, and would stay for the session's life.
    _ = erase(rand_seed),
    megaphone_report:logged_in(Session).

%% A timer that fires too early is cheaper than one that is moved with every message.
-spec rearm(#session{}) -> #session{}.
rearm(#session{bridge = B, timer = Timer} = S) ->
    case {megaphone_bridge:due(B), Timer} of
        {infinity, _} ->
            S;
        {Due, {_, At}} when At =< Due ->
            S;
        {Due, _} ->
            cancel(Timer),
            S#session{timer = {erlang:start_timer(Due, self(), tick, [{abs, true}]), Due}}
    end.

-spec cancel(none | {reference(), ms()}) -> ok.
cancel(none) ->
    ok;
cancel({Ref, _}) ->
    _ = erlang:cancel_timer(Ref, [{async, true}, {info, false}]),
    ok.
