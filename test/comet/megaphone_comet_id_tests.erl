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
