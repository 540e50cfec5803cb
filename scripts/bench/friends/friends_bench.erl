%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Measures megaphone_comet with a graph of friends (Barabasi and Albert): IDS users (1,000,000) with DEGREE subscriptions each (15), all of
%%% them connected at a gateway, or CONNECTED in a hundred of them; RATE events a second (16,666) for SECONDS (20), each to all who
%%% subscribed to its user; then as many as go. The graph is loaded from a text file, which is kept (in DIR, var/bench).
%%%
%%% One node has router and subscriptions, and sends; a hidden node beside it is the gateway: it takes the messages, and looks how old each is.
-module(friends_bench).

-export([main/0, graph/3, load/1, publish/4, gateway/2, figures/0, processes/1, memory/0]).

-define(PUBLISHERS, 4).
-define(BODY, 100).
%% Latencies are counted in steps of so many microseconds, up to so many steps.
-define(STEP, 100).
-define(STEPS, 50000).

main() ->
    Ids = setting("IDS", 1000000),
    Degree = setting("DEGREE", 15),
    Rate = setting("RATE", 16666),
    Seconds = setting("SECONDS", 20),
    Connected = Ids * setting("CONNECTED", 100) div 100,
    File = graph(os:getenv("DIR", "var/bench"), Ids, Degree),
    Net = comet_nodes:begin_net(),
    Router = comet_nodes:start(Net, friends, router),
    {LoadSeconds, Edges, Peak} = call(Router, load, [File]),
    {LoadedBytes, _} = call(Router, memory, []),
    Gateway = comet_nodes:start(Net, gateway, hidden),
    LoginSeconds = call(Gateway, gateway, [comet_nodes:name(friends), Connected]),
    {BeforeBytes, _} = call(Router, memory, []),
    _ = call(Gateway, figures, []),
    Paced = measure(Router, Gateway, Ids, Rate, Seconds),
    Free = measure(Router, Gateway, Ids, none, Seconds),
    comet_nodes:stop(Gateway),
    {One, Four} = call(Router, processes, [1000000]),
    comet_nodes:stop(Router),
    comet_nodes:end_net(Net),
    #{events := Events, delivered := Delivered, p50 := P50, p99 := P99, max := Max, cores := Cores, ring := Ring, lost := Lost} = Paced,
    #{events := Most, delivered := MostDelivered, cores := MostCores, lost := MostLost} = Free,
    rows([
        {"graph", fmt("~s ids, ~s edges (~s of them connected)", [n(Ids), n(Edges), n(Connected)]), "", ""},
        {"load of the graph", fmt("~.1f s", [LoadSeconds]), "600 s", LoadSeconds =< 600},
        {"most memory meanwhile", fmt("~.2f GB", [Peak / 1.0e9]), "4 GB", Peak =< 4.0e9},
        {"memory of the graph", fmt("~.2f GB", [LoadedBytes / 1.0e9]), "", ""},
        {"logins of the gateway", fmt("~s/s (~.1f s)", [n(round(Connected / LoginSeconds)), LoginSeconds]), "", ""},
        {"memory with all of them", fmt("~.2f GB", [BeforeBytes / 1.0e9]), "", ""},
        {"events in", fmt("~s/s", [n(Events)]), fmt("~s/s", [n(Rate)]), Events >= Rate * 0.99},
        {"... out, to those who are connected", fmt("~s/s, ~.1f each", [n(Delivered), Delivered / Events]), "", ""},
        {"... late: median, p99, longest", fmt("~.1f, ~.1f, ~.1f ms", [P50, P99, Max]), "p99 100 ms", P99 < 100},
        {"... processor of the node", fmt("~.2f cores", [Cores]), "", ""},
        {"... the ring", fmt("~b MB", [Ring div 1000000]), "", ""},
        {"... missed for want of room", n(Lost), "0", Lost =:= 0},
        {"events in, as many as go", fmt("~s/s, ~.2f of the reference", [n(Most), Most / Rate]), "", ""},
        {"... out", fmt("~s/s, ~.2f cores, ~s missed at first", [n(MostDelivered), MostCores, n(MostLost)]), "", ""},
        {"logins of processes, one after the other", fmt("~s/s", [n(One)]), "", ""},
        {"... by four at a time", fmt("~s/s", [n(Four)]), "", ""}
    ]),
    halt(0).

setting(Name, Default) ->
    case os:getenv(Name) of false -> Default; Text -> list_to_integer(Text) end.

call(Peer, Function, Args) -> peer:call(Peer, ?MODULE, Function, Args, 1200000).

rows(Rows) ->
    io:format("| what | measured | target | |~n|---|---|---|---|~n"),
    [io:format("| ~s | ~s | ~s | ~s |~n", [What, Measured, Target, case Met of true -> "met"; false -> "MISSED"; _ -> "" end]) || {What, Measured, Target, Met} <- Rows],
    Targets = [Met || {_, _, _, Met} <- Rows, is_boolean(Met)],
    io:format("targets met ~b of ~b~n", [length([Met || Met <- Targets, Met]), length(Targets)]).

