%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The header's table. There is no other node here: what would be passed on has no way.
-module(megaphone_elsewhere_tests).

-include_lib("eunit/include/eunit.hrl").

-define(ENDED, <<"AAAAAA.ended">>).
-define(MOVED, <<"AAAAAA.moved">>).

pid(Node, Id) ->
    Name = atom_to_binary(Node),
    binary_to_term(<<131, 88, 119, (byte_size(Name)), Name/binary, Id:32, 0:32, 1:32>>).

asked(Sid, Hops) ->
    ok = megaphone_elsewhere:request(Sid, self(), 7, {self(), held, Sid, 7}, Hops),
    Self = self(),
    receive
        {Self, 200, Body} -> case binary:match(Body, <<"item-not-found">>) of nomatch -> Body; _ -> not_found end;
        {Self, 503, _, _} -> again;
        {Self, elsewhere, Node, <<>>} -> {elsewhere, Node}
    after 0 -> nothing
    end.

all_test_() ->
    [
        {Name, fun() ->
            ok = megaphone_stats:create(),
            ok = megaphone_ended:create_table(),
            ok = megaphone_ended:put(?ENDED, #{kept => [{7, 200, <<"kept">>}], final => {200, <<"final">>}}, user),
            megaphone_moved = ets:new(megaphone_moved, [named_table, bag]),
            megaphone_cluster = ets:new(megaphone_cluster, [named_table]),
            Test(),
            [ets:delete(Table) || Table <- [megaphone_ended, megaphone_moved, megaphone_cluster]]
        end}
     || {Name, Test} <- tests()
    ].

tests() ->
    Tag = megaphone_sid:tag('b@x'),
    Moves = fun() -> true = ets:insert(megaphone_moved, {?MOVED, pid('b@x', 1)}) end,
    Runs = fun() -> true = ets:insert(megaphone_cluster, {{tag, Tag}, 'b@x'}) end,
    [
        {"it ended here", fun() -> ?assertEqual(<<"kept">>, asked(?ENDED, 0)) end},
        {"nobody knows it", fun() -> ?assertEqual(not_found, asked(?MOVED, 0)) end},
        {"it moved to a node that does not run the module, or to which there is no way: the gateway may have one", fun() ->
            Moves(),
            ?assertEqual({elsewhere, 'b@x'}, asked(?MOVED, 0)),
            Runs(),
            ok = megaphone_elsewhere:request(?MOVED, self(), 7, {self(), <<"<body/>">>}, 2),
            Self = self(),
            ?assertEqual({Self, elsewhere, 'b@x', <<"<body/>">>}, receive Message -> Message after 0 -> nothing end)
        end},
        {"it moved, but too often", fun() -> Moves(), Runs(), ?assertEqual(again, asked(?MOVED, 3)) end},
        {"it may have moved: nobody said so yet", fun() ->
            true = ets:insert(megaphone_moved, {unsure}),
            ?assertEqual(again, asked(?MOVED, 0))
        end},
        {"there is no table", fun() ->
            true = ets:rename(megaphone_moved, elsewhere) =:= elsewhere,
            ?assertEqual(again, asked(?MOVED, 0)),
            megaphone_moved = ets:rename(elsewhere, megaphone_moved)
        end},
        {"by way of a relay", fun() ->
            Self = self(),
            true = register(mod_megaphone, Self),
            {ok, Relay} = megaphone_relay:start(Self, node()),
            Relay ! {Relay, elsewhere, 'b@x', <<"<body/>">>},
            ?assertEqual({Self, elsewhere, 'b@x', <<"<body/>">>}, receive Message -> Message after 5000 -> nothing end),
            true = unregister(mod_megaphone)
        end},
        {"the tag is another node's: asked once", fun() ->
            Runs(),
            Sid = <<Tag/binary, ".madeup">>,
            ?assertEqual({elsewhere, 'b@x'}, asked(Sid, 0)),
            ?assertEqual(not_found, asked(Sid, 1))
        end},
        {"what has no answer is dropped", fun() ->
            ?assertEqual(ok, megaphone_elsewhere:told(?MOVED, {self(), closed, ?MOVED}, 0))
        end},
        {"a creation where nobody takes any", fun() ->
            ?assertEqual(none, megaphone_elsewhere:creation({self(), open, #{}}, 0)),
            true = ets:insert(megaphone_cluster, {{peer, 'b@x'}, #{state => in_service, sessions => 1, weight => 0, gateways => [node()]}}),
            ?assertEqual(none, megaphone_elsewhere:creation({self(), open, #{}}, 0))
        end},
        {"another node that takes some, and has the gateway", fun() ->
            Peer = fun(Name, State, Sessions, Weight, Gateways) ->
                true = ets:insert(megaphone_cluster, {{peer, Name}, #{state => State, sessions => Sessions, weight => Weight, gateways => Gateways}})
            end,
            Peer('b@x', in_service, 5, 100, [g@x]),
            Peer('c@x', draining, 0, 100, [g@x]),
            Peer('d@x', in_service, 0, 100, []),
            ?assertEqual({ok, 'b@x'}, megaphone_cluster:other(g@x)),
            ?assertEqual(none, megaphone_cluster:other(h@x)),
            ?assertEqual(['b@x', 'd@x'], lists:sort([Node || {Node, _, _} <- megaphone_cluster:others()])),
            ?assert(megaphone_cluster:is_connected('c@x', g@x)),
            ?assertNot(megaphone_cluster:is_connected('d@x', g@x))
        end}
    ].
