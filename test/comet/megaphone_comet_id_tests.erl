%%% SPDX-License-Identifier: Apache-2.0
-module(megaphone_comet_id_tests).

-include_lib("eunit/include/eunit.hrl").

canonical_test_() ->
    [?_assertEqual(Canonical, megaphone_comet_id:canonical(Id)) || {Id, Canonical} <- [
        {123, 123}, {<<"123">>, 123}, {'123', 123}, {<<"-5">>, -5}, {<<"0">>, 0}, {1 bsl 70, 1 bsl 70},
        {<<"999999999999999999">>, 999999999999999999}, {<<"1000000000000000000">>, <<"1000000000000000000">>},
        {<<"007">>, <<"007">>}, {<<"-0">>, <<"-0">>}, {<<"1a">>, <<"1a">>}, {<<"-">>, <<"-">>}, {<<"1 ">>, <<"1 ">>}, {<<>>, <<>>},
        {alice, <<"alice">>}, {<<"alice">>, <<"alice">>}, {'', <<>>}, {'Ünal', <<"Ünal"/utf8>>}
    ]].

%% As one that was cut out of a request.
a_part_of_something_larger_is_a_copy_test() ->
    <<Digits:20/binary, Short:5/binary, Long:100/binary, _/binary>> = <<"12345678901234567890", "alice", (binary:copy(<<"x">>, 100000))/binary>>,
    [begin
        Id = megaphone_comet_id:canonical(Part),
        ?assertEqual(Part, Id),
        ?assertEqual(byte_size(Part), binary:referenced_byte_size(Id))
    end || Part <- [Digits, Short, Long]].
