%%% SPDX-License-Identifier: Apache-2.0
%%% Real nodes: processes and pages reached from each of them, and nothing lost or doubled while gateways, links, routers and nodes die.
-module(megaphone_comet_cluster_tests).

-include_lib("eunit/include/eunit.hrl").
-export([publish/4, collect/1, login_processes/2]).

-define(ID, 123).

cluster_test_() ->
    {setup, fun comet_nodes:begin_net/0, fun comet_nodes:end_net/1, fun(Net) ->
        [{timeout, 300, {atom_to_list(Name), fun() -> with_nodes(Net, Test) end}} || {Name, Test} <- [
            {processes_are_reached_from_every_node, fun processes/1},
            {a_process_that_is_killed_leaves_nothing, fun killed_process/1},
            {a_node_that_is_killed_leaves_nothing, fun killed_node/1},
            {nodes_that_lose_each_other_know_all_again, fun split/1},
            {a_node_that_does_not_read_holds_up_nobody, fun frozen_node/1},
            {one_message_a_gateway, fun one_message/1},
            {nothing_is_lost_when_gateways_are_killed, fun killed_gateways/1},
            {nothing_is_lost_when_links_break, fun broken_links/1},
            {nothing_is_lost_when_routers_crash, fun crashed_routers/1},
            {a_gateway_that_does_not_read_gets_all_later, fun frozen_gateway/1},
            {who_was_away_for_too_long_is_told_so, fun too_long/1},
            {a_node_that_starts_anew_is_heard_once, fun new_life/1}
        ]]
    end}.

%% Two routers, two hidden nodes for gateways, and one for pages; each is started when it is asked for, and all end with the test.
with_nodes(Net, Test) ->
    Key = {?MODULE, make_ref()},
    put(nodes, Key),
    put(Key, []),
    put(net, Net),
    try Test(Net) after [comet_nodes:stop(Peer) || {_, Peer} <- get(Key)], erase(Key) end.

peer(Name) ->
    {Name, Peer} = lists:keyfind(Name, 1, get(get(nodes))),
    Peer.

start(Name, Kind) ->
    Peer = comet_nodes:start(get(net), Name, Kind),
    Key = get(nodes),
    put(Key, lists:keystore(Name, 1, get(Key), {Name, Peer})),
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

