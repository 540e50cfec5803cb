%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What two other nodes tell of sessions that moved to them.
-module(megaphone_moved_tests).

-include_lib("eunit/include/eunit.hrl").

-define(SID, <<"AAAAAA.moved">>).

pid(Node, Id) ->
    Name = atom_to_binary(Node),
    binary_to_term(<<131, 88, 119, (byte_size(Name)), Name/binary, Id:32, 0:32, 1:32>>).

hear(Message, M) ->
    {noreply, M1} = megaphone_moved:handle_info(Message, M),
    M1.

down(Node, Reason, M) ->
    #{Node := Peer} = element(2, M),
    hear({'DOWN', element(2, Peer), process, {megaphone_moved, Node}, Reason}, M).

found() ->
    case megaphone_moved:find(?SID) of {ok, Pid} -> node(Pid); Other -> Other end.

%% It owns its table, and has met the two.
all_test_() ->
    [
        {Name, fun() ->
            ok = megaphone_sessions:create_table(),
            {ok, M} = megaphone_moved:init([]),
            process_flag(trap_exit, false),
            Test(setelement(2, M, maps:from_list([{Node, {peer, make_ref(), none, false}} || Node <- ['a@x', 'b@x']]))),
            [ets:delete(Table) || Table <- [megaphone_sessions, megaphone_moved]]
        end}
     || {Name, Test} <- tests()
    ].

tests() ->
    Here = pid('a@x', 1), There = pid('b@x', 2),
    [
        {"nobody else is there", fun(_) -> ?assertEqual(none, found()) end},
        {"it moved on from here, and from where it went", fun(M) ->
            ?assertNot(megaphone_moved:is_beyond(?SID)),
            {reply, ok, M1} = megaphone_moved:handle_call({enter, {?SID, self()}}, {self(), x}, M),
            ?assertNot(megaphone_moved:is_beyond(?SID)),
            _ = hear({enter, {?SID, There}}, M1),
            ?assert(megaphone_moved:is_beyond(?SID))
        end},
        {"a peer says so", fun(M) ->
            _ = hear({enter, {?SID, Here}}, hear({rows, pid('a@x', 9), []}, M)),
            ?assertEqual('a@x', found())
        end},
        {"a peer that comes says so", fun(M) ->
            _ = hear({hello, pid('a@x', 9), [{?SID, Here}]}, M),
            ?assertEqual('a@x', found())
        end},
        {"it moves on: what is late takes away no more than its own", fun(M) ->
            M1 = hear({rows, pid('b@x', 9), []}, hear({rows, pid('a@x', 9), [{?SID, Here}]}, M)),
            M2 = hear({enter, {?SID, There}}, M1),
            ?assertEqual('b@x', found()),
            _ = hear({leave, [{?SID, Here}]}, M2),
            ?assertEqual('b@x', found())
        end},
        {"a link breaks: its rows stay while sessions there may live, and then no others go", fun(M) ->
            ok = megaphone_sessions:may_last(300),
            M1 = hear({rows, pid('b@x', 9), [{<<"AAAAAA.other">>, There}]}, hear({rows, pid('a@x', 9), [{?SID, Here}]}, M)),
            M2 = hear(tick, down('a@x', noconnection, M1)),
            ?assertEqual('a@x', found()),
            Before = maps:map(fun(_, Until) -> Until - 299000 end, element(5, M2)),
            M3 = hear(tick, setelement(5, M2, Before)),
            ?assertEqual('a@x', found()),
            Over = maps:map(fun(_, Until) -> Until - 1000 end, element(5, M3)),
            _ = hear(tick, setelement(5, M3, Over)),
            ?assertEqual(none, found()),
            ?assertEqual({ok, There}, megaphone_moved:find(<<"AAAAAA.other">>))
        end},
        {"a link breaks, and is back: what it tells then holds; with a node that has only started, nothing does", fun(M) ->
            ok = megaphone_sessions:may_last(300),
            Back = fun(M1) -> setelement(2, M1, (element(2, M1))#{'a@x' => {peer, make_ref(), none, false}}) end,
            M1 = Back(down('a@x', noconnection, hear({rows, pid('a@x', 9), [{?SID, Here}]}, hear({rows, pid('b@x', 9), []}, M)))),
            M2 = hear({nodeup, 'a@x'}, M1),
            ?assertEqual('a@x', found()),
            ?assertEqual(unknown, megaphone_moved:find(<<"AAAAAA.other">>)),
            _ = hear({hello, pid('a@x', 9), [{<<"AAAAAA.other">>, Here}]}, M2),
            ?assertEqual(none, found()),
            ?assertEqual({ok, Here}, megaphone_moved:find(<<"AAAAAA.other">>)),
            M3 = down('a@x', noproc, M1),
            ?assertEqual(#{}, element(5, M3)),
            ?assertEqual(none, megaphone_moved:find(<<"AAAAAA.other">>))
        end},
        {"a peer's process dies, and is not back in time", fun(M) ->
            M1 = down('a@x', killed, hear({rows, pid('a@x', 9), [{?SID, Here}]}, M)),
            ?assertEqual('a@x', found()),
            M2 = hear(tick, M1),
            ?assertEqual('a@x', found()),
            Over = maps:map(fun(_, Until) -> Until - 5000 end, element(5, M2)),
            _ = hear(tick, setelement(5, M2, Over)),
            ?assertEqual(none, found())
        end},
        {"unsure until each that is there has told", fun(M) ->
            true = ets:insert(megaphone_moved, {unsure}),
            ?assertEqual(unknown, found()),
            M2 = hear({rows, pid('a@x', 9), []}, M),
            ?assertEqual(unknown, found()),
            _ = down('b@x', noproc, M2),
            ?assertEqual(none, found())
        end},
        {"nobody waits for one that does not tell", fun(M) ->
            true = ets:insert(megaphone_moved, {unsure}),
            _ = hear(tick, setelement(3, M, erlang:monotonic_time(millisecond))),
            ?assertEqual(none, found())
        end},
        {"what came here is told to who comes", fun(M) ->
            {reply, ok, M1} = megaphone_moved:handle_call({enter, {?SID, self()}}, {self(), x}, M),
            ?assertEqual(none, found()),
            ?assertEqual([{?SID, self()}], [Row || {_, _} = Row <- ets:tab2list(megaphone_moved)]),
            {noreply, M2} = megaphone_moved:handle_cast({leave, {?SID, self()}}, M1),
            Later = [{Ms - 60001, Row} || {Ms, Row} <- element(4, M2)],
            _ = hear(tick, setelement(4, M2, Later)),
            ?assertEqual([], ets:tab2list(megaphone_moved))
        end},
        {"what moved on from here is led here no more", fun(M) ->
            {reply, ok, M1} = megaphone_moved:handle_call({enter, {?SID, self()}}, {self(), x}, M),
            {noreply, _} = megaphone_moved:handle_cast({moved_on, {?SID, self()}}, M1),
            ?assertEqual([], ets:tab2list(megaphone_moved))
        end},
        {"before it starts nothing is known", fun(_) ->
            true = ets:delete(megaphone_moved),
            ?assertEqual(unknown, found()),
            _ = ets:new(megaphone_moved, [named_table])
        end}
    ].
