%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_pack_tests).

-include_lib("eunit/include/eunit.hrl").

%% The first streams of a host may all want to be the template.
all_at_once_test() ->
    Test = self(),
    Stream = fun(N) -> #{user => N, server => <<"localhost">>} end,
    Pids = [
        spawn_link(fun() ->
            receive go -> ok end,
            Packed = megaphone_pack:pack(<<"all at once">>, Stream(N)),
            receive unpack -> Test ! {self(), megaphone_pack:unpack(Packed)} end
        end)
     || N <- lists:seq(1, 100)
    ],
    [Pid ! go || Pid <- Pids],
    [Pid ! unpack || Pid <- Pids],
    ?assertEqual([Stream(N) || N <- lists:seq(1, 100)], [receive {Pid, Unpacked} -> Unpacked end || Pid <- Pids]).

what_hosts_share_takes_no_room_test() ->
    Stream = #{shared => binary:copy(<<"x">>, 10000), user => 1},
    _ = megaphone_pack:pack(<<"shared">>, Stream),
    ?assert(byte_size(megaphone_pack:pack(<<"shared">>, Stream#{user := 2})) < 100).
