%%% SPDX-License-Identifier: Apache-2.0
%%% Real nodes: processes and pages reached from each of them, and nothing lost or doubled while gateways, links, routers and nodes die.
-module(megaphone_comet_cluster_tests).

-include_lib("eunit/include/eunit.hrl").
-export([publish/4, collect/1, login_processes/2]).

-define(NODES, comet_nodes_of_test).

%% Nodes are started once for each of the two, for that takes longest: each test has ids of its own.
processes_test_() ->
    on_stage(fun() -> routers([n1, n2]) end, [
        {"processes are reached from every node", fun reached_processes/0},
        {"a process that is killed leaves nothing", fun killed_process/0},
        {"nodes that lose each other know all again", fun split/0},
        {"a node that does not read holds up nobody", fun frozen_node/0},
        {"a node that is killed leaves nothing", fun killed_node/0}
    ]).

pages_test_() ->
    on_stage(fun stage/0, [
        {"one message a gateway", fun one_message/0},
        {"nothing is lost when gateways are killed", fun killed_gateways/0},
        {"nothing is lost when links break", fun broken_links/0},
        {"nothing is lost when routers crash", fun crashed_routers/0},
        {"a gateway that does not read gets all later", fun frozen_gateway/0},
        {"a sender that is killed leaves a hole, and no more", fun killed_sender/0},
        {"a node that starts anew is heard once", fun new_life/0},
        {"who was away for too long is told so", fun too_long/0}
    ]).

on_stage(Begin, Tests) ->
    {setup,
        fun() ->
            Net = comet_nodes:begin_net(),
            ?NODES = ets:new(?NODES, [named_table, public]),
            true = ets:insert(?NODES, {net, Net}),
            Begin(),
            Net
        end,
        fun(Net) ->
            [comet_nodes:stop(Peer) || {Name, Peer} <- ets:tab2list(?NODES), Name =/= net],
            true = ets:delete(?NODES),
            comet_nodes:end_net(Net)
        end,
        {inorder, [{timeout, 300, Test} || Test <- Tests]}}.

peer(Name) -> ets:lookup_element(?NODES, Name, 2).

start(Name, Kind) ->
    Peer = comet_nodes:start(peer(net), Name, Kind),
    true = ets:insert(?NODES, {Name, Peer}),
    Peer.

routers(Names) ->
    [start(Name, router) || Name <- Names],
    [true = on(A, net_kernel, connect_node, [comet_nodes:name(B)]) || A <- Names, B <- Names, A < B],
    ok.

gateway(Name, Routers) ->
    start(Name, hidden),
    ok = on(Name, comet_gateway, start, [[comet_nodes:name(Router) || Router <- Routers]]),
    comet_nodes:await({welcome, Name}, fun() -> welcome(Name) =:= lists:sort([comet_nodes:name(R) || R <- Routers]) end).

welcome(Name) -> maps:get(welcome, counts(Name)).

counts(Name) -> on(Name, comet_gateway, counts, [comet_nodes:name(Name)]).

on(Name, Module, Function, Args) -> comet_nodes:call(peer(Name), Module, Function, Args).

%%% Processes

%% A process that keeps what it gets.
collect(Got) -> receive {got, From, Ref} -> From ! {Ref, lists:reverse(Got)}, collect(Got); Message -> collect([Message | Got]) end.

got(Name, Pid) -> on(Name, comet_page, got, [Pid]).

login_processes(Id, Count) -> [begin Pid = spawn(?MODULE, collect, [[]]), ok = megaphone_router:login(Id, Pid), Pid end || _ <- lists:seq(1, Count)].

places(Name, Id) -> lists:sort(on(Name, megaphone_router, places, [Id])).

await_places(Name, Id, Nodes) ->
    Expected = lists:sort([comet_nodes:name(Node) || Node <- Nodes]),
    comet_nodes:await({places, Name, Id, Nodes}, fun() -> case places(Name, Id) of Expected -> true; Other -> Other end end).