fmt(Format, Args) -> io_lib:format(Format, Args).

n(N) when N >= 1000 -> fmt("~s,~3..0b", [n(N div 1000), N rem 1000]);
n(N) -> integer_to_list(N).

%%% The graph: each new one subscribes to some that are there, the likelier the more edges they have: the end of an edge taken by chance.

graph(Dir, Ids, Degree) ->
    File = filename:join(Dir, fmt("friends-~b-~b.txt", [Ids, Degree])),
    case filelib:is_regular(File) of
        true ->
            File;
        false ->
            ok = filelib:ensure_dir(File),
            io:format("making ~s ...~n", [File]),
            _ = rand:seed(exsss, 20080101),
            Ends = atomics:new(2 * Ids * Degree, []),
            {ok, Device} = file:open([File, ".new"], [write, raw, binary, {delayed_write, 1048576, 1000}]),
            ok = grow(Degree + 1, Ids, Degree, first(Degree, Ends, Device), Ends, Device),
            ok = file:close(Device),
            ok = file:rename([File, ".new"], File),
            File
    end.

%% The first ones know each other, in a circle.
first(Degree, Ends, Device) ->
    Edges = [{Id, (Id + Step) rem (Degree + 1) + 1} || Id <- lists:seq(1, Degree + 1), Step <- lists:seq(0, Degree - 1)],
    lists:foldl(fun(Edge, Count) -> edge(Edge, Count, Ends, Device) end, 0, Edges).

grow(Last, Ids, _, _, _, _) when Last =:= Ids ->
    ok;
grow(Last, Ids, Degree, Count, Ends, Device) ->
    New = Last + 1,
    Chosen = choose(Degree, Count, Ends, []),
    grow(New, Ids, Degree, lists:foldl(fun(Id, C) -> edge({New, Id}, C, Ends, Device) end, Count, Chosen), Ends, Device).

choose(0, _, _, Chosen) -> Chosen;
choose(More, Count, Ends, Chosen) ->
    Id = atomics:get(Ends, rand:uniform(Count)),
    case lists:member(Id, Chosen) of
        true -> choose(More, Count, Ends, Chosen);
        false -> choose(More - 1, Count, Ends, [Id | Chosen])
    end.

edge({From, To}, Count, Ends, Device) ->
    case Count + 2 =< maps:get(size, atomics:info(Ends)) of
        true -> atomics:put(Ends, Count + 1, From), atomics:put(Ends, Count + 2, To);
        false -> ok
    end,
    ok = file:write(Device, [integer_to_binary(From), $\s, integer_to_binary(To), $\n]),
    Count + 2.

%%% On the node with router and subscriptions

load(File) ->
    Started = now_us(),
    {ok, Edges} = megaphone_subscriptions:load(File, fun(Count, Bytes, Size) ->
        io:format(standard_error, "  ~b edges, ~b % ~n", [Count, Bytes * 100 div Size])
    end),
    Seconds = (now_us() - Started) / 1.0e6,
    {_, Peak} = memory(),
    {Seconds, Edges, Peak}.

%% Resident now, and at most.
memory() ->
    [erlang:garbage_collect(Pid) || Pid <- processes()],
    {ok, Text} = file:read_file("/proc/self/status"),
    {kilobytes(Text, "VmRSS"), kilobytes(Text, "VmHWM")}.

kilobytes(Text, Name) ->
    {match, [Number]} = re:run(Text, Name ++ ":\\s*(\\d+)", [{capture, all_but_first, binary}]),
    1024 * binary_to_integer(Number).

measure(Router, Gateway, Ids, Rate, Seconds) ->
    #{events := Events, cores := Cores, busy := Busy, ring := Ring} = call(Router, publish, [Ids, Rate, Seconds, ?PUBLISHERS]),
    (call(Gateway, figures, []))#{events => Events, cores => Cores, lost => Busy, ring => Ring}.

publish(Ids, Rate, Seconds, Publishers) ->
    #{busy := Busy} = megaphone_router:stats(),
    Until = now_us() + Seconds * 1000000,
    Cpu = cpu(),
    Started = now_us(),
    Workers = [spawn_monitor(fun() ->
        PerSecond = case Rate of none -> none; _ -> Rate / Publishers end,
        exit({sent, send(Ids, PerSecond, now_us(), Until, 0)})
    end) || _ <- lists:seq(1, Publishers)],
    Sent = lists:sum([receive {'DOWN', Monitor, process, Pid, {sent, N}} -> N end || {Pid, Monitor} <- Workers]),
    Took = (now_us() - Started) / 1.0e6,
    Cores = (cpu() - Cpu) / Took,
    #{busy := BusyNow, ring_bytes := Ring} = megaphone_router:stats(),
    %% What is still on its way arrives.
    timer:sleep(2000),
    #{events => round(Sent / Took), cores => Cores, busy => BusyNow - Busy, ring => Ring}.

