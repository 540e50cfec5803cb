%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The nodes of the cluster that run this module, as they tell each other; and what gateways that watch are told of it:
%%% which nodes there are, and whether this one takes new sessions. Nobody waits for this process, nor it for anybody.
%%%
%%% | this node is | where                                                                                    |
%%% |--------------|------------------------------------------------------------------------------------------|
%%% | stopping     | ejabberd stops, or the module                                                            |
%%% | draining     | megaphone_drain said so, or ejabberd's listeners are stopped (`evacuate_kindly', `stop_kindly') |
%%% | in_service   | else: it takes new sessions, unless its weight is 0                                      |
-module(megaphone_cluster).
-behaviour(gen_server).

-export([start_link/0, set/1, state/0, takes_new/0, here/0, others/0, other/1, node_of/1, is_connected/2, watch/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([state/0, load/0]).

-type state() :: in_service | draining | stopping.
-type load() :: {node(), Sessions :: non_neg_integer(), Weight :: non_neg_integer()}.
-type ms() :: integer().
%% What a node tells of itself.
-type told() :: #{state := state(), sessions := non_neg_integer(), weight := non_neg_integer(), gateways := [node()]}.

-define(TABLE, megaphone_cluster).
-define(TICK_MS, 1000).
%% A gateway that says no more that it watches is told nothing.
-define(WATCH_MS, 30000).
%% Not more often than this, and sessions alone less often.
-define(TELL_MS, 200).
-define(SESSIONS_MS, 2000).

-record(cluster, {
    watchers = #{} :: #{node() => Until :: ms()},
    peers = #{} :: #{node() => Monitor :: reference()},
    %% What was told last, and when.
    told = none :: none | {Nodes :: [node()], Known :: [node()], told()},
    at :: ms(),
    sessions_at :: ms(),
    %% Tells what it waited with.
    timer = none :: none | reference()
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Outlives this process.
-spec set(state()) -> ok.
set(State) ->
    ok = persistent_term:put({?MODULE, state}, State),
    gen_server:cast(?MODULE, look).

-spec state() -> state().
state() ->
    case persistent_term:get({?MODULE, state}, in_service) of
        in_service -> case lookup(listeners_stopped) of true -> draining; none -> in_service end;
        State -> State
    end.

%% @doc Do new sessions begin here?
-spec takes_new() -> boolean().
takes_new() -> state() =:= in_service andalso lookup(weight) =/= 0.

%% @doc This node, whether it takes any or not.
-spec here() -> load().
here() -> {node(), megaphone_sessions:count(), weight()}.

%% @doc Others that take sessions.
-spec others() -> [load()].
others() -> [{Node, Sessions, Weight} || {Node, #{state := in_service, sessions := Sessions, weight := Weight}} <- peers(), Weight > 0].

%% @doc One of these that this gateway is connected to: of two by chance that with more room.
-spec other(Gateway :: node()) -> {ok, node()} | none.
other(Gateway) ->
    case [{S / W, Node} || {Node, S, W} <- others(), is_connected(Node, Gateway)] of
        [] ->
            none;
        Loads ->
            Any = fun() -> lists:nth(rand:uniform(length(Loads)), Loads) end,
            {_, Node} = min(Any(), Any()),
            {ok, Node}
    end.

%% @doc Whose sids have this tag, where it runs the module.
-spec node_of(Tag :: binary()) -> node() | none.
node_of(Tag) -> lookup({tag, Tag}).

%% @doc As far as is known.
-spec is_connected(node(), Gateway :: node()) -> boolean().
is_connected(Node, Gateway) ->
    case lookup({peer, Node}) of
        #{gateways := Gateways} -> lists:member(Gateway, Gateways);
        none -> false
    end.

%% @doc A gateway watches.
-spec watch(node()) -> ok.
watch(Gateway) -> gen_server:cast(?MODULE, {watch, Gateway}).

-spec peers() -> [{node(), told()}].
peers() ->
    try
        [{Node, Told} || {{peer, Node}, Told} <- ets:match_object(?TABLE, {{peer, '_'}, '_'})]
    catch
        error:badarg -> []
    end.

-spec lookup(term()) -> term() | none.
lookup(Key) ->
    try ets:lookup(?TABLE, Key) of
        [{_, Value}] -> Value;
        [] -> none
    catch
        error:badarg -> none
    end.

%%% The process

-spec init([]) -> {ok, #cluster{}}.
init([]) ->
    _ = ets:new(?TABLE, [named_table, protected, set, {read_concurrency, true}]),
    ok = net_kernel:monitor_nodes(true, [{node_type, all}]),
    %% Tells of nodes that come and go later than the connections do, where Mnesia makes the cluster.
    _ = mnesia:subscribe(system),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    Now = now_ms(),
    {ok, look(#cluster{at = Now - ?TELL_MS, sessions_at = Now})}.

-spec handle_call(term(), {pid(), term()}, #cluster{}) -> {reply, {error, unknown_request}, #cluster{}}.
handle_call(_, _, C) ->
    {reply, {error, unknown_request}, C}.

-spec handle_cast(term(), #cluster{}) -> {noreply, #cluster{}}.
handle_cast(look, C) ->
    {noreply, look(C)};
handle_cast({watch, Gateway}, #cluster{watchers = Watchers, told = {Nodes, Known, Told}} = C) ->
    ok = tell_gateway(Gateway, info(Nodes, Known, Told)),
    {noreply, look(C#cluster{watchers = Watchers#{Gateway => now_ms() + ?WATCH_MS}})};
handle_cast(_, C) ->
    {noreply, C}.

-spec handle_info(term(), #cluster{}) -> {noreply, #cluster{}}.
handle_info(tick, #cluster{watchers = Watchers} = C) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    Now = now_ms(),
    {noreply, look(C#cluster{watchers = maps:filter(fun(_, Until) -> Until > Now end, Watchers)})};
handle_info(tell, C) ->
    {noreply, look(C#cluster{timer = none})};
handle_info({peer, Pid, Told}, #cluster{peers = Peers} = C) ->
    Node = node(Pid),
    IsNew = not is_map_key(Node, Peers),
    true = ets:insert(?TABLE, [{{peer, Node}, Told}, {{tag, megaphone_sid:tag(Node)}, Node}]),
    case IsNew of
        true -> ok = tell_peer(Node, C), {noreply, C#cluster{peers = Peers#{Node => erlang:monitor(process, Pid)}}};
        false -> {noreply, C}
    end;
handle_info({'DOWN', Monitor, process, Pid, _}, #cluster{peers = Peers} = C) ->
    case Peers of
        #{node(Pid) := Monitor} -> {noreply, look(forget(node(Pid), C))};
        #{} -> {noreply, C}
    end;
handle_info({nodedown, Node, _}, #cluster{watchers = Watchers} = C) ->
    %% Nothing is passed there any more when gateways hear of it.
    {noreply, look(forget(Node, C#cluster{watchers = maps:remove(Node, Watchers)}))};
handle_info({nodeup, Node, _}, C) ->
    C1 = look(C),
    ok = tell_peer(Node, C1),
    {noreply, C1};
handle_info({mnesia_system_event, _}, C) ->
    {noreply, look(C)};
handle_info(_, C) ->
    {noreply, C}.

-spec forget(node(), #cluster{}) -> #cluster{}.
forget(Node, #cluster{peers = Peers} = C) ->
    true = ets:delete(?TABLE, {peer, Node}),
    true = ets:delete(?TABLE, {tag, megaphone_sid:tag(Node)}),
    C#cluster{peers = maps:remove(Node, Peers)}.

%% Says what has changed to those whom it concerns, and what has not now and then.
-spec look(#cluster{}) -> #cluster{}.
look(#cluster{watchers = Watchers, told = Before, at = At, sessions_at = SessionsAt} = C) ->
    _ = case are_listeners_stopped() of
        true -> ets:insert(?TABLE, {listeners_stopped, true});
        false -> ets:delete(?TABLE, listeners_stopped)
    end,
    true = ets:insert(?TABLE, {weight, weight()}),
    Up = [node() | nodes()],
    Nodes = [Node || Node <- members(get_nodes), lists:member(Node, Up)],
    %% Other hidden nodes come and go with each call of ejabberdctl.
    Self = #{state => state(), sessions => megaphone_sessions:count(), weight => lookup(weight), gateways => lists:sort(maps:keys(Watchers))},
    Now = {lists:sort(Nodes), lists:sort(members(get_known_nodes)), Self},
    case {essence(Now) =:= essence(Before), now_ms()} of
        {true, Ms} when Ms - SessionsAt < ?SESSIONS_MS -> C;
        {false, Ms} when Ms - At < ?TELL_MS -> later(C);
        {_, Ms} -> tell(C#cluster{told = Now, at = Ms, sessions_at = Ms})
    end.

%% While Mnesia stops it tells nothing.
-spec members(get_nodes | get_known_nodes) -> [node()].
members(Which) ->
    try ejabberd_cluster:Which() catch _:_ -> [node()] end.

-spec essence(none | {[node()], [node()], told()}) -> term().
essence({Nodes, Known, Told}) -> {Nodes, Known, Told#{sessions := 0}};
essence(none) -> none.

-spec later(#cluster{}) -> #cluster{}.
later(#cluster{timer = none} = C) -> C#cluster{timer = erlang:send_after(?TELL_MS, self(), tell)};
later(C) -> C.

-spec tell(#cluster{}) -> #cluster{}.
tell(#cluster{told = {Nodes, Known, Told}, watchers = Watchers} = C) ->
    Info = info(Nodes, Known, Told),
    lists:foreach(fun(Gateway) -> tell_gateway(Gateway, Info) end, maps:keys(Watchers)),
    lists:foreach(fun(Node) -> tell_peer(Node, C) end, nodes()),
    C.

-spec info([node()], [node()], told()) -> #{binary() => term()}.
info(Nodes, Known, #{state := State, sessions := Sessions, weight := Weight}) ->
    #{<<"nodes">> => Nodes, <<"known">> => Known, <<"state">> => State, <<"sessions">> => Sessions, <<"weight">> => Weight}.

-spec tell_gateway(node(), #{binary() => term()}) -> ok.
tell_gateway(Gateway, Info) ->
    _ = erlang:send({megaphone, Gateway}, {cluster, Info}, [nosuspend, noconnect]),
    ok.

%% One that is lost is followed by others. Where there is no such process, it is told nobody.
-spec tell_peer(node(), #cluster{}) -> ok.
tell_peer(Node, #cluster{told = {_, _, Told}}) ->
    _ = erlang:send({?MODULE, Node}, {peer, self(), Told}, [nosuspend, noconnect]),
    ok.

%% None of those that are configured is left; where there is no supervisor of them, ejabberd starts.
-spec are_listeners_stopped() -> boolean().
are_listeners_stopped() ->
    try
        ejabberd_option:listen() =/= [] andalso proplists:get_value(specs, supervisor:count_children(ejabberd_listener)) =:= 0
    catch
        _:_ -> false
    end.

%% Of the first host that has the module.
-spec weight() -> non_neg_integer().
weight() ->
    case lists:search(fun(Host) -> gen_mod:is_loaded(Host, mod_megaphone) end, ejabberd_option:hosts()) of
        {value, Host} -> gen_mod:get_module_opt(Host, mod_megaphone, weight);
        false -> 100
    end.

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
