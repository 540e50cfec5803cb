%%% SPDX-License-Identifier: Apache-2.0
%%% One node, and what it leaves behind: logins of many processes, monitors, crashes; gateways are played by messages.
-module(megaphone_router_tests).

-include_lib("eunit/include/eunit.hrl").

router_test_() ->
    {foreach, fun begin_app/0, fun end_app/1, [
        {timeout, 60, {"what is sent reaches all who are logged in, until they log out", fun logins/0}},
        {timeout, 60, {"an id is the same, however it is written", fun ids/0}},
        {timeout, 60, {"a process with many ids, and an id with many processes", fun many/0}},
        {timeout, 60, {"what nobody is there for is counted", fun nobody/0}},
        {timeout, 60, {"a router that is killed knows all again", fun crash/0}},
        {timeout, 60, {"many at once log in, and end", fun churn/0}},
        {timeout, 60, {"whoever sends a name a term gets it sent", fun by_name/0}},
        {timeout, 60, {"what makes no sense changes nothing", fun nonsense/0}}
    ]}.

begin_app() -> {ok, Started} = application:ensure_all_started(megaphone_comet), Started.

end_app(Started) ->
    %% Mnesia tells of its end.
    ok = logger:set_primary_config(level, error),
    [ok = application:stop(App) || App <- lists:reverse(Started)],
    ok = logger:set_primary_config(level, notice).

got() -> receive Message -> [Message | got()] after 0 -> [] end.

client() -> Test = self(), spawn(fun() -> forward(Test) end).

forward(Test) -> receive stop -> ok; Message -> Test ! {self(), Message}, forward(Test) end.

stop(Client) ->
    Monitor = monitor(process, Client),
    Client ! stop,
    receive {'DOWN', Monitor, _, _, _} -> ok end,
    %% The router hears of it no later than of a call behind it.
    ok = megaphone_router:logout(self()).

await_ids(Count) -> comet_nodes:await(ids, fun() -> case megaphone_router:stats() of #{ids := Count} -> true; Other -> Other end end).

logins() ->
    ok = megaphone_router:login(1, self()),
    ok = megaphone_router:login(1, self()),
    ok = megaphone_router:login(2, self()),
    ok = megaphone_router:send(1, one),
    ok = megaphone_router:send(2, two, #{event => e}),
    ok = megaphone_router:send_all([1, 2, 3], all),
    ?assertEqual([one, {2, two, #{event => e}}, all, all], got()),
    ok = megaphone_router:logout(1, self()),
    ok = megaphone_router:send_all([1, 2], more),
    ?assertEqual([more], got()),
    ok = megaphone_router:logout(self()),
    ok = megaphone_router:send_all([1, 2], nothing),
    ?assertEqual([], got()),
    ?assertMatch(#{ids := 0}, megaphone_router:stats()).

ids() ->
    [ok = megaphone_router:login(Id, self()) || Id <- [123, <<"123">>, '123', alice, <<"alice">>]],
    ?assertMatch(#{ids := 2}, megaphone_router:stats()),
    [ok = megaphone_router:send(Id, Id) || Id <- ['123', <<"alice">>]],
    ?assertEqual(['123', <<"alice">>], got()),
    ?assertEqual([node()], megaphone_router:places(<<"123">>)).

many() ->
    Clients = [client() || _ <- lists:seq(1, 1000)],
    [ok = megaphone_router:login(room, Client) || Client <- Clients],
    [ok = megaphone_router:login(Id, hd(Clients)) || Id <- lists:seq(1, 1000)],
    ok = megaphone_router:send(room, hello),
    [receive {Client, hello} -> ok end || Client <- Clients],
    stop(hd(Clients)),
    await_ids(1),
    [stop(Client) || Client <- tl(Clients)],
    await_ids(0).

nobody() ->
    #{nobody := Before} = megaphone_router:stats(),
    ok = megaphone_router:send_all([1, 2, 3], hello),
    #{nobody := After} = megaphone_router:stats(),
    ?assertEqual(Before + 3, After).

crash() ->
    Client = client(),
    ok = megaphone_router:login(1, Client),
    ok = megaphone_router:login(2, self()),
    Old = whereis(megaphone_router),
    exit(Old, kill),
    %% Sending needs no router.
    ok = megaphone_router:send(1, hello),
    receive {Client, hello} -> ok end,
    comet_nodes:await(router, fun() -> whereis(megaphone_router) =/= Old andalso is_pid(whereis(megaphone_router)) end),
    stop(Client),
    await_ids(0).

churn() ->
    Test = self(),
    Workers = [spawn_monitor(fun() ->
        [begin
            ok = megaphone_router:login(N rem 7, self()),
            ok = megaphone_router:send(N rem 7, {W, N}),
            N rem 3 =:= 0 andalso megaphone_router:logout(N rem 7, self())
        end || N <- lists:seq(1, 300)],
        Test ! {done, W}
    end) || W <- lists:seq(1, 20)],
    [receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end || {Pid, Monitor} <- Workers],
    await_ids(0),
    20 = length(got()).

by_name() ->
    ok = megaphone_router:login(1, self()),
    ok = megaphone_router:login(2, self()),
    Terms = [{1, <<"a">>}, {[1, 2], <<"b">>}, {2, <<"c">>, #{}}, {[], d}, {[1 | 2], e}, {{1}, f}, g, {1, h, not_a_map}],
    [megaphone_publish ! Term || Term <- Terms],
    _ = sys:get_state(megaphone_publish),
    ?assertEqual([<<"a">>, <<"b">>, <<"b">>, {[2], <<"c">>, #{}}], got()).

nonsense() ->
    Router = whereis(megaphone_router),
    [Router ! Term || Term <- [hello, {self(), hello, 1, gateway}, {self(), hello, 2, router}, {self(), login, [1]}, {self(), login, {1}}, {self(), replay, ask, 1, -1},
        {self(), replay, ask, 1, 0}, {'DOWN', make_ref(), process, self(), x}, {'DOWN', make_ref(), process, {any, nonode}, x}, news, linger]],
    ?assertEqual({error, unknown_request}, gen_server:call(Router, what)),
    ?assertEqual(Router, whereis(megaphone_router)),
    ?assertMatch(#{ids := 0}, megaphone_router:stats()).