processes(_) ->
    routers([n1, n2]),
    [P1, P2] = on(n1, ?MODULE, login_processes, [?ID, 2]),
    [P3] = on(n2, ?MODULE, login_processes, [<<"123">>, 1]),
    ok = on(n1, megaphone_router, login, [alice, P1]),
    [await_places(Node, ?ID, [n1, n2]) || Node <- [n1, n2]],
    await_places(n2, <<"alice">>, [n1]),
    [ok = on(Node, megaphone_router, send, [?ID, {from, Node}]) || Node <- [n1, n2]],
    ok = on(n2, megaphone_router, send, [alice, hello, #{event => greeting}]),
    comet_nodes:await(delivered, fun() -> length(got(n1, P1)) =:= 3 andalso length(got(n1, P2)) =:= 2 andalso length(got(n2, P3)) =:= 2 end),
    ?assertEqual([{from, n1}, {from, n2}], lists:sort(got(n1, P2))),
    ?assert(lists:member({alice, hello, #{event => greeting}}, got(n1, P1))),
    %% Over the link went one message, for both of n1.
    ?assertMatch(#{to_nodes := 2, delivered := 2}, on(n2, megaphone_router, stats, [])).

killed_process(_) ->
    routers([n1, n2]),
    [P1, P2] = on(n1, ?MODULE, login_processes, [?ID, 2]),
    await_places(n2, ?ID, [n1]),
    true = on(n1, erlang, exit, [P1, kill]),
    true = on(n1, erlang, exit, [P2, kill]),
    await_places(n1, ?ID, []),
    await_places(n2, ?ID, []),
    ?assertMatch(#{ids := 0}, on(n1, megaphone_router, stats, [])),
    ok = on(n2, megaphone_router, send, [?ID, hello]),
    ?assertMatch(#{nobody := 1}, on(n2, megaphone_router, stats, [])).

killed_node(_) ->
    routers([n1, n2]),
    _ = on(n1, ?MODULE, login_processes, [?ID, 1]),
    [P2] = on(n2, ?MODULE, login_processes, [?ID, 1]),
    await_places(n2, ?ID, [n1, n2]),
    ok = comet_nodes:kill(peer(n1)),
    await_places(n2, ?ID, [n2]),
    ok = on(n2, megaphone_router, send, [?ID, hello]),
    ?assertEqual([hello], got(n2, P2)),
    %% It comes back under its name.
    start(n1, router),
    true = on(n1, net_kernel, connect_node, [comet_nodes:name(n2)]),
    await_places(n1, ?ID, [n2]),
    [_] = on(n1, ?MODULE, login_processes, [?ID, 1]),
    await_places(n2, ?ID, [n1, n2]).

split(_) ->
    routers([n1, n2]),
    [N1, N2] = [comet_nodes:name(N) || N <- [n1, n2]],
    [P1] = on(n1, ?MODULE, login_processes, [?ID, 1]),
    await_places(n2, ?ID, [n1]),
    %% Another cookie, so that they do not find each other again.
    true = on(n1, erlang, set_cookie, [N2, other]),
    true = on(n2, erlang, set_cookie, [N1, another]),
    true = on(n1, erlang, disconnect_node, [N2]),
    await_places(n2, ?ID, []),
    [_] = on(n2, ?MODULE, login_processes, [?ID, 1]),
    ok = on(n1, megaphone_router, logout, [P1]),
    [_] = on(n1, ?MODULE, login_processes, [other, 1]),
    true = on(n1, erlang, set_cookie, [N2, comet]),
    true = on(n2, erlang, set_cookie, [N1, comet]),
    true = on(n1, net_kernel, connect_node, [N2]),
    [await_places(Node, ?ID, [n2]) || Node <- [n1, n2]],
    [await_places(Node, other, [n1]) || Node <- [n1, n2]].

frozen_node(_) ->
    routers([n1, n2]),
    [P2] = on(n2, ?MODULE, login_processes, [?ID, 1]),
    await_places(n1, ?ID, [n2]),
    Os = on(n2, os, getpid, []),
    _ = os:cmd("kill -STOP " ++ Os),
    Large = binary:copy(<<"x">>, 65536),
    %% More than a link takes: who sends goes on all the same.
    try [ok = on(n1, megaphone_router, send, [?ID, Large]) || _ <- lists:seq(1, 200)]
    after os:cmd("kill -CONT " ++ Os) end,
    #{busy := Busy, to_nodes := Sent} = on(n1, megaphone_router, stats, []),
    ?assert(Busy > 0),
    ?assertEqual(200, Busy + Sent),
    comet_nodes:await(all_that_was_sent, fun() -> length(got(n2, P2)) =:= Sent end).

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

one_message(_) ->
    stage(),
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

killed_gateways(_) ->
    stage(),
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

broken_links(_) ->
    stage(),
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
    await_all(Pages, [n1, n2], 40).

crashed_routers(_) ->
    stage(),
    Pages = [page(?ID, [g1, g2]) || _ <- [1, 2]],
    [await_open(Page, 2) || Page <- Pages],
    [P1] = on(n1, ?MODULE, login_processes, [other, 1]),
    await_places(n2, other, [n1]),
    [publisher(Node, [?ID], 40, 20) || Node <- [n1, n2]],
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

frozen_gateway(_) ->
    stage(),
    Page = page(?ID, [g1]),
    Other = page(<<"other">>, [g1]),
    [await_open(P, 2) || P <- [Page, Other]],
    Os = on(g1, os, getpid, []),
    _ = os:cmd("kill -STOP " ++ Os),
    try
        %% More than its link takes, to another id.
        Large = binary:copy(<<"x">>, 65536),
        [ok = on(n1, megaphone_router, send, [<<"other">>, Large]) || _ <- lists:seq(1, 200)],
        ?assertMatch(#{busy := Busy} when Busy > 0, on(n1, megaphone_router, stats, [])),
        [ok = on(n1, megaphone_router, send, [?ID, integer_to_binary(N)]) || N <- lists:seq(1, 20)]
    after os:cmd("kill -CONT " ++ Os) end,
    comet_nodes:await(what_was_missed, fun() -> case got(pages, Page) of {Got, _, _} when length(Got) =:= 20 -> true; Had -> Had end end),
    ?assertMatch({_, 0, _}, got(pages, Page)),
    ?assertEqual([integer_to_binary(N) || N <- lists:seq(1, 20)], element(1, got(pages, Page))),
    %% Those are too large to be kept.
    comet_nodes:await(gap, fun() -> element(2, got(pages, Other)) > 0 end).

too_long(_) ->
    stage(),
    Page = page(?ID, [g1, g2]),
    await_open(Page, 2),
    ok = on(n1, megaphone_router, send, [?ID, <<"first">>]),
    comet_nodes:await(first, fun() -> element(1, got(pages, Page)) =:= [<<"first">>] end),
    hold = on(pages, erlang, send, [Page, hold]),
    ok = comet_nodes:kill(peer(g1)),
    await_places(n1, ?ID, []),
    %% More than the ring has.
    [ok = on(n1, megaphone_router, send, [?ID, integer_to_binary(N)]) || N <- lists:seq(1, 100)],
    go_on = on(pages, erlang, send, [Page, go_on]),
    comet_nodes:await(gap, fun() -> case got(pages, Page) of {Got, 1, _} -> lists:last(Got) =:= <<"100">>; Other -> Other end end),
    {[<<"first">>, Next | _] = Got, 1, _} = got(pages, Page),
    ?assertEqual(37, binary_to_integer(Next)),
    ?assertEqual(65, length(Got)).

new_life(_) ->
    stage(),
    Page = page(?ID, [g1, g2]),
    await_open(Page, 2),
    ok = on(n1, megaphone_router, send, [?ID, <<"old">>]),
    comet_nodes:await(old, fun() -> element(1, got(pages, Page)) =:= [<<"old">>] end),
    ok = comet_nodes:kill(peer(n1)),
    start(n1, router),
    comet_nodes:await(back, fun() -> length(welcome(g1)) =:= 2 end),
    await_places(n1, ?ID, [g1]),
    ok = on(n1, megaphone_router, send, [?ID, <<"new">>]),
    ok = on(pages, comet_page, move, [Page]),
    ok = on(n1, megaphone_router, send, [?ID, <<"newer">>]),
    comet_nodes:await(new, fun() -> case got(pages, Page) of {[<<"old">>, <<"new">>, <<"newer">>], 0, _} -> true; Other -> Other end end).
