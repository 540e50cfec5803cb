%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Sessions that are reached by a socket end with the connection of the nodes by which that came.
-module(megaphone_index_tests).

-include_lib("eunit/include/eunit.hrl").

%% A pid of another node, as a gateway's ConnId is.
conn(Node, Id) ->
    Name = atom_to_binary(Node),
    binary_to_term(<<131, 88, 119, (byte_size(Name)), Name/binary, Id:32, 0:32, 1:32>>).

closed() ->
    receive
        {ConnId, closed, Code} -> [{ConnId, Code} | closed()]
    after 0 -> []
    end.

tables() ->
    ok = megaphone_sessions:create_table(),
    ok = megaphone_ended:create_table().

with_table_test_() ->
    {setup, fun tables/0, fun(_) -> [ets:delete(Table) || Table <- [megaphone_sessions, megaphone_ended]] end, fun() ->
        Gone = conn('gateway@gone', 1),
        ok = megaphone_sessions:open(<<"a">>, self(), {1, 0, 0}, {Gone, 7}),
        ok = megaphone_sessions:open(<<"b">>, self(), {1, 0, 0}, {self(), none}),
        ok = megaphone_sessions:open(<<"c">>, self(), {1, 0, 0}),
        {noreply, []} = megaphone_index:handle_info({nodeup, 'gateway@gone', []}, []),
        ?assertEqual([], closed()),
        [
            begin
                {noreply, []} = megaphone_index:handle_info(Looks, []),
                ?assertEqual([{Gone, 1006}], closed())
            end
         || Looks <- [{nodedown, 'gateway@gone', []}, sweep]
        ]
    end}.
