%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Which sessions live elsewhere than the tag of their sid says, as every node of the cluster knows it. Each node tells the others
%%% of those it took over; the truth are its sessions (megaphone_sessions): who comes, or comes back, is told of all.
%%%
%%% | what happens                     | what is done here                                                        |
%%% |----------------------------------|--------------------------------------------------------------------------|
%%% | a session moved here, or ended   | all peers are told                                                       |
%%% | the link breaks while one moves  | this node, which it leaves, leads to where it lives, if it does          |
%%% | a node comes, or this one starts | each tells the other all of its own; until all said so, `find' is unsure |
%%% | the link to a node breaks        | its rows stay until it is back, or for as long as sessions live without  |
%%% |                                  | a sign of their clients: gateways may reach it, and know whether it died |
%%% | a peer's process stops           | they go, unless it is back in time                                       |
%%% | a peer does not read             | it is left out, and gets all once it reads: nobody waits for it          |
%%%
%%% There is more than one row of a sid while it moves on: a row goes only with its own pid, so none that comes late takes away the newer.
-module(megaphone_moved).
-behaviour(gen_server).

-export([start_link/0, enter/2, leave/1, left_for/2, moved_on/1, find/1, is_beyond/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ROWS, megaphone_moved).
-define(TICK_MS, 1000).
%% A peer that answers nothing for so long does not keep requests waiting.
-define(SYNC_MS, 5000).
%% So long after its end what asks for a session is led to where its last answers are kept.
-define(LATE_MS, 60000).
%% Every so many ticks those that were killed are found.
-define(SWEEP_TICKS, 10).

-type ms() :: integer().
-type row() :: {megaphone_sid:sid(), pid()}.

-record(peer, {
    monitor :: reference(),
    %% `none' until it spoke.
    pid = none :: pid() | none,
    %% It missed something.
    is_behind = false :: boolean()
}).

