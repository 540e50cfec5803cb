%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Moves sessions of this node to others: all, where an operator empties it or ejabberd stops, or what it has too many of. It goes
%%% through all that live in rounds, some at once and not too many in a second: who cannot move yet, as a client that is about
%%% to log in, does so in a later one.
%%%
%%%               | drain     | rebalance   | abort    | stop     | round is over
%%%   idle        | draining  | rebalancing | ·        | stopping | ·
%%%   draining    | draining  | ·           | aborting | stopping | ·
%%%   rebalancing | draining  | ·           | aborting | stopping | idle
%%%   aborting    | draining  | rebalancing | ·        | stopping | idle
%%%   stopping    | ·         | ·           | ·        | ·        | ·
%%%
%%% (·: nothing changes. The test reads this table.) Draining and stopping the node takes no new sessions. Aborting it does again, and
%%% those that are under way come to an end.
-module(megaphone_drain).
-behaviour(gen_server).

-export([start_link/0, drain/1, abort/0, stop/0, status/0]).
-export([phase/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-include_lib("kernel/include/logger.hrl").

-export_type([phase/0, status/0]).

-type phase() :: idle | draining | rebalancing | aborting | stopping.
-type event() :: drain | rebalance | abort | stop | round_over.
%% `to_go' are those that are to move and have not: of these some are under way, offered to another node and not settled there, and some
%% stayed in this round. `sessions' are all that are here.
-type status() :: #{phase := phase(), sessions => non_neg_integer(), moved := non_neg_integer(), to_go := non_neg_integer(),
    under_way := non_neg_integer(), stay := stay(), seconds := non_neg_integer(), targets := [node()]}.
-type stay() :: #{megaphone_move:reason() => pos_integer()}.
-type ms() :: integer().
-type open() :: #{reference() => {pid(), Until :: ms()}}.

%% A thousand a second, and so many on their way: each waits a while for what is still to come to the old place.
-define(STEP_MS, 20).
-define(STEP, 20).
-define(AT_ONCE, 400).
%% A session that says nothing for so long stays; it is told to others as a failure.
-define(MOVE_MS, 20000).
%% Between two rounds: soon, for so many; then now and then.
-define(SOON_MS, 500).
-define(SOON_ROUNDS, 20).
-define(LATER_MS, 5000).
%% When ejabberd stops it waits for the moves so long, and less where none came about for a while.
-define(STOP_MS, 60000).
-define(IDLE_MS, 5000).
-define(LOG_MS, 1000).

-record(drain, {
    phase = idle :: phase(),
    targets = all :: all | [node()],
    %% Of this round: not told yet, on their way, and who stays, for what reason.
    queue = [] :: [{pid(), node()}],
    open = #{} :: open(),
    stay = #{} :: stay(),
    rounds = 0 :: non_neg_integer(),
    %% Since it began.
    moved = 0 :: non_neg_integer(),
    since = 0 :: ms(),
    %% When one moved last.
    moved_at = 0 :: ms(),
    logged_at = 0 :: ms(),
    %% The next step, or round.
    timer = none :: none | reference(),
    %% Who stops ejabberd, and waits; none any more once all have moved that can.
    waits = [] :: [{pid(), term()}] | over
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Empties this node: to all others that take sessions, or to these.
-spec drain(all | [node()]) -> ok | {error, iodata()}.
drain(Targets) -> gen_server:call(?MODULE, {drain, Targets}).

%% @doc Those that have not moved stay, and the node takes new ones again.
-spec abort() -> ok | error.
abort() -> gen_server:call(?MODULE, abort).

%% @doc One that is under way is here until it has settled there.
-spec status() -> status().
status() ->
    {Status, UnderWay} = gen_server:call(?MODULE, status),
    Status#{sessions => length(lists:usort(UnderWay ++ here()))}.

%% All that live: of clients that are here, and of those that may come back to resume their stream.
-spec here() -> [pid()].
here() ->
    Forwarders = megaphone_forwarders:pids(),
    [Pid || Pid <- megaphone_control:living(), not is_map_key(Pid, Forwarders)].

%% @doc Returns once all have moved that can, or the time for that is over.
-spec stop() -> ok.
stop() ->
    %% Without it they end, as where there is no other node.
    try gen_server:call(?MODULE, stop, ?STOP_MS + ?MOVE_MS + ?IDLE_MS) catch exit:_ -> ok end.

%% @doc The table above.
-spec phase(phase(), event()) -> phase().
phase(stopping, _) -> stopping;
phase(_, stop) -> stopping;
phase(_, drain) -> draining;
phase(Phase, rebalance) when Phase =:= idle; Phase =:= aborting -> rebalancing;
phase(Phase, abort) when Phase =:= draining; Phase =:= rebalancing -> aborting;
phase(Phase, round_over) when Phase =:= rebalancing; Phase =:= aborting -> idle;
phase(Phase, _) -> Phase.

%%% The process

-spec init([]) -> {ok, #drain{}}.
init([]) ->
    %% A predecessor that failed was at it.
    case megaphone_cluster:state() of
        draining -> {ok, next_round(#drain{phase = draining, since = now_ms()})};
        _ -> {ok, #drain{}}
    end.

-spec handle_call(term(), {pid(), term()}, #drain{}) -> {reply, term(), #drain{}} | {noreply, #drain{}}.
handle_call({drain, Targets}, _, #drain{phase = Phase} = D) ->
    case targets(Targets) of
        _ when Phase =:= stopping -> {reply, {error, "this node stops"}, D};
        [] -> {reply, {error, "there is no node that takes sessions to move them to"}, D};
        Nodes ->
            ok = megaphone_cluster:set(draining),
            ?LOG_NOTICE("Megaphone moves all sessions of this node to ~0p", [Nodes]),
            {reply, ok, next_round(begins(drain, D#drain{targets = Targets}))}
    end;
handle_call(abort, _, #drain{phase = Phase} = D) when Phase =:= draining; Phase =:= rebalancing ->
    ?LOG_NOTICE("Megaphone moves no more sessions: ~ts", [text(D)]),
    ok = megaphone_cluster:set(in_service),
    {reply, ok, step(D#drain{phase = phase(Phase, abort), queue = [], stay = #{}})};
handle_call(abort, _, #drain{phase = Phase} = D) ->
    {reply, case Phase of stopping -> error; _ -> ok end, D};
handle_call(status, _, #drain{open = Open} = D) ->
    {reply, {to_status(D), [Pid || {Pid, _} <- maps:values(Open)]}, D};
handle_call(load, _, D) ->
    {reply, {megaphone_cluster:here(), to_status(D)}, D};
handle_call({rebalance, Shares}, _, #drain{phase = Phase} = D) when Phase =:= idle; Phase =:= aborting ->
    ?LOG_NOTICE("Megaphone evens the cluster out: sessions move from here, ~0p", [Shares]),
    Queue = megaphone_balance:deal(megaphone_sessions:pids(), Shares),
    {reply, length(Queue), step((begins(rebalance, D))#drain{queue = Queue})};
handle_call({rebalance, _}, _, D) ->
    {reply, 0, D};
handle_call(stop, From, #drain{phase = Phase} = D) when Phase =/= stopping ->
    D1 = begins(stop, D#drain{targets = all, waits = [From]}),
    case targets(all) of
        [] ->
            {noreply, stopped(D1)};
        Nodes ->
            ?LOG_NOTICE("Megaphone moves all sessions to ~0p before this node stops", [Nodes]),
            {noreply, next_round(D1)}
    end;
handle_call(stop, _, #drain{waits = over} = D) ->
    {reply, ok, D};
handle_call(stop, From, #drain{waits = Waits} = D) ->
    {noreply, D#drain{waits = [From | Waits]}};
handle_call(_, _, D) ->
    {reply, {error, unknown_request}, D}.

-spec handle_cast(term(), #drain{}) -> {noreply, #drain{}}.
handle_cast(_, D) ->
    {noreply, D}.

-spec handle_info(term(), #drain{}) -> {noreply, #drain{}}.
handle_info({Ref, Answer}, #drain{open = Open} = D) when is_map_key(Ref, Open) ->
    true = erlang:demonitor(Ref, [flush]),
    {noreply, answered(Answer, D#drain{open = maps:remove(Ref, Open)})};
%% It took longer than is waited for.
handle_info({Ref, moved}, D) when is_reference(Ref) ->
    {noreply, answered(moved, D)};
handle_info({'DOWN', Ref, process, _, _}, #drain{open = Open} = D) when is_map_key(Ref, Open) ->
    {noreply, D#drain{open = maps:remove(Ref, Open)}};
handle_info({timeout, Timer, step}, #drain{timer = Timer} = D) ->
    {noreply, step(D#drain{timer = none})};
handle_info({timeout, Timer, round}, #drain{timer = Timer} = D) ->
    {noreply, next_round(D#drain{timer = none})};
handle_info(_, D) ->
    {noreply, D}.

-spec begins(event(), #drain{}) -> #drain{}.
begins(Event, #drain{phase = Phase} = D) ->
    Now = now_ms(),
    D#drain{phase = phase(Phase, Event), queue = [], stay = #{}, rounds = 0, moved = 0, since = Now, moved_at = Now, logged_at = Now}.

%% Those that take sessions, of these.
-spec targets(all | [node()]) -> [node()].
targets(Targets) -> [Node || {Node, _, _} <- loads(Targets)].

-spec loads(all | [node()]) -> [megaphone_cluster:load()].
loads(Targets) ->
    [Load || {Node, _, _} = Load <- megaphone_cluster:others(), Targets =:= all orelse lists:member(Node, Targets)].

-spec next_round(#drain{}) -> #drain{}.
next_round(#drain{targets = Targets, rounds = Rounds} = D) ->
    Pids = here(),
    Shares = megaphone_balance:spread(length(Pids), loads(Targets)),
    Stay = case Shares of [] when Pids =/= [] -> #{no_node => length(Pids)}; _ -> #{} end,
    step(D#drain{queue = megaphone_balance:deal(Pids, Shares), stay = Stay, rounds = Rounds + 1}).

-spec step(#drain{}) -> #drain{}.
step(#drain{queue = [], open = Open} = D) when map_size(Open) =:= 0 ->
    over(D);
step(#drain{queue = Queue, open = Open} = D) ->
    Now = now_ms(),
    {Due, Open1} = expired(Now, Open),
    {Told, Queue1} = lists:split(min(length_at_most(?STEP, Queue), max(0, ?AT_ONCE - map_size(Open1))), Queue),
    New = maps:from_list([{move(Pid, Node), {Pid, Now + ?MOVE_MS}} || {Pid, Node} <- Told]),
    D1 = lists:foldl(fun(_, Acc) -> answered({stays, timeout}, Acc) end, D, Due),
    timer({?STEP_MS, step}, log(Now, D1#drain{queue = Queue1, open = maps:merge(Open1, New)})).

-spec expired(ms(), open()) -> {[reference()], open()}.
expired(Now, Open) ->
    Due = [Ref || {Ref, {_, Until}} <- maps:to_list(Open), Until =< Now],
    lists:foreach(fun(Ref) -> erlang:demonitor(Ref, [flush]) end, Due),
    {Due, maps:without(Due, Open)}.

-spec length_at_most(pos_integer(), list()) -> non_neg_integer().
length_at_most(N, List) -> length(lists:sublist(List, N)).

-spec move(pid(), node()) -> reference().
move(Pid, Node) ->
    Ref = erlang:monitor(process, Pid),
    Pid ! {megaphone_move, Node, {self(), Ref}},
    Ref.

-spec answered(term(), #drain{}) -> #drain{}.
answered(moved, #drain{moved = Moved} = D) ->
    ok = megaphone_stats:add(sessions_moved, 1),
    D#drain{moved = Moved + 1, moved_at = now_ms()};
answered({stays, moved}, D) ->
    D;
%% The session went on there, or ended: nobody here knows.
answered(cut, D) ->
    ok = megaphone_stats:add(moves_failed, 1),
    D;
answered({stays, Reason}, #drain{stay = Stay} = D) ->
    ok = megaphone_stats:add(moves_failed, 1),
    D#drain{stay = Stay#{Reason => maps:get(Reason, Stay, 0) + 1}}.

%% Of this round all have moved, or stay.
-spec over(#drain{}) -> #drain{}.
over(#drain{phase = rebalancing} = D) ->
    ?LOG_NOTICE("Megaphone has evened out what this node had too many of: ~ts", [text(D)]),
    D#drain{phase = phase(rebalancing, round_over)};
over(#drain{phase = draining, rounds = Rounds} = D) ->
    _ = Rounds =:= 1 andalso ?LOG_NOTICE("Megaphone has gone through all sessions of this node: ~ts", [text(D)]),
    timer({case Rounds < ?SOON_ROUNDS of true -> ?SOON_MS; false -> ?LATER_MS end, round}, D);
over(#drain{phase = stopping, stay = Stay, since = Since, moved_at = MovedAt} = D) ->
    Now = now_ms(),
    case map_size(Stay) =:= 0 orelse targets(all) =:= [] orelse Now - Since > ?STOP_MS orelse Now - MovedAt > ?IDLE_MS of
        true -> stopped(D);
        false -> timer({?SOON_MS, round}, D)
    end;
over(#drain{phase = Phase} = D) when Phase =:= idle; Phase =:= aborting ->
    timer(infinity, D#drain{phase = phase(Phase, round_over), stay = #{}}).

-spec stopped(#drain{}) -> #drain{}.
stopped(#drain{moved = Moved, waits = Waits} = D) ->
    _ = Moved > 0 andalso ?LOG_NOTICE("Megaphone lets this node stop: ~ts", [text(D)]),
    lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waits),
    D#drain{waits = over}.

-spec log(ms(), #drain{}) -> #drain{}.
log(Now, #drain{logged_at = At} = D) when Now - At < ?LOG_MS ->
    D;
log(Now, D) ->
    ?LOG_INFO("Megaphone moves sessions: ~ts", [text(D)]),
    D#drain{logged_at = Now}.

-spec text(#drain{}) -> iolist().
text(D) ->
    #{moved := Moved, to_go := ToGo, stay := Stay, seconds := Seconds} = to_status(D),
    io_lib:format("~b moved in ~b s, ~b to go, ~b of them stay ~0p", [Moved, Seconds, ToGo, lists:sum(maps:values(Stay)), maps:to_list(Stay)]).

-spec to_status(#drain{}) -> status().
to_status(#drain{phase = Phase, moved = Moved, queue = Queue, open = Open, stay = Last, since = Since, targets = Targets}) ->
    UnderWay = map_size(Open),
    {ToGo, Stay, Seconds} = case Phase of
        idle -> {0, #{}, 0};
        _ -> {length(Queue) + UnderWay + lists:sum(maps:values(Last)), Last, (now_ms() - Since) div 1000}
    end,
    #{phase => Phase, moved => Moved, to_go => ToGo, under_way => UnderWay, stay => Stay, seconds => Seconds, targets => targets(Targets)}.

-spec timer(infinity | {ms(), step | round}, #drain{}) -> #drain{}.
timer(Next, #drain{timer = Timer} = D) ->
    _ = is_reference(Timer) andalso erlang:cancel_timer(Timer),
    case Next of
        infinity -> D#drain{timer = none};
        {Ms, What} -> D#drain{timer = erlang:start_timer(Ms, self(), What)}
    end.

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
