%%% SPDX-License-Identifier: Apache-2.0
%%% Subscriptions in a Mnesia in memory, and files of them.
-module(megaphone_subscriptions_tests).

-include_lib("eunit/include/eunit.hrl").

subscriptions_test_() ->
    {foreach, fun begin_app/0, fun end_app/1, [
        {timeout, 60, {"both directions", fun directions/0}},
        {timeout, 60, {"many subscribers of one id", fun many/0}},
        {timeout, 60, {"who subscribed is found while others do", fun meanwhile/0}},
        {timeout, 60, {"what is sent reaches the subscribers who are there", fun sent/0}},
        {timeout, 60, {"a file in parts", fun file/0}},
        {timeout, 60, {"a line that is none", fun wrong_line/0}}
    ]}.

begin_app() -> {ok, Started} = application:ensure_all_started(megaphone_comet), Started.

end_app(Started) ->
    ok = logger:set_primary_config(level, error),
    [ok = application:stop(App) || App <- lists:reverse(Started)],
    ok = logger:set_primary_config(level, notice).

sorted(Ids) -> lists:sort(Ids).

directions() ->
    [ok = megaphone_subscriptions:add(S, Id) || {S, Id} <- [{1, alice}, {2, alice}, {1, bob}, {1, alice}, {<<"2">>, 'bob'}]],
    ?assertEqual([1, 2], sorted(megaphone_subscriptions:subscribers(alice))),
    ?assertEqual([1, 2], sorted(megaphone_subscriptions:subscribers(<<"bob">>))),
    ?assertEqual([<<"alice">>, <<"bob">>], sorted(megaphone_subscriptions:subscriptions(1))),
    ok = megaphone_subscriptions:remove(1, alice),
    ok = megaphone_subscriptions:remove(1, alice),
    ok = megaphone_subscriptions:remove(7, nobody),
    ?assertEqual([2], megaphone_subscriptions:subscribers(alice)),
    ?assertEqual([<<"bob">>], megaphone_subscriptions:subscriptions(1)),
    [ok = megaphone_subscriptions:remove(S, Id) || S <- [1, 2], Id <- [alice, bob]],
    ?assertEqual([0, 0], [mnesia:table_info(T, size) || T <- [megaphone_subscribers, megaphone_subscriptions]]).

many() ->
    [ok = megaphone_subscriptions:add(S, star) || S <- lists:seq(1, 1000)],
    ?assertEqual(lists:seq(1, 1000), sorted(megaphone_subscriptions:subscribers(star))),
    %% No row is large.
    Rows = ets:tab2list(megaphone_subscribers),
    ?assert(length(Rows) > 10),
    ?assert(lists:max([length(Members) || {_, _, _, Members} <- Rows]) < 200).

%% Rows are split as they grow: whoever reads meanwhile is to miss nobody, and to find nobody twice.
meanwhile() ->
    [ok = megaphone_subscriptions:add(S, star) || S <- lists:seq(1, 100)],
    Test = self(),
    Readers = [spawn_link(fun() -> read(Test, 0) end) || _ <- [1, 2, 3]],
    [ok = megaphone_subscriptions:add(S, star) || S <- lists:seq(101, 6000)],
    [Reader ! stop || Reader <- Readers],
    [receive {Reader, read, Times} -> ?assert(Times > 0) after 30000 -> error(no_answer) end || Reader <- Readers].

read(Test, Times) ->
    Read = megaphone_subscriptions:subscribers(star),
    ?assertEqual([], lists:seq(1, 100) -- Read),
    ?assertEqual([], Read -- lists:usort(Read)),
    receive stop -> Test ! {self(), read, Times + 1} after 0 -> read(Test, Times + 1) end.

sent() ->
    [ok = megaphone_subscriptions:add(S, 7) || S <- [1, 2, 3]],
    [ok = megaphone_router:login(Id, self()) || Id <- [1, 3]],
    ok = megaphone_subscriptions:send(7, hello),
    ok = megaphone_subscriptions:send(8, nothing),
    ?assertEqual([hello, hello], received()).

received() -> receive Message -> [Message | received()] after 0 -> [] end.

in_file(Text, Test) ->
    File = filename:join(os:getenv("TMPDIR", "/tmp"), "megaphone-edges-" ++ os:getpid()),
    ok = file:write_file(File, Text),
    try Test(File) after file:delete(File) end.

file() ->
    Edges = [{S, S rem 50 + N} || S <- lists:seq(1, 3000), N <- [0, 1, 2]],
    Text = ["# who follows whom\n\n", [[integer_to_binary(S), $\t, integer_to_binary(Id), "\r\n"] || {S, Id} <- Edges], "  last   one  "],
    Test = self(),
    ok = megaphone_subscriptions:add(9999, 1),
    in_file(Text, fun(File) ->
        ?assertEqual({ok, 9001}, megaphone_subscriptions:load(File, fun(Count, Bytes, Size) -> Test ! {Count, Bytes, Size} end)),
        %% Again changes nothing.
        ?assertEqual({ok, 9001}, megaphone_subscriptions:load(File))
    end),
    Size = iolist_size(Text),
    ?assertEqual([{9001, Size, Size}], received()),
    ?assertEqual([<<"one">>], megaphone_subscriptions:subscriptions(<<"last">>)),
    [?assertEqual(lists:sort([S || {S, I} <- Edges, I =:= Id] ++ [9999 || Id =:= 1]), sorted(megaphone_subscriptions:subscribers(Id))) || Id <- lists:seq(0, 51)],
    ?assertEqual([1, 2, 3], sorted(megaphone_subscriptions:subscriptions(1))).

wrong_line() ->
    in_file("1 2\n3 4 5\n", fun(File) -> ?assertEqual({error, {line, 2}}, megaphone_subscriptions:load(File)) end),
    ?assertEqual({error, enoent}, megaphone_subscriptions:load("/no/such/file")).
