%%% SPDX-License-Identifier: GPL-2.0-or-later
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

peek_test_() ->
    [
        {string:slice(Body, 0, 60), ?_assertEqual(Expected, megaphone_sid:peek(Body))}
     || {Expected, Body} <- [
            {{ok, <<"a.b">>}, <<"<body sid='a.b'/>">>},
            {{ok, <<"a.b">>}, <<"<body rid=\"1\" sid=\"a.b\">">>},
            {{ok, <<"a.b">>}, <<" \r\n\t<body\n\tsid = 'a.b' />">>},
            {{ok, <<"a.b">>}, <<"<?xml version='1.0'?><body sid='a.b'/>">>},
            {{ok, <<"a.b">>}, <<16#EF, 16#BB, 16#BF, "<body sid='a.b'/>">>},
            {{ok, <<"a.b">>}, <<"<b:body xmlns:b='x' sid='a.b'/>">>},
            {{ok, <<>>}, <<"<body sid=''/>">>},
            {none, <<"<body to='sid=&quot;a.b&quot;'/>">>},
            {none, <<"<body to=\" sid='a.b'\"/>">>},
            {none, <<"<body xsid='a.b' x:sid='a.b' sid2='c'/>">>},
            {none, <<"<body/><x sid='a.b'/>">>},
            {none, <<"<body><x sid='a.b'/></body>">>},
            {none, <<"<body sid='a.b">>},
            {none, <<"<body sid=a.b/>">>},
            {none, <<"<body ='a.b'/>">>},
            {none, <<"sid='a.b'">>},
            {none, <<"<">>},
            {none, <<>>},
            {none, <<"<?xml">>},
            {none, <<"<body ", (binary:copy(<<"a">>, 5000))/binary, "='' sid='a.b'/>">>}
        ]
    ].
