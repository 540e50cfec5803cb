%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_body_tests).

-include_lib("eunit/include/eunit.hrl").

-define(BODY(Attrs, Content), <<"<body xmlns='http://jabber.org/protocol/httpbind' ", Attrs, ">", Content, "</body>">>).

attributes_are_typed_test() ->
    Body = ?BODY(
        "rid='9007199254740991' sid='s' to='h' from='u@h' xml:lang='de' content='text/xml' ver='1.10' wait='60' hold='1' "
        "pause='5' ack='1' key='k' newkey='n' type='terminate' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' "
        "xmpp:restart='true' route='ignored' stream='ignored' secure='true'",
        "<presence/> <iq/>"
    ),
    {ok, Request} = megaphone_body:parse(Body),
    ?assertEqual(
        #{
            rid => 9007199254740991, sid => <<"s">>, to => <<"h">>, from => <<"u@h">>, lang => <<"de">>,
            content => <<"text/xml">>, ver => {1, 10}, wait => 60, hold => 1, pause => 5, ack => 1, key => <<"k">>,
            newkey => <<"n">>, terminate => true, version => <<"1.0">>, restart => true,
            els => [{xmlel, <<"presence">>, [], []}, {xmlel, <<"iq">>, [], []}], bytes => byte_size(Body)
        },
        Request
    ).

another_prefix_for_xbosh_test() ->
    {ok, Request} = megaphone_body:parse(?BODY("rid='1' xmlns:x='urn:xmpp:xbosh' x:restart='1' version='0.9' restart='true'", "")),
    ?assertMatch(#{restart := true}, Request),
    ?assertNot(is_map_key(version, Request)).

accepted_test_() ->
    [
        {binary_to_list(Body), ?_assertMatch({ok, #{rid := 7}}, megaphone_body:parse(Body))}
     || Body <- [
            ?BODY("rid='7'", ""),
            <<"<?xml version='1.0' encoding='utf-8'?>", (?BODY("rid='7'", ""))/binary>>,
            ?BODY("rid='7'", "<message><body>&lt;&amp;&gt;&quot;&apos;&#x41;</body></message>"),
            ?BODY("rid='7'", "<message><body><![CDATA[<!-- <?no?> -->]]></body></message>")
        ]
    ].

refused_test_() ->
    [
        {binary_to_list(Body), ?_assertEqual({error, Error}, megaphone_body:parse(Body))}
     || {Error, Body} <- [
            {not_well_formed, <<>>},
            {not_well_formed, <<"hello">>},
            {not_well_formed, ?BODY("rid='1'", "<a>")},
            {not_well_formed, ?BODY("rid='1' rid='2'", "")},
            {not_well_formed, ?BODY("rid='1'", "&unknown;")},
            {not_well_formed, <<(?BODY("rid='1'", ""))/binary, "<body/>">>},
            {not_well_formed, <<(?BODY("rid='1'", ""))/binary, "stray">>},
            {forbidden_markup, ?BODY("rid='1'", "<!-- comment -->")},
            {forbidden_markup, ?BODY("rid='1'", "<?pi x?>")},
            {forbidden_markup, <<"<!DOCTYPE body [<!ENTITY a 'b'>]>", (?BODY("rid='1'", "&a;"))/binary>>},
            {forbidden_markup, ?BODY("rid='1'", "<a><![CDATA[x]]><!-- c --></a>")},
            {forbidden_markup, ?BODY("rid='1'", "<a><![CDATA[x</a>")},
            {not_a_body, <<"<body rid='1'/>">>},
            {not_a_body, <<"<body xmlns='jabber:client' rid='1'/>">>},
            {not_a_body, <<"<other xmlns='http://jabber.org/protocol/httpbind' rid='1'/>">>},
            {stray_text, ?BODY("rid='1'", "text")},
            {stray_text, ?BODY("rid='1'", "<a/>text<b/>")},
            {bad_attribute, ?BODY("", "")},
            {bad_attribute, ?BODY("rid=''", "")},
            {bad_attribute, ?BODY("rid='-1'", "")},
            {bad_attribute, ?BODY("rid='+1'", "")},
            {bad_attribute, ?BODY("rid='1.5'", "")},
            {bad_attribute, ?BODY("rid='9007199254740992'", "")},
            {bad_attribute, ?BODY("rid='1' wait='soon'", "")},
            {bad_attribute, ?BODY("rid='1' ver='1'", "")}
        ]
    ].

%% What is written can be read, whatever is in an attribute's value.
write_test() ->
    Written = megaphone_body:write([{<<"rid">>, 5}, {<<"to">>, <<"a'b\"<&>">>}], <<"<iq/>">>),
    ?assertMatch({ok, #{rid := 5, to := <<"a'b\"<&>">>, els := [{xmlel, <<"iq">>, [], []}]}}, megaphone_body:parse(Written)).

write_empty_test() ->
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind'/>">>, megaphone_body:write([], [])).
