%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Session ids are unique, and begin with what a gateway computes from their node's name.
-module(megaphone_sid_tests).

-include_lib("eunit/include/eunit.hrl").

tag_is_what_a_gateway_computes_test() ->
    %% printf 'ejabberd@localhost' | openssl dgst -sha256 -binary | basenc --base64url | cut -c1-6
    Digest = crypto:hash(sha256, <<"ejabberd@localhost">>),
    <<Expected:6/binary, _/binary>> = base64:encode(Digest),
    ?assertEqual(binary:replace(binary:replace(Expected, <<"+">>, <<"-">>, [global]), <<"/">>, <<"_">>, [global]),
        megaphone_sid:tag('ejabberd@localhost')).

new_sids_are_unique_and_carry_the_tag_test() ->
    Sids = [megaphone_sid:new(<<"abcdef">>) || _ <- lists:seq(1, 1000)],
    ?assertEqual(1000, length(lists:usort(Sids))),
    [?assertMatch({match, _}, re:run(S, <<"^abcdef\\.[-_A-Za-z0-9]{24}$">>)) || S <- Sids].
