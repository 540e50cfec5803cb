%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The process registered as `megaphone_router': logs processes of this node in and out, hears from gateways and other routers
%%% which ids they have, and writes that into the table (docs/comet.md has the terms). Nothing is sent through it.
%%%
%%% Each router tells the others of the first and the last of its own processes with an id, as a gateway does of its connections. Who says
%%% hello is told welcome, and then tells all that it has. Between two routers that is done in both directions.
-module(megaphone_comet_directory).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-type id() :: megaphone_comet_id:canonical().
-type kind() :: megaphone_comet_table:kind().

-define(VERSION, 1).
-define(TICK_MS, 200).
%% Every so many ticks a router that never said welcome hears hello again.
-define(GREET_TICKS, 25).
%% Ids of a process that ended, in one step among other work.
-define(STEP, 1000).

-record(place, {
    kind :: kind(),
    pid :: pid(),
    monitor :: reference(),
    phase :: megaphone_comet_place:phase()
}).

-record(router, {
    places = #{} :: #{node() => #place{}},
    %% Routers that take what this one says, and those that missed something of it.
    welcome = #{} :: #{node() => pid()},
    missed = #{} :: #{node() => true},
    %% Of the processes that are logged in here.
    monitors = #{} :: #{pid() => reference()},
    %% What they are to be told next.
    news = megaphone_comet_news:new() :: megaphone_comet_news:news(),
    lingering :: megaphone_comet_lingering:lingering(),
    sweep = none :: none | megaphone_comet_sweep:sweep(),
    ticks = 0 :: non_neg_integer()
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() -> gen_server:start_link({local, megaphone_router}, ?MODULE, [], []).

-spec init([]) -> {ok, #router{}}.
init([]) ->
    _ = process_flag(message_queue_data, off_heap),
    ok = net_kernel:monitor_nodes(true),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {ok, lists:foldl(fun hello/2, inherit(#router{lingering = megaphone_comet_lingering:new()}), nodes())}.

%% What a predecessor left. Places say hello again.
-spec inherit(#router{}) -> #router{}.
inherit(#router{lingering = Lingering} = R) ->
    ok = megaphone_comet_sweep:all(Lingering),
    lists:foldl(fun watch/2, R, megaphone_comet_logins:pids()).

-spec handle_call(term(), {pid(), term()}, #router{}) -> {reply, ok | {error, unknown_request}, #router{}}.
handle_call({login, Id, Pid}, _, R) when node(Pid) =:= node() ->
    R1 = watch(Pid, R),
    case megaphone_comet_logins:add(Id, Pid) of
        first ->
            _ = megaphone_comet_table:join(router, Id, node()),
            {reply, ok, news(login, Id, R1)};
        more ->
            {reply, ok, R1}
    end;
handle_call({logout, Id, Pid}, _, R) ->
    R1 = logout(Id, Pid, R),
    {reply, ok, case megaphone_comet_logins:ids_of(Pid) of [] -> unwatch(Pid, R1); _ -> R1 end};
handle_call({logout, Pid}, _, R) ->
    {reply, ok, unwatch(Pid, logout_all(Pid, R))};
handle_call(_, _, R) ->
    {reply, {error, unknown_request}, R}.

-spec handle_cast(term(), #router{}) -> {noreply, #router{}}.
handle_cast(_, R) -> {noreply, R}.

-spec handle_info(term(), #router{}) -> {noreply, #router{}}.
handle_info({From, hello, ?VERSION, Kind}, R) when is_pid(From), node(From) =/= node(), Kind =:= gateway orelse Kind =:= router ->
    {noreply, greeted(Kind, From, R)};
handle_info({welcome, From, _}, #router{welcome = Welcome} = R) when is_pid(From) ->
    {noreply, tell_all(node(From), R#router{welcome = Welcome#{node(From) => From}})};
handle_info({From, What, Ids}, R) when is_pid(From), is_list(Ids), What =:= login orelse What =:= logout ->
    {noreply, told(What, From, Ids, R)};
handle_info({From, replay, Ask, Id, Since}, R) when is_pid(From), is_integer(Since), Since >= 0 ->
    ok = megaphone_comet_replay:answer(node(From), Ask, megaphone_comet_id:canonical(Id), Since, 1),
    {noreply, R};
handle_info({replay_again, Gateway, Ask, Id, Since, Time}, R) ->
    ok = megaphone_comet_replay:answer(Gateway, Ask, Id, Since, Time),
    {noreply, R};
handle_info({'DOWN', Monitor, process, {any, Node}, _}, R) -> {noreply, down(Node, Monitor, R)};
handle_info({'DOWN', Monitor, process, Pid, _}, #router{monitors = Monitors} = R) ->
    case Monitors of
        #{Pid := Monitor} -> {noreply, ended(Pid, R#router{monitors = maps:remove(Pid, Monitors)})};
        #{} -> {noreply, down(node(Pid), Monitor, R)}
    end;
handle_info({ended, Pid}, R) -> {noreply, ended(Pid, R)};
handle_info(news, R) -> {noreply, flush(R)};
handle_info(sweep, #router{sweep = Sweep, lingering = Lingering} = R) ->
    {noreply, swept(megaphone_comet_sweep:step(Sweep, Lingering), R)};
%% One of two is enough, and the other answers.
handle_info({nodeup, Node}, R) when Node > node() -> {noreply, hello(Node, R)};
handle_info(tick, R) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {noreply, tick(R)};
handle_info(linger, R) -> {noreply, expire(R)};
handle_info(_, R) -> {noreply, R}.

%%% Processes of this node

-spec watch(pid(), #router{}) -> #router{}.
watch(Pid, #router{monitors = Monitors} = R) when is_map_key(Pid, Monitors) -> R;
watch(Pid, #router{monitors = Monitors} = R) -> R#router{monitors = Monitors#{Pid => erlang:monitor(process, Pid)}}.

-spec unwatch(pid(), #router{}) -> #router{}.
unwatch(Pid, #router{monitors = Monitors} = R) ->
    case maps:take(Pid, Monitors) of
        {Monitor, Rest} -> true = erlang:demonitor(Monitor, [flush]), R#router{monitors = Rest};
        error -> R
    end.

%% Some of its ids; the others behind all that waits now.
-spec ended(pid(), #router{}) -> #router{}.
ended(Pid, R) ->
    Ids = megaphone_comet_logins:ids_of(Pid, ?STEP),
    _ = length(Ids) =:= ?STEP andalso (self() ! {ended, Pid}),
    lists:foldl(fun(Id, Acc) -> logout(Id, Pid, Acc) end, R, Ids).

-spec logout_all(pid(), #router{}) -> #router{}.
logout_all(Pid, R) -> lists:foldl(fun(Id, Acc) -> logout(Id, Pid, Acc) end, R, megaphone_comet_logins:ids_of(Pid)).

-spec logout(id(), pid(), #router{}) -> #router{}.
logout(Id, Pid, #router{lingering = Lingering} = R) ->
    case megaphone_comet_logins:remove(Id, Pid) of
        last -> ok = megaphone_comet_lingering:leave(router, Id, node(), Lingering), news(logout, Id, R);
        _ -> R
    end.

%% Told behind all that waits now: so many are told at once when there is much to do.
-spec news(login | logout, id(), #router{}) -> #router{}.
news(_, _, #router{welcome = Welcome} = R) when map_size(Welcome) =:= 0 ->
    R;
news(What, Id, #router{news = News} = R) ->
    _ = map_size(News) =:= 0 andalso (self() ! news),
    R#router{news = megaphone_comet_news:add(What, Id, News)}.

-spec flush(#router{}) -> #router{}.
flush(#router{news = News, welcome = Welcome} = R) ->
    Terms = megaphone_comet_news:terms(News),
    lists:foldl(fun(Node, Acc) -> tell(Node, Terms, Acc) end, R#router{news = megaphone_comet_news:new()}, maps:keys(Welcome)).

-spec tell_all(node(), #router{}) -> #router{}.
tell_all(Node, R) -> tell(Node, megaphone_comet_news:all(megaphone_comet_logins:ids()), R).

%% One that does not read misses some, and is told all later: nobody waits for it.
-spec tell(node(), [tuple()], #router{}) -> #router{}.
tell(_, [], R) ->
    R;
tell(Node, [Term | Terms], R) ->
    case erlang:send({megaphone_router, Node}, Term, [nosuspend, noconnect]) of
        nosuspend -> missed(Node, R);
        _ -> tell(Node, Terms, R)
    end.

-spec missed(node(), #router{}) -> #router{}.
missed(Node, #router{missed = Missed} = R) -> R#router{missed = Missed#{Node => true}}.

%% @doc It forgets what it knew of this one, and says welcome.
-spec hello(node(), #router{}) -> #router{}.
hello(Node, #router{missed = Missed} = R) -> tell(Node, [{self(), hello, ?VERSION, router}], R#router{missed = maps:remove(Node, Missed)}).

%%% Gateways and other routers

-spec greeted(kind(), pid(), #router{}) -> #router{}.
greeted(Kind, From, #router{places = Places} = R) ->
    Node = node(From),
    {Phase, Monitor} = case Places of
        %% A monitor goes by the link: while that has no room, whoever sets one stands still. Who says hello again may have missed the answer
        %% for want of room.
        #{Node := #place{pid = From, kind = Kind, monitor = Same, phase = Known}} when Known =/= sweeping -> {Known, Same};
        #{Node := #place{monitor = Old, phase = Known}} -> true = erlang:demonitor(Old, [flush]), {Known, monitor_place(Kind, From)};
        #{} -> {unknown, monitor_place(Kind, From)}
    end,
    Place = #place{kind = Kind, pid = From, monitor = Monitor, phase = megaphone_comet_place:next(Phase, hello)},
    R1 = entered(Node, Phase, R#router{places = Places#{Node => Place}}),
    %% A router that has just come does not know this one.
    case Phase =:= unknown andalso not is_welcome(Node, Place, R1) of
        true -> hello(Node, R1);
        false -> R1
    end.

-spec monitor_place(kind(), pid()) -> reference().
monitor_place(gateway, From) -> erlang:monitor(process, {any, node(From)});
monitor_place(router, From) -> erlang:monitor(process, From).

-spec is_welcome(node(), #place{}, #router{}) -> boolean().
is_welcome(Node, #place{kind = Kind, pid = Pid}, #router{welcome = Welcome}) ->
    Kind =:= gateway orelse maps:get(Node, Welcome, none) =:= Pid.

-spec down(node(), reference(), #router{}) -> #router{}.
down(Node, Monitor, #router{places = Places, welcome = Welcome, missed = Missed} = R) ->
    case Places of
        #{Node := #place{monitor = Monitor, phase = Phase} = Place} ->
            Gone = Place#place{phase = megaphone_comet_place:next(Phase, down)},
            entered(Node, Phase, R#router{places = Places#{Node := Gone}, welcome = maps:remove(Node, Welcome), missed = maps:remove(Node, Missed)});
        #{} ->
            R
    end.

%% What its new phase asks for.
-spec entered(node(), Before :: megaphone_comet_place:phase(), #router{}) -> #router{}.
entered(Node, Before, #router{places = Places} = R) ->
    #{Node := #place{kind = Kind, phase = Phase} = Place} = Places,
    case Phase of
        Before -> R;
        up -> ok = welcome(Place, R), changed(Kind, R);
        unknown -> ok = megaphone_comet_behind:forget(Node), R#router{places = maps:remove(Node, Places)};
        _ when Before =:= up -> begin_sweep(changed(Kind, R));
        _ -> R
    end.

-spec welcome(#place{}, #router{}) -> ok.
welcome(#place{kind = router, pid = Pid}, _) -> send(Pid, {welcome, self(), megaphone_comet_keeper:life()});
welcome(#place{kind = gateway, pid = Pid}, R) -> send({any, node(Pid)}, {welcome, node(), megaphone_comet_keeper:life(), routers(R)}).

%% Gateways hear which routers there are.
-spec changed(kind(), #router{}) -> #router{}.
changed(gateway, R) ->
    R;
changed(router, R) ->
    lists:foreach(fun(Node) -> send({any, Node}, {nodes, node(), routers(R)}) end, up(gateway, R)),
    R.

-spec routers(#router{}) -> [node()].
routers(R) -> [node() | up(router, R)].

-spec up(kind(), #router{}) -> [node()].
up(Kind, #router{places = Places}) -> [Node || {Node, #place{kind = K, phase = up}} <- maps:to_list(Places), K =:= Kind].

%% Who does not hear it says hello again.
-spec send(pid() | {atom(), node()}, term()) -> ok.
send(To, Term) ->
    _ = erlang:send(To, Term, [nosuspend, noconnect]),
    ok.

-spec told(login | logout, pid(), [megaphone_comet_id:id()], #router{}) -> #router{}.
told(What, From, Ids, #router{places = Places} = R) ->
    Node = node(From),
    case Places of
        #{Node := #place{kind = Kind, pid = From, phase = up}} -> told(What, Kind, Node, [megaphone_comet_id:canonical(Id) || Id <- Ids], R);
        %% From an earlier life, or not welcome yet.
        #{} -> R
    end.

-spec told(login | logout, kind(), node(), [id()], #router{}) -> #router{}.
told(login, Kind, Node, Ids, R) ->
    At = [{Id, megaphone_comet_table:join(Kind, Id, Node)} || Id <- Ids],
    _ = Kind =:= gateway andalso megaphone_comet_replay:at(Node, At),
    R;
told(logout, Kind, Node, Ids, #router{lingering = Lingering} = R) ->
    lists:foreach(fun(Id) -> megaphone_comet_lingering:leave(Kind, Id, Node, Lingering) end, Ids),
    R.

%%% From time to time

-spec tick(#router{}) -> #router{}.
tick(#router{missed = Missed, places = Places, ticks = Ticks} = R) ->
    _ = megaphone_comet_behind:is_empty() orelse lists:foreach(fun megaphone_comet_replay:catch_up/1, up(gateway, R)),
    Deaf = [Node || Ticks rem ?GREET_TICKS =:= 0, {Node, Place} <- maps:to_list(Places), not is_welcome(Node, Place, R)],
    expire(lists:foldl(fun hello/2, R#router{ticks = Ticks + 1}, lists:usort(Deaf ++ maps:keys(Missed)))).

-spec expire(#router{}) -> #router{}.
expire(#router{lingering = Lingering} = R) ->
    _ = megaphone_comet_lingering:expire(Lingering) =:= more andalso (self() ! linger),
    R.

-spec begin_sweep(#router{}) -> #router{}.
begin_sweep(#router{sweep = none, places = Places} = R) ->
    case [{Node, Kind} || {Node, #place{kind = Kind, phase = Phase}} <- maps:to_list(Places), Phase =:= sweeping orelse Phase =:= waiting] of
        [] -> R;
        Gone -> self() ! sweep, R#router{sweep = megaphone_comet_sweep:start(maps:from_list(Gone))}
    end;
begin_sweep(R) ->
    R.

-spec swept({more, megaphone_comet_sweep:sweep()} | {swept, [node()]}, #router{}) -> #router{}.
swept({more, Sweep}, R) ->
    self() ! sweep,
    R#router{sweep = Sweep};
swept({swept, Nodes}, R) ->
    begin_sweep(lists:foldl(fun swept_of/2, R#router{sweep = none}, Nodes)).

-spec swept_of(node(), #router{}) -> #router{}.
swept_of(Node, #router{places = Places} = R) ->
    #{Node := #place{phase = Phase} = Place} = Places,
    entered(Node, Phase, R#router{places = Places#{Node := Place#place{phase = megaphone_comet_place:next(Phase, swept)}}}).