send(Ids, Rate, Started, Until, Sent) ->
    Now = now_us(),
    Due = case Rate of none -> Sent + 100; _ -> trunc((Now - Started) * Rate / 1.0e6) end,
    if
        Now >= Until -> Sent;
        Due =< Sent -> timer:sleep(1), send(Ids, Rate, Started, Until, Sent);
        true ->
            [ok = megaphone_subscriptions:send(rand:uniform(Ids), <<(now_us()):64, 0:((?BODY - 8) * 8)>>) || _ <- lists:seq(Sent + 1, Due)],
            send(Ids, Rate, Started, Until, Due)
    end.

%% Seconds of processor time.
cpu() ->
    {ok, Text} = file:read_file("/proc/self/stat"),
    [_, Rest] = binary:split(Text, <<") ">>),
    Fields = binary:split(Rest, <<" ">>, [global]),
    (binary_to_integer(lists:nth(12, Fields)) + binary_to_integer(lists:nth(13, Fields))) / 100.

%% Logins a second of so many processes, by one and by four.
processes(Count) ->
    Pid = spawn(fun() -> receive stop -> ok end end),
    One = logins(Pid, 1, Count div 4),
    Workers = [spawn_monitor(fun() -> logins(self(), W * Count, Count div 4) end) || W <- lists:seq(1, 4)],
    Started = now_us(),
    [receive {'DOWN', Monitor, process, P, normal} -> ok end || {P, Monitor} <- Workers],
    Four = round(Count / ((now_us() - Started) / 1.0e6)),
    exit(Pid, kill),
    {One, Four}.

logins(Pid, From, Count) ->
    Started = now_us(),
    ok = login_each(Pid, -From, -From - Count),
    round(Count / ((now_us() - Started) / 1.0e6)).

login_each(_, N, N) -> ok;
login_each(Pid, N, To) ->
    ok = megaphone_router:login(N, Pid),
    login_each(Pid, N - 1, To).

%%% On the gateway's node

gateway(Node, Connected) ->
    true = net_kernel:connect_node(Node),
    Counts = {atomics:new(?STEPS + 1, []), atomics:new(3, [])},
    persistent_term:put(?MODULE, Counts),
    Test = self(),
    Started = now_us(),
    spawn(fun() ->
        true = register(any, self()),
        {megaphone_router, Node} ! {self(), hello, 1, gateway},
        receive {welcome, Node, _, _} -> ok end,
        ok = login(Node, 1, Connected),
        Test ! logged_in,
        take(Counts)
    end),
    receive logged_in -> (now_us() - Started) / 1.0e6 after 600000 -> error(no_login) end.

login(_, First, Last) when First > Last -> ok;
login(Node, First, Last) ->
    {megaphone_router, Node} ! {self(), login, lists:seq(First, min(Last, First + 999))},
    receive {at, Node, _} -> login(Node, First + 1000, Last) end.

take({Steps, Sums} = Counts) ->
    receive
        {message, _, Pairs, <<Sent:64, _/binary>>, _} ->
            Age = max(0, now_us() - Sent),
            atomics:add(Steps, min(?STEPS, Age div ?STEP) + 1, 1),
            atomics:add(Sums, 1, length(Pairs)),
            atomics:add(Sums, 2, 1);
        _ ->
            ok
    end,
    take(Counts).

%% Since it was asked last.
figures() ->
    {Steps, Sums} = persistent_term:get(?MODULE),
    Counts = [atomics:exchange(Steps, I, 0) || I <- lists:seq(1, ?STEPS + 1)],
    [Delivered, Messages] = [atomics:exchange(Sums, I, 0) || I <- [1, 2]],
    Since = persistent_term:get({?MODULE, asked}, now_us()),
    persistent_term:put({?MODULE, asked}, now_us()),
    %% Without the two seconds at the end.
    Seconds = max(1.0, (now_us() - Since) / 1.0e6 - 2),
    #{delivered => round(Delivered / Seconds), p50 => percentile(Counts, Messages * 0.5), p99 => percentile(Counts, Messages * 0.99), max => percentile(Counts, Messages)}.

percentile(Counts, Rank) -> percentile(Counts, Rank, 0, 0).

percentile([], _, Index, _) -> Index * ?STEP / 1000;
percentile([Count | _], Rank, Index, Sum) when Sum + Count >= Rank -> (Index + 1) * ?STEP / 1000;
percentile([Count | Counts], Rank, Index, Sum) -> percentile(Counts, Rank, Index + 1, Sum + Count).

now_us() -> erlang:system_time(microsecond).