reached_processes() ->
    [P1, P2] = on(n1, ?MODULE, login_processes, [201, 2]),
    [P3] = on(n2, ?MODULE, login_processes, [<<"201">>, 1]),
    ok = on(n1, megaphone_router, login, [alice, P1]),
    [await_places(Node, 201, [n1, n2]) || Node <- [n1, n2]],
    await_places(n2, <<"alice">>, [n1]),
    %% Whoever logs it in, it is watched at its own node.
    ok = on(n1, megaphone_router, login, [211, P3]),
    await_places(n1, 211, [n2]),
    ok = on(n1, megaphone_router, logout, [211, P3]),
    await_places(n1, 211, []),
    [ok = on(Node, megaphone_router, send, [201, {from, Node}]) || Node <- [n1, n2]],
    ok = on(n2, megaphone_router, send, [alice, hello, #{event => greeting}]),
    comet_nodes:await(delivered, fun() -> length(got(n1, P1)) =:= 3 andalso length(got(n1, P2)) =:= 2 andalso length(got(n2, P3)) =:= 2 end),
    ?assertEqual([{from, n1}, {from, n2}], lists:sort(got(n1, P2))),
    ?assert(lists:member({alice, hello, #{event => greeting}}, got(n1, P1))),
    %% Over the link went one message, for both of n1.
    ?assertMatch(#{to_nodes := 2, delivered := 2}, on(n2, megaphone_router, stats, [])).

killed_process() ->
    [P1, P2] = on(n1, ?MODULE, login_processes, [202, 2]),
    await_places(n2, 202, [n1]),
    true = on(n1, erlang, exit, [P1, kill]),
    true = on(n1, erlang, exit, [P2, kill]),
    await_places(n1, 202, []),
    await_places(n2, 202, []),
    #{nobody := Before} = on(n2, megaphone_router, stats, []),
    ok = on(n2, megaphone_router, send, [202, hello]),
    ?assertMatch(#{nobody := After} when After =:= Before + 1, on(n2, megaphone_router, stats, [])).

killed_node() ->
    _ = on(n1, ?MODULE, login_processes, [203, 1]),
    [P2] = on(n2, ?MODULE, login_processes, [203, 1]),
    await_places(n2, 203, [n1, n2]),
    ok = comet_nodes:kill(peer(n1)),
    await_places(n2, 203, [n2]),
    ok = on(n2, megaphone_router, send, [203, hello]),
    ?assertEqual([hello], got(n2, P2)),
    %% It comes back under its name.
    start(n1, router),
    true = on(n1, net_kernel, connect_node, [comet_nodes:name(n2)]),
    await_places(n1, 203, [n2]),
    [_] = on(n1, ?MODULE, login_processes, [203, 1]),
    await_places(n2, 203, [n1, n2]).

split() ->
    [N1, N2] = [comet_nodes:name(N) || N <- [n1, n2]],
    [P1] = on(n1, ?MODULE, login_processes, [204, 1]),
    await_places(n2, 204, [n1]),
    %% Another cookie, so that they do not find each other again.
    true = on(n1, erlang, set_cookie, [N2, other]),
    true = on(n2, erlang, set_cookie, [N1, another]),
    true = on(n1, erlang, disconnect_node, [N2]),
    await_places(n2, 204, []),
    [_] = on(n2, ?MODULE, login_processes, [204, 1]),
    ok = on(n1, megaphone_router, logout, [P1]),
    [_] = on(n1, ?MODULE, login_processes, [other, 1]),
    true = on(n1, erlang, set_cookie, [N2, comet]),
    true = on(n2, erlang, set_cookie, [N1, comet]),
    true = on(n1, net_kernel, connect_node, [N2]),
    [await_places(Node, 204, [n2]) || Node <- [n1, n2]],
    [await_places(Node, other, [n1]) || Node <- [n1, n2]].

frozen_node() ->
    [P2] = on(n2, ?MODULE, login_processes, [205, 1]),
    await_places(n1, 205, [n2]),
    #{busy := Before, to_nodes := SentBefore} = on(n1, megaphone_router, stats, []),
    Os = on(n2, os, getpid, []),
    _ = os:cmd("kill -STOP " ++ Os),
    Large = binary:copy(<<"x">>, 65536),
    %% More than a link takes: who sends goes on all the same.
    try [ok = on(n1, megaphone_router, send, [205, Large]) || _ <- lists:seq(1, 200)]
    after os:cmd("kill -CONT " ++ Os) end,
    #{busy := Busy, to_nodes := Sent} = on(n1, megaphone_router, stats, []),
    ?assert(Busy > Before),
    ?assertEqual(200, Busy - Before + Sent - SentBefore),
    comet_nodes:await(all_that_was_sent, fun() -> length(got(n2, P2)) =:= Sent - SentBefore end).

%%% Pages

page(Id, Gateways) -> on(pages, comet_page, open, [Id, [comet_nodes:name(Gateway) || Gateway <- Gateways]]).

%% It knows where it stands: at so many origins.
await_open(Page, Origins) -> comet_nodes:await({open, Page}, fun() -> case got(pages, Page) of {_, _, Place} when map_size(Place) =:= Origins -> true; Other -> Other end end).

%% Bodies `NAME:1', `NAME:2', ... one after the other.
publish(Id, Name, Count, Pause) ->
    [begin
        ok = megaphone_router:send(Id, iolist_to_binary([Name, $:, integer_to_binary(N)])),
        Pause > 0 andalso timer:sleep(Pause)
    end || N <- lists:seq(1, Count)].

publisher(Node, Ids, Count, Pause) -> [on(Node, erlang, spawn, [?MODULE, publish, [Id, atom_to_list(Node), Count, Pause]]) || Id <- Ids].

%% Each page has each message once, those of a node in order, and heard of no gap.
await_all(Pages, Nodes, Count) ->
    Expected = [[iolist_to_binary([atom_to_list(Node), $:, integer_to_binary(N)]) || N <- lists:seq(1, Count)] || Node <- Nodes],
    [begin
        comet_nodes:await({all, Page}, fun() -> case got(pages, Page) of {Got, _, _} when length(Got) >= length(Nodes) * Count -> true; {Got, Gaps, _} -> {length(Got), Gaps} end end),
        {Got, Gaps, _} = got(pages, Page),
        ?assertEqual(Expected, [[Body || Body <- Got, hd(binary:split(Body, <<":">>)) =:= atom_to_binary(Node)] || Node <- Nodes]),
        ?assertEqual(0, Gaps)
    end || Page <- Pages].

stage() ->
    routers([n1, n2]),
    [gateway(G, [n1, n2]) || G <- [g1, g2]],
    start(pages, hidden),
    ok.

one_message() ->
    Ids = lists:seq(1, 20),
    Pages = [page(Id, [g1, g2]) || Id <- Ids, _ <- [1, 2, 3]],
    [await_open(Page, 2) || Page <- Pages],
    ?assertMatch(#{ids := 20}, counts(g1)),
    ok = on(n1, megaphone_router, send_all, [[nobody | Ids], <<"hello">>]),
    [comet_nodes:await(hello, fun() -> element(1, got(pages, Page)) =:= [<<"hello">>] end) || Page <- Pages],
    ?assertMatch(#{to_gateways := 1, nobody := 1, sent := 20}, on(n1, megaphone_router, stats, [])),
    %% Whoever speaks distribution.
    {_, _} = on(pages, erlang, send, [{megaphone_publish, comet_nodes:name(n2)}, {7, <<"by name">>}]),
    Seventh = lists:nth(19, Pages),
    comet_nodes:await(by_name, fun() -> element(1, got(pages, Seventh)) =:= [<<"hello">>, <<"by name">>] end).

killed_gateways() ->
    Ids = lists:seq(1, 5),
    Pages = [page(Id, Gateways) || Id <- Ids, Gateways <- [[g1, g2], [g2, g1], [g1, g2]]],
    [await_open(Page, 2) || Page <- Pages],
    [publisher(Node, Ids, 40, 50) || Node <- [n1, n2]],
    [begin
        ok = comet_nodes:kill(peer(G)),
        gateway(G, [n1, n2])
    end || G <- [g1, g2]],
    await_all(Pages, [n1, n2], 40),
    ?assertMatch(#{gaps := 0}, on(n1, megaphone_router, stats, [])).

broken_links() ->
    Ids = lists:seq(1, 5),
    Pages = [page(Id, Gateways) || Id <- Ids, Gateways <- [[g1, g2], [g2, g1]]],
    [await_open(Page, 2) || Page <- Pages],
    [publisher(Node, Ids, 40, 20) || Node <- [n1, n2]],
    [begin
        _ = on(N, erlang, disconnect_node, [comet_nodes:name(G)]),
        comet_nodes:await({back, G}, fun() -> length(welcome(G)) =:= 2 end),
        _ = [on(pages, comet_page, move, [Page]) || Page <- Pages]
    end || N <- [n1, n2], G <- [g1, g2]],
    _ = on(n1, erlang, disconnect_node, [comet_nodes:name(n2)]),
    await_all(Pages, [n1, n2], 40),
    true = on(n1, net_kernel, connect_node, [comet_nodes:name(n2)]).

crashed_routers() ->
    Pages = [page(206, [g1, g2]) || _ <- [1, 2]],
    [await_open(Page, 2) || Page <- Pages],
    [P1] = on(n1, ?MODULE, login_processes, [other, 1]),
    await_places(n2, other, [n1]),
    [publisher(Node, [206], 40, 20) || Node <- [n1, n2]],
    [begin
        Old = on(N, erlang, whereis, [megaphone_router]),
        true = on(N, erlang, exit, [Old, kill]),
        comet_nodes:await({restarted, N}, fun() -> is_pid(on(N, erlang, whereis, [megaphone_router])) andalso length(welcome(g1)) =:= 2 end)
    end || N <- [n1, n2]],
    await_all(Pages, [n1, n2], 40),
    %% Processes are still logged in, and still watched.
    [await_places(N, other, [n1]) || N <- [n1, n2]],
    true = on(n1, erlang, exit, [P1, kill]),
    [await_places(N, other, []) || N <- [n1, n2]].

frozen_gateway() ->
    Page = page(207, [g1]),
    Other = page(<<"other">>, [g1]),
    [await_open(P, 2) || P <- [Page, Other]],
    #{busy := Before} = on(n1, megaphone_router, stats, []),
    Os = on(g1, os, getpid, []),
    Any = on(g1, erlang, whereis, [any]),
    _ = os:cmd("kill -STOP " ++ Os),
    try
        %% More than its link takes, to another id.
        Large = binary:copy(<<"x">>, 65536),
        [ok = on(n1, megaphone_router, send, [<<"other">>, Large]) || _ <- lists:seq(1, 200)],
        ?assertMatch(#{busy := Busy} when Busy > Before, on(n1, megaphone_router, stats, [])),
        [ok = on(n1, megaphone_router, send, [207, integer_to_binary(N)]) || N <- lists:seq(1, 20)],
        %% It said hello again before, and that comes now: the router goes on with others.
        _ = on(n1, erlang, send, [megaphone_router, {Any, hello, 1, gateway}]),
        ok = on(n1, gen_server, call, [megaphone_router, {logout, Any}, 20000])
    after os:cmd("kill -CONT " ++ Os) end,
    comet_nodes:await(what_was_missed, fun() -> case got(pages, Page) of {Got, _, _} when length(Got) =:= 20 -> true; Had -> Had end end),
    ?assertMatch({_, 0, _}, got(pages, Page)),
    ?assertEqual([integer_to_binary(N) || N <- lists:seq(1, 20)], element(1, got(pages, Page))),
    %% Those are too large to be kept.
    comet_nodes:await(gap, fun() -> element(2, got(pages, Other)) > 0 end).

%% It has a number, and is not in the ring.
killed_sender() ->
    Page = page(210, [g1, g2]),
    await_open(Page, 2),
    ok = on(n1, megaphone_router, send, [210, <<"before">>]),
    {_, _, _} = on(n1, megaphone_comet_table, next, [210]),
    ok = on(n1, megaphone_router, send, [210, <<"behind">>]),
    comet_nodes:await(behind, fun() -> case got(pages, Page) of {[<<"before">>, <<"behind">>], 1, _} -> true; Other -> Other end end),
    ok = on(n1, megaphone_router, send, [210, <<"later">>]),
    comet_nodes:await(later, fun() -> case got(pages, Page) of {[<<"before">>, <<"behind">>, <<"later">>], 1, _} -> true; Other -> Other end end).

too_long() ->
    Page = page(208, [g1, g2]),
    await_open(Page, 2),
    ok = on(n1, megaphone_router, send, [208, <<"first">>]),
    comet_nodes:await(first, fun() -> element(1, got(pages, Page)) =:= [<<"first">>] end),
    hold = on(pages, erlang, send, [Page, hold]),
    ok = comet_nodes:kill(peer(g1)),
    await_places(n1, 208, []),
    %% More than the ring has.
    [ok = on(n1, megaphone_router, send, [208, integer_to_binary(N)]) || N <- lists:seq(1, 100)],
    go_on = on(pages, erlang, send, [Page, go_on]),
    comet_nodes:await(gap, fun() -> case got(pages, Page) of {Got, 1, _} -> lists:last(Got) =:= <<"100">>; Other -> Other end end),
    {[<<"first">>, Next | _] = Got, 1, _} = got(pages, Page),
    ?assertEqual(37, binary_to_integer(Next)),
    ?assertEqual(65, length(Got)).

new_life() ->
    Page = page(209, [g1, g2]),
    await_open(Page, 2),
    ok = on(n1, megaphone_router, send, [209, <<"old">>]),
    comet_nodes:await(old, fun() -> element(1, got(pages, Page)) =:= [<<"old">>] end),
    ok = comet_nodes:kill(peer(n1)),
    start(n1, router),
    comet_nodes:await(back, fun() -> length(welcome(g1)) =:= 2 end),
    await_places(n1, 209, [g1]),
    ok = on(n1, megaphone_router, send, [209, <<"new">>]),
    ok = on(pages, comet_page, move, [Page]),
    ok = on(n1, megaphone_router, send, [209, <<"newer">>]),
    comet_nodes:await(new, fun() -> case got(pages, Page) of {[<<"old">>, <<"new">>, <<"newer">>], 0, _} -> true; Other -> Other end end).
