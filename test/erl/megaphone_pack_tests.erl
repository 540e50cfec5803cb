%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Streams that are packed at once, or share what they hold, come back as they were and take no more than what is theirs.
-module(megaphone_pack_tests).

-include_lib("eunit/include/eunit.hrl").

%% The first streams of a host may all want to make the template.
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

what_users_share_takes_no_room_test() ->
    Stream = #{shared => binary:copy(<<"x">>, 10000), user => 1},
    _ = megaphone_pack:pack(<<"shared">>, Stream),
    ?assert(byte_size(megaphone_pack:pack(<<"shared">>, Stream#{user := 2})) < 100).

%% Neither the first, nor who comes again, nor two behind one address.
what_is_one_users_is_held_by_nobody_else_test() ->
    Stream = #{user => <<"someone">>, jid => <<"someone@shared">>, ip => {{192, 0, 2, 7}, 0}, socket => {{192, 0, 2, 7}, 0}, shared => <<"shared">>},
    Host = <<"private">>,
    _ = [megaphone_pack:pack(Host, Stream) || _ <- lists:seq(1, 3)],
    Packed = megaphone_pack:pack(Host, Stream#{user := <<"second">>, jid := <<"second@shared">>}),
    Held = [Value || {{megaphone_pack, _}, Value} <- persistent_term:get(), is_map(Value)],
    ?assert(lists:member(#{shared => <<"shared">>}, Held)),
    Terms = term_to_binary(persistent_term:get()),
    [?assertEqual(nomatch, binary:match(Terms, Secret)) || Secret <- [<<"someone">>, <<"second">>, term_to_binary_body({192, 0, 2, 7})]],
    ?assertEqual(<<"second@shared">>, maps:get(jid, megaphone_pack:unpack(Packed))).

%% Without the version byte, as it stands within a larger term.
term_to_binary_body(Term) ->
    <<131, Body/binary>> = term_to_binary(Term),
    Body.
