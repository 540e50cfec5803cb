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
        {timeout, 60, {"who publishes by a call hears when it is taken", fun by_call/0}},
        {timeout, 60, {"what makes no sense changes nothing", fun nonsense/0}},
        {timeout, 60, {"a number is for what pages get", fun numbers/0}},
        {timeout, 60, {"a place that nobody gave out is told so", fun no_place/0}},
        {timeout, 60, {"a message that is under way to the ring is waited for", fun under_way/0}},
        {timeout, 60, {"the end of a process with many ids holds up nobody", fun many_ids/0}}
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

by_call() ->
    ok = megaphone_router:login(1, self()),
    ok = megaphone_router:login(two, self()),
    Publish = fun(Items) -> gen_server:call(megaphone_publish, {publish, Items}) end,
    ok = Publish([{1, <<"one">>, #{}}, {[1, <<"two">>], <<"both">>, #{event => e}}, {[nobody], <<"none">>, #{}}]),
    ?assertEqual([<<"one">>, {[1, <<"two">>], <<"both">>, #{event => e}}, {[1, <<"two">>], <<"both">>, #{event => e}}], got()),
    %% All of them, or none.
    [{error, bad_item} = Publish([{1, <<"one">>, #{}}, Bad]) || Bad <- [{1, one, #{}}, {1, <<"one">>, none}, {1.5, <<"one">>, #{}}, {[1 | 2], <<"one">>, #{}}, {1, <<"one">>}]],
    ?assertEqual([], got()).

nonsense() ->
    Router = whereis(megaphone_router),
    [Router ! Term || Term <- [hello, {self(), hello, 1, gateway}, {self(), hello, 2, router}, {self(), login, [1]}, {self(), login, {1}}, {self(), replay, ask, 1, -1},
        {self(), replay, ask, 1, 0}, {'DOWN', make_ref(), process, self(), x}, {'DOWN', make_ref(), process, {any, nonode}, x}, news, linger]],
    ?assertEqual({error, unknown_request}, gen_server:call(Router, what)),
    ?assertEqual(Router, whereis(megaphone_router)),
    ?assertMatch(#{ids := 0}, megaphone_router:stats()).

%% A hole would be told to pages as something that they missed.
numbers() ->
    ok = megaphone_router:login(1, self()),
    Number = megaphone_comet_table:number(1),
    ok = megaphone_router:send_all([1, 2], {no, text}),
    ok = megaphone_router:send(1, {no, text}, #{}),
    ?assertEqual([{no, text}, {1, {no, text}, #{}}], got()),
    ?assertEqual(Number, megaphone_comet_table:number(1)),
    ok = megaphone_router:send(1, <<"text">>),
    ?assertEqual(Number + 1, megaphone_comet_table:number(1)).

%% Pages bring their places, and may bring any.
no_place() ->
    true = register(any, self()),
    ok = megaphone_router:login(1, self()),
    Number = megaphone_comet_table:number(1),
    Router = whereis(megaphone_router),
    Router ! {self(), replay, ask, 1, 1 bsl 52},
    receive {replay, _, ask, 1, Messages, To, Whole} -> ?assertEqual({[], Number, false}, {Messages, To, Whole}) after 10000 -> error(no_answer) end,
    ?assertEqual(Router, whereis(megaphone_router)),
    true = unregister(any).

%% As when whoever sends is not scheduled for a while.
under_way() ->
    true = register(any, self()),
    ok = megaphone_router:login(1, self()),
    Since = megaphone_comet_table:number(1),
    Keep = fun(Body) ->
        {Number, _, _} = megaphone_comet_table:next(1),
        true = megaphone_comet_ring:keep(1, Number, Body, #{})
    end,
    true = Keep(<<"1">>),
    {Late, _, _} = megaphone_comet_table:next(1),
    true = Keep(<<"3">>),
    ok = megaphone_comet_replay:answer(node(), ask, 1, Since, 1),
    Again = fun() -> receive {replay_again, Gateway, ask, 1, Since, Time} -> megaphone_comet_replay:answer(Gateway, ask, 1, Since, Time) after 10000 -> error(not_again) end end,
    ok = Again(),
    ok = Again(),
    true = megaphone_comet_ring:keep(1, Late, <<"2">>, #{}),
    ok = Again(),
    receive {replay, _, ask, 1, Messages, _, Whole} -> ?assertEqual({[<<"1">>, <<"2">>, <<"3">>], true}, {[Body || {_, Body, _} <- Messages], Whole}) after 10000 -> error(no_answer) end,
    %% What is gone from the ring, is: the answer comes at once.
    [true = Keep(<<>>) || _ <- lists:seq(1, 65)],
    ok = megaphone_comet_replay:answer(node(), ask, 1, Late - 1, 1),
    receive {replay, _, ask, 1, _, _, false} -> ok after 0 -> error(no_answer) end,
    %% A sender that was killed in between is not waited for for ever.
    {_, _, _} = megaphone_comet_table:next(1),
    Last = megaphone_comet_table:number(1) - 1,
    ok = megaphone_comet_replay:answer(node(), ask, 1, Last, 1),
    Wait = fun Wait() ->
        receive
            {replay_again, Gateway, ask, 1, Last, Time} -> ok = megaphone_comet_replay:answer(Gateway, ask, 1, Last, Time), Wait();
            {replay, _, ask, 1, [], _, false} -> ok
        after 10000 -> error(no_answer)
        end
    end,
    ok = Wait(),
    true = unregister(any).

many_ids() ->
    Client = client(),
    [ok = megaphone_router:login(Id, Client) || Id <- lists:seq(1, 5000)],
    Router = whereis(megaphone_router),
    ok = sys:suspend(Router),
    true = exit(Client, kill),
    comet_nodes:await(end_is_told, fun() -> case process_info(Router, message_queue_len) of {_, 0} -> none; _ -> true end end),
    Ref = make_ref(),
    Router ! {'$gen_call', {self(), Ref}, {logout, self()}},
    ok = sys:resume(Router),
    receive {Ref, ok} -> ok after 10000 -> error(no_answer) end,
    #{ids := Left} = megaphone_router:stats(),
    ?assert(Left > 0),
    await_ids(0).
