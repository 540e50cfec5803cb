%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The index of sessions: who was killed is swept out, and the gauges are what the others say.
-module(megaphone_sessions_tests).

-include_lib("eunit/include/eunit.hrl").

with_table_test_() ->
    {foreach, fun megaphone_sessions:create_table/0, fun(_) -> ets:delete(megaphone_sessions) end, [
        fun() -> killed_ones_are_swept_and_counted_no_more() end,
        fun() -> only_those_whose_link_broke_are_cut() end,
        fun() -> gauges_are_what_sessions_say() end,
        fun() -> pages_have_all_that_stay() end,
        fun() -> a_page_is_bounded() end
    ]}.

killed_ones_are_swept_and_counted_no_more() ->
    Pids = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 5000)],
    %% Every tenth is reached by a socket.
    Open = fun
        (N, Pid) when N rem 10 =:= 0 -> megaphone_sessions:open(integer_to_binary(N), Pid, {1, 0, 1}, {Pid, none});
        (N, Pid) -> megaphone_sessions:open(integer_to_binary(N), Pid, {1, 0, 1})
    end,
    [ok = Open(N, Pid) || {N, Pid} <- lists:enumerate(Pids)],
    ?assertEqual({5000, 500}, {megaphone_sessions:count(), megaphone_sessions:websockets()}),
    ?assertEqual({5000, 0, 5000}, megaphone_sessions:gauges()),
    {Killed, Live} = lists:split(2000, Pids),
    [
        begin
            Ref = erlang:monitor(process, Pid),
            exit(Pid, kill),
            receive {'DOWN', Ref, _, _, _} -> ok end
        end
     || Pid <- Killed
    ],
    {Sids, Swept, Sockets} = lists:unzip3(megaphone_sessions:sweep()),
    ?assertEqual(200, length([Socket || Socket <- Sockets, is_pid(Socket)])),
    ?assertEqual(lists:sort(Killed), lists:sort(Swept)),
    ?assertEqual(lists:seq(1, 2000), lists:sort([binary_to_integer(Sid) || Sid <- Sids])),
    ?assertEqual({3000, 0, 3000}, megaphone_sessions:gauges()),
    ?assertEqual(lists:sort(Live), lists:sort(megaphone_sessions:pids())),
    [Pid ! stop || Pid <- Live].

%% An external pid of another node, as a gateway's ConnId is.
conn(Node, Id) ->
    Name = atom_to_binary(Node),
    binary_to_term(<<131, 88, 119, (byte_size(Name)), Name/binary, Id:32, 0:32, 1:32>>).

only_those_whose_link_broke_are_cut() ->
    [A, B, C, D] = [conn(Node, Id) || {Node, Id} <- [{'a@h', 1}, {'b@h', 2}, {'a@h', 3}, {'c@h', 4}]],
    Pid = self(),
    ok = megaphone_sessions:open(<<"a">>, Pid, {0, 0, 0}, {A, 7}),
    ok = megaphone_sessions:open(<<"b">>, Pid, {0, 0, 0}, {B, 8}),
    %% By the connection that came after it.
    ok = megaphone_sessions:open(<<"c">>, Pid, {0, 0, 0}, {C, 9}),
    %% There was none any more when it began.
    ok = megaphone_sessions:open(<<"d">>, Pid, {0, 0, 0}, {D, none}),
    ok = megaphone_sessions:open(<<"BOSH">>, Pid, {0, 0, 0}),
    ok = megaphone_sessions:open(<<"of this node">>, Pid, {0, 0, 0}, {Pid, none}),
    Cut = fun(Connections) -> lists:sort([ConnId || {P, ConnId} <- megaphone_sessions:cut(Connections), P =:= Pid]) end,
    ?assertEqual([D], Cut(#{'a@h' => 7, 'b@h' => 8}) -- [C]),
    ?assertEqual(lists:sort([A, D]), Cut(#{'a@h' => 9, 'b@h' => 8})),
    ?assertEqual(lists:sort([A, B, D]), Cut(#{'a@h' => 9})),
    ?assertEqual(lists:sort([A, B, C, D]), Cut(#{})),
    [ok = megaphone_sessions:close(Sid) || Sid <- [<<"a">>, <<"b">>, <<"c">>, <<"d">>, <<"BOSH">>, <<"of this node">>]].

gauges_are_what_sessions_say() ->
    ok = megaphone_sessions:open(<<"a">>, self(), {0, 0, 0}),
    ok = megaphone_sessions:gauge(<<"a">>, {1, 1, 2}),
    ?assertEqual({1, 1, 2}, megaphone_sessions:gauges()),
    ok = megaphone_sessions:close(<<"a">>),
    %% It may say so once more when it has left.
    ok = megaphone_sessions:gauge(<<"a">>, {0, 0, 1}),
    ?assertEqual({{0, 0, 0}, 0}, {megaphone_sessions:gauges(), megaphone_sessions:count()}).

no_table_is_no_error_test() ->
    ok = megaphone_sessions:open(<<"a">>, self(), {1, 0, 0}),
    ok = megaphone_sessions:gauge(<<"a">>, {1, 0, 1}),
    ok = megaphone_sessions:close(<<"a">>),
    ?assertEqual({unknown, [], [], 0, {0, 0, 0}}, {
        megaphone_sessions:find(<<"a">>),
        megaphone_sessions:pids(),
        megaphone_sessions:some(3),
        megaphone_sessions:count(),
        megaphone_sessions:gauges()
    }).

pages(From, N) ->
    case megaphone_sessions:page(From, N) of
        {Pids, none} -> Pids;
        {Pids, Next} when Next > From -> Pids ++ pages(Next, N)
    end.

%% Each once where nothing changes; and none is missed that was there before while the table grows.
pages_have_all_that_stay() ->
    ?assertEqual([], pages(0, 10)),
    Pid = fun(N) -> list_to_pid("<0." ++ integer_to_list(N) ++ ".77>") end,
    Open = fun(N) -> ok = megaphone_sessions:open(integer_to_binary(N), Pid(N), {0, 0, 0}) end,
    lists:foreach(Open, lists:seq(1, 3000)),
    [?assertEqual(lists:sort([Pid(N) || N <- lists:seq(1, 3000)]), lists:sort(pages(0, Size))) || Size <- [1, 7, 100, 5000]],
    {First, Next} = megaphone_sessions:page(0, 500),
    lists:foreach(Open, lists:seq(3001, 20000)),
    ?assertEqual([], [Pid(N) || N <- lists:seq(1, 3000)] -- (First ++ pages(Next, 500))).

a_page_is_bounded() ->
    lists:foreach(fun(N) -> ok = megaphone_sessions:open(integer_to_binary(N), self(), {0, 0, 0}) end, lists:seq(1, 20000)),
    {Pids, Next} = megaphone_sessions:page(0, 50),
    ?assert(length(Pids) >= 50 andalso length(Pids) < 100),
    ?assert(Next =< 8 * 50),
    %% What was told of a larger table, and none at all.
    ?assertEqual({[], none}, megaphone_sessions:page(1 bsl 40, 50)).
