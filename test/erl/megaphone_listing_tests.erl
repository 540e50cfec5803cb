%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The list of sessions that gateways ask for, with processes that tell of themselves as sessions do.
-module(megaphone_listing_tests).

-include_lib("eunit/include/eunit.hrl").

with_table_test_() ->
    {foreach, fun megaphone_sessions:create_table/0, fun(_) -> ets:delete(megaphone_sessions) end, [
        fun() -> all_come_page_by_page() end,
        fun() -> those_are_found_whose_user_or_address_begins_so() end,
        fun() -> a_search_looks_at_no_more_than_it_may() end,
        fun() -> one_that_does_not_answer_is_left_out() end,
        fun() -> a_page_does_not_wait_for_one_stretch_after_the_other() end,
        fun() -> one_is_closed_by_its_id_and_no_other() end
    ]}.

%% A session as far as it is asked.
session(N) -> session(N, <<"xWuyaw.", (integer_to_binary(10000 + N))/binary, "secret">>).

session(N, Sid) ->
    Test = self(),
    Pid = spawn_link(fun() ->
        put('$initial_call', {megaphone_session, run, 1}),
        ok = megaphone_sessions:open(Sid, self(), {1, 0, 0}),
        Test ! {self(), open},
        tell(N, Sid)
    end),
    receive {Pid, open} -> Pid end.

tell(N, Sid) ->
    receive
        {megaphone_info, {From, Ref}} ->
            User = <<"user", (integer_to_binary(N))/binary, "@localhost/Web">>,
            From ! {Ref, {Sid, User, "192.0.2." ++ integer_to_list(N rem 256), "bosh", "established", 1, 2345, 60}},
            tell(N, Sid);
        {megaphone_close, {From, Ref}} ->
            ok = megaphone_sessions:close(Sid),
            From ! {Ref, closed}
    end.

all(Search, Wanted, AtMost) -> all(Search, 0, Wanted, AtMost).

all(Search, From, Wanted, AtMost) ->
    case megaphone_listing:page(Search, From, Wanted, AtMost) of
        {Rows, none, _} -> Rows;
        {Rows, Next, LookedAt} when Next > From, LookedAt < AtMost + 100 -> Rows ++ all(Search, Next, Wanted, AtMost)
    end.

users(Rows) -> lists:sort([User || {_, User, _, _, _, _, _, _} <- Rows]).

names(Ns) -> lists:sort([<<"user", (integer_to_binary(N))/binary, "@localhost/Web">> || N <- Ns]).

all_come_page_by_page() ->
    ?assertEqual({[], none, 0}, megaphone_listing:page(<<>>, 0, 50, 1000)),
    [session(N) || N <- lists:seq(1, 500)],
    [?assertEqual(names(lists:seq(1, 500)), users(all(<<>>, Wanted, 1000))) || Wanted <- [1, 50, 1000]],
    {Rows, _, LookedAt} = megaphone_listing:page(<<>>, 0, 50, 1000),
    ?assert(length(Rows) >= 50 andalso length(Rows) < 100),
    ?assertEqual(length(Rows), LookedAt),
    ?assertMatch({_, _, <<"192.0.2.", _/binary>>, <<"bosh">>, <<"established">>, 1, 2345, 60}, hd(Rows)),
    %% Who has a whole sid has the session.
    ?assertEqual([], [Id || {Id, _, _, _, _, _, _, _} <- Rows, binary:match(Id, <<"secret">>) =/= nomatch]).

those_are_found_whose_user_or_address_begins_so() ->
    [session(N) || N <- lists:seq(1, 300)],
    ?assertEqual(names([12, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129]), users(all(<<"user12">>, 50, 1000))),
    ?assertEqual(names([12]), users(all(<<"USER12@">>, 50, 1000))),
    ?assertEqual(names([12]), users(all(<<"user12@localhost/W">>, 50, 1000))),
    ?assertEqual(names([25, 250, 251, 252, 253, 254, 255, 281]), users(all(<<"192.0.2.25">>, 50, 1000))),
    ?assertEqual([], all(<<"ser12">>, 50, 1000)),
    ?assertEqual([], all(<<"[::1">>, 50, 1000)).

a_search_looks_at_no_more_than_it_may() ->
    [session(N) || N <- lists:seq(1, 500)],
    {[], Next, LookedAt} = megaphone_listing:page(<<"nobody">>, 0, 50, 120),
    ?assert(is_integer(Next) andalso LookedAt >= 100 andalso LookedAt < 220),
    ?assertEqual(names([499]), users(all(<<"user499">>, 50, 120))).

one_that_does_not_answer_is_left_out() ->
    [session(N) || N <- [1, 2]],
    Busy = spawn_link(fun() -> receive stop -> ok end end),
    ok = megaphone_sessions:open(<<"busy">>, Busy, {0, 0, 0}),
    ok = megaphone_sessions:open(<<"dead">>, spawn(fun() -> ok end), {0, 0, 0}),
    {Rows, none, 4} = megaphone_listing:page(<<>>, 0, 50, 1000),
    ?assertEqual(names([1, 2]), users(Rows)),
    Busy ! stop.

%% Busy ones are in all of them.
a_page_does_not_wait_for_one_stretch_after_the_other() ->
    [session(N) || N <- lists:seq(1, 150)],
    Busy = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 150)],
    [ok = megaphone_sessions:open(<<"busy", (integer_to_binary(N))/binary>>, Pid, {0, 0, 0}) || {N, Pid} <- lists:enumerate(Busy)],
    {Rows, Next, LookedAt} = megaphone_listing:page(<<>>, 0, 1000, 1000),
    ?assert(is_integer(Next) andalso LookedAt >= 100 andalso LookedAt < 200 andalso length(Rows) < LookedAt),
    [Pid ! stop || Pid <- Busy],
    ?assertEqual(names(lists:seq(1, 150)), users(Rows ++ all(<<>>, Next, 1000, 1000))).

one_is_closed_by_its_id_and_no_other() ->
    Pid = session(7),
    {[{Id, _, _, _, _, _, _, _}], none, 1} = megaphone_listing:page(<<"user7">>, 0, 50, 1000),
    [?assertEqual(error, megaphone_listing:close(Other)) || Other <- [<<>>, <<"7">>, <<"0.1.0-xWuyaw.10007">>, <<Id/binary, "x">>, <<"<0.1.0>-x">>, other(Id)]],
    ?assert(is_process_alive(Pid)),
    Ref = monitor(process, Pid),
    ?assertEqual(ok, megaphone_listing:close(Id)),
    receive {'DOWN', Ref, _, _, _} -> ok after 5000 -> error(lives) end,
    ?assertEqual(error, megaphone_listing:close(Id)),
    %% Another session in the same process number would have another sid.
    ?assertEqual({[], none, 0}, megaphone_listing:page(<<>>, 0, 50, 1000)).

%% The same process, of another session.
other(Id) -> re:replace(Id, "-.*", "-zWuyaw.10007", [{return, binary}]).