-record(moved, {
    peers = #{} :: #{node() => #peer{}},
    %% Not waited for any longer then.
    sync_until :: ms(),
    %% Rows of this node whose session ended, by when they go.
    ended = [] :: [{ms(), row()}],
    %% Peers that failed or were cut off, and until when they may be back.
    failed = #{} :: #{node() => ms()},
    ticks = 0 :: non_neg_integer()
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc This process, which moved here, is the session now. Returns when all are being told.
-spec enter(megaphone_sid:sid(), pid()) -> ok.
enter(Sid, Pid) when node(Pid) =:= node() ->
    case is_own(Sid) of
        true -> ok;
        %% Where nobody is there to tell, the next one finds it in the index.
        false -> try gen_server:call(?MODULE, {enter, {Sid, Pid}}) catch exit:_ -> ok end
    end.

%% @doc The calling process is the session no more.
-spec leave(megaphone_sid:sid()) -> ok.
leave(Sid) ->
    case is_own(Sid) of
        true -> ok;
        false -> gen_server:cast(?MODULE, {leave, {Sid, self()}})
    end.

%% @doc The calling process was the session, and ends; if another lives, it is that one. Its node says so when it is back: until
%% then this one alone knows.
-spec left_for(pid(), megaphone_sid:sid()) -> ok.
left_for(Pid, Sid) -> try gen_server:call(?MODULE, {left_for, {Sid, Pid}}) catch exit:_ -> ok end.

%% @doc The calling process passed on what came to it, and ends: the session is at another place, which has a row of its own, or at home.
-spec moved_on(megaphone_sid:sid()) -> ok.
moved_on(Sid) ->
    case is_own(Sid) of
        true -> ok;
        false -> gen_server:cast(?MODULE, {moved_on, {Sid, self()}})
    end.

%% @doc On another node. `unknown' while others may know of it what this node does not.
-spec find(megaphone_sid:sid()) -> {ok, pid()} | none | unknown.
find(Sid) ->
    try ets:lookup(?ROWS, Sid) of
        Rows ->
            case [Pid || {_, Pid} <- Rows, node(Pid) =/= node()] of
                [] -> case ets:member(?ROWS, unsure) of true -> unknown; false -> none end;
                %% The last to come.
                Pids -> {ok, lists:last(Pids)}
            end
    catch
        error:badarg -> unknown
    end.

%% @doc Of a session that moved on from here: has it since moved on from where it went then, too?
-spec is_beyond(megaphone_sid:sid()) -> boolean().
is_beyond(Sid) ->
    try lists:reverse(ets:lookup(?ROWS, Sid)) of
        [{_, Last} | _] -> node(Last) =/= node();
        [] -> false
    catch
        error:badarg -> false
    end.

-spec is_own(megaphone_sid:sid()) -> boolean().
is_own(Sid) -> megaphone_sid:tag_of(Sid) =:= megaphone_sid:tag(node()).

%%% The process

-spec init([]) -> {ok, #moved{}}.
init([]) ->
    process_flag(trap_exit, true),
    _ = ets:new(?ROWS, [named_table, protected, bag, {read_concurrency, true}]),
    true = ets:insert(?ROWS, {unsure}),
    Own = megaphone_sid:tag(node()),
    true = ets:insert(?ROWS, [{Sid, Pid} || {Sid, Pid} <- megaphone_sessions:all(), megaphone_sid:tag_of(Sid) =/= Own]),
    ok = net_kernel:monitor_nodes(true),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {ok, sync(lists:foldl(fun meet/2, #moved{sync_until = now_ms() + ?SYNC_MS}, nodes()))}.

-spec handle_call(term(), {pid(), term()}, #moved{}) -> {reply, ok | {error, unknown_request}, #moved{}}.
handle_call({enter, Row}, _, M) ->
    true = ets:insert(?ROWS, Row),
    {reply, ok, tell_all({enter, Row}, M)};
handle_call({left_for, Row}, _, M) ->
    true = ets:insert(?ROWS, Row),
    {reply, ok, M};
handle_call(_, _, M) ->
    {reply, {error, unknown_request}, M}.

-spec handle_cast(term(), #moved{}) -> {noreply, #moved{}}.
handle_cast({leave, Row}, #moved{ended = Ended} = M) ->
    {noreply, M#moved{ended = [{now_ms() + ?LATE_MS, Row} | Ended]}};
handle_cast({moved_on, Row}, M) ->
    true = ets:delete_object(?ROWS, Row),
    {noreply, tell_all({leave, [Row]}, M)};
handle_cast(_, M) ->
    {noreply, M}.

-spec handle_info(term(), #moved{}) -> {noreply, #moved{}}.
handle_info({enter, {_, _} = Row}, M) ->
    true = ets:insert(?ROWS, Row),
    {noreply, M};
handle_info({leave, Rows}, M) ->
    lists:foreach(fun(Row) -> ets:delete_object(?ROWS, Row) end, Rows),
    {noreply, M};
handle_info({hello, Pid, Rows}, M) ->
    {noreply, tell(node(Pid), {rows, self(), own()}, told(Pid, Rows, M))};
handle_info({rows, Pid, Rows}, M) ->
    {noreply, told(Pid, Rows, M)};
handle_info({nodeup, Node}, M) ->
    true = ets:insert(?ROWS, {unsure}),
    {noreply, sync(meet(Node, M#moved{sync_until = now_ms() + ?SYNC_MS}))};
handle_info({'DOWN', Monitor, process, {?MODULE, Node}, Reason}, #moved{peers = Peers} = M) ->
    case Peers of
        #{Node := #peer{monitor = Monitor, pid = Pid}} ->
            {noreply, sync(gone(Node, Pid, Reason, M#moved{peers = maps:remove(Node, Peers)}))};
        #{} ->
            {noreply, M}
    end;
handle_info(tick, M) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {noreply, tick(now_ms(), M)};
handle_info(_, M) ->
    {noreply, M}.

%% A node without the module has no such process: then this monitor says so.
-spec meet(node(), #moved{}) -> #moved{}.
meet(Node, #moved{peers = Peers} = M) when is_map_key(Node, Peers) ->
    M;
meet(Node, #moved{peers = Peers} = M) ->
    Peer = #peer{monitor = erlang:monitor(process, {?MODULE, Node})},
    tell(Node, {hello, self(), own()}, M#moved{peers = Peers#{Node => Peer}}).

%% All that live there.
-spec told(pid(), [row()], #moved{}) -> #moved{}.
told(Pid, Rows, #moved{failed = Failed} = M) ->
    Node = node(Pid),
    #moved{peers = #{Node := Peer} = Peers} = M1 = meet(Node, M),
    ok = renew(Node, Rows),
    sync(M1#moved{peers = Peers#{Node := Peer#peer{pid = Pid}}, failed = maps:remove(Node, Failed)}).

-spec gone(node(), pid() | none, Reason :: term(), #moved{}) -> #moved{}.
%% It may live.
gone(Node, _, noconnection, #moved{failed = Failed} = M) ->
    M#moved{failed = Failed#{Node => now_ms() + 1000 * megaphone_sessions:longest()}};
%% It starts, or has no such module.
gone(Node, Pid, Reason, #moved{failed = Failed} = M) when Pid =:= none; Reason =:= noproc ->
    ok = forget(Node),
    M#moved{failed = maps:remove(Node, Failed)};
%% Its supervisor may start another one.
gone(Node, _, _, #moved{failed = Failed} = M) ->
    M#moved{failed = Failed#{Node => now_ms() + ?SYNC_MS}}.

%% Nobody who looks meanwhile misses one that stays.
-spec renew(node(), [row()]) -> ok.
renew(Node, Rows) ->
    true = ets:insert(?ROWS, Rows),
    New = maps:from_list([{Row, []} || Row <- Rows]),
    Old = ets:select(?ROWS, [{{'_', '$1'}, [{'=:=', {node, '$1'}, Node}], ['$_']}]),
    lists:foreach(fun(Row) -> ets:delete_object(?ROWS, Row) end, [Row || Row <- Old, not is_map_key(Row, New)]).

-spec forget(node()) -> ok.
forget(Node) ->
    _ = ets:select_delete(?ROWS, [{{'_', '$1'}, [{'=:=', {node, '$1'}, Node}], [true]}]),
    ok.

%% Each that is there has told what it knows.
-spec sync(#moved{}) -> #moved{}.
sync(#moved{peers = Peers, sync_until = Until} = M) ->
    case now_ms() >= Until orelse not lists:any(fun(#peer{pid = Pid}) -> Pid =:= none end, maps:values(Peers)) of
        true -> true = ets:delete(?ROWS, unsure), M;
        false -> M
    end.

-spec own() -> [row()].
own() -> ets:select(?ROWS, [{{'_', '$1'}, [{'=:=', {node, '$1'}, node()}], ['$_']}]).

-spec tell_all(tuple(), #moved{}) -> #moved{}.
tell_all(Message, #moved{peers = Peers} = M) ->
    lists:foldl(fun(Node, Acc) -> tell(Node, Message, Acc) end, M, maps:keys(Peers)).

-spec tell(node(), tuple(), #moved{}) -> #moved{}.
tell(Node, Message, #moved{peers = Peers} = M) ->
    #{Node := Peer} = Peers,
    case erlang:send({?MODULE, Node}, Message, [nosuspend, noconnect]) of
        nosuspend -> M#moved{peers = Peers#{Node := Peer#peer{is_behind = true}}};
        _ -> M
    end.

-spec tick(ms(), #moved{}) -> #moved{}.
tick(Now, #moved{ticks = Ticks} = M) ->
    M1 = lists:foldl(fun again/2, leave(Now, M#moved{ticks = Ticks + 1}), maps:to_list(M#moved.peers)),
    M2 = lists:foldl(fun(Node, Acc) -> give_up(Now, Node, Acc) end, M1, maps:keys(M1#moved.failed)),
    _ = (Ticks rem ?SWEEP_TICKS =:= 0) andalso sweep(M2),
    sync(M2).

-spec again({node(), #peer{}}, #moved{}) -> #moved{}.
again({Node, #peer{is_behind = true} = Peer}, #moved{peers = Peers} = M) ->
    tell(Node, {hello, self(), own()}, M#moved{peers = Peers#{Node := Peer#peer{is_behind = false}}});
again(_, M) ->
    M.

-spec give_up(ms(), node(), #moved{}) -> #moved{}.
give_up(Now, Node, #moved{failed = Failed} = M) ->
    case Failed of
        #{Node := Until} when Until =< Now -> ok = forget(Node), M#moved{failed = maps:remove(Node, Failed)};
        #{} -> M
    end.

-spec leave(ms(), #moved{}) -> #moved{}.
leave(Now, #moved{ended = Ended} = M) ->
    case lists:partition(fun({At, _}) -> At =< Now end, Ended) of
        {[], _} ->
            M;
        {Due, Later} ->
            Rows = [Row || {_, Row} <- Due],
            lists:foreach(fun(Row) -> ets:delete_object(?ROWS, Row) end, Rows),
            tell_all({leave, Rows}, M#moved{ended = Later})
    end.

%% What was killed said nothing.
-spec sweep(#moved{}) -> ok.
sweep(#moved{ended = Ended}) ->
    Known = maps:from_list([{Row, []} || {_, Row} <- Ended]),
    lists:foreach(fun(Row) -> gen_server:cast(self(), {leave, Row}) end,
        [Row || {_, Pid} = Row <- own(), not is_map_key(Row, Known), not is_process_alive(Pid)]).

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
