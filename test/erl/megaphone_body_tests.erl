%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What of a <body/> is read, what is refused, and how one is written.
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
    {ok, Request} = megaphone_body:parse(Body, 10000),
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
    {ok, Request} = megaphone_body:parse(?BODY("rid='1' xmlns:x='urn:xmpp:xbosh' x:restart='1' version='0.9' restart='true'", ""), 10000),
    ?assertMatch(#{restart := true}, Request),
    ?assertNot(is_map_key(version, Request)).

%% Swiften and libpurple bind the prefix to a namespace that they got wrong, libpurple behind its use.
wrong_namespace_for_xbosh_test() ->
    Swiften = megaphone_body:parse(?BODY("rid='1' xmlns:xmpp='urn:xmpp:bosh' xmpp:version='1.0'", ""), 10000),
    ?assertMatch({ok, #{version := <<"1.0">>}}, Swiften),
    Libpurple = megaphone_body:parse(?BODY("rid='1' xmpp:restart='true' xmlns:xmpp='urn:xmpp:bosh'", ""), 10000),
    ?assertMatch({ok, #{restart := true}}, Libpurple).

two_prefixes_for_xbosh_test() ->
    {ok, Request} = megaphone_body:parse(
        ?BODY("rid='1' xmlns:a='urn:xmpp:xbosh' xmlns:b='urn:xmpp:xbosh' xmlns:c='urn:xmpp:c' a:version='1.0' b:restart='1' c:version='2'", ""),
        10000
    ),
    ?assertMatch(#{version := <<"1.0">>, restart := true}, Request).

accepted_test_() ->
    [
        {binary_to_list(Body), ?_assertMatch({ok, #{rid := 7}}, megaphone_body:parse(Body, 10000))}
     || Body <- [
            ?BODY("rid='7'", ""),
            <<"<?xml version='1.0' encoding='utf-8'?>", (?BODY("rid='7'", ""))/binary>>,
            <<"<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\" ?>\n", (?BODY("rid='7'", ""))/binary>>,
            <<16#EF, 16#BB, 16#BF, (?BODY("rid='7'", ""))/binary>>,
            <<16#EF, 16#BB, 16#BF, "<?xml version='1.0'?>", (?BODY("rid='7'", ""))/binary>>,
            <<(binary:copy(<<" ">>, 64))/binary, (?BODY("rid='7'", ""))/binary>>,
            <<(?BODY("rid='7'", ""))/binary, "\r\n">>,
            ?BODY("rid='7'\n\tto = 'h'", "\n<presence\r\n/>\n"),
            ?BODY("rid='7' to='a>b'", "<m\x{c3}\x{bc}>\x{f0}\x{9f}\x{98}\x{80}</m\x{c3}\x{bc}>"),
            ?BODY("rid='7'", "<message><body>&lt;&amp;&gt;&quot;&apos;&#x41;</body></message>"),
            ?BODY("rid='7'", "<message><body><![CDATA[<!-- <?no?> -->]]></body></message>")
        ]
    ].

refused_test_() ->
    [
        {binary_to_list(Body), ?_assertEqual({error, Error}, megaphone_body:parse(Body, 10000))}
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
            {forbidden_markup, ?BODY("rid='1'", "<a><?pi x?></a>")},
            {forbidden_markup, <<(?BODY("rid='1'", ""))/binary, "<!-- c -->">>},
            {forbidden_markup, <<"<!-- c -->", (?BODY("rid='1'", ""))/binary>>},
            {not_well_formed, ?BODY("rid='1'", "<a><![CDATA[x</a>")},
            {not_well_formed, ?BODY("rid='1'", "]]>")},
            {not_well_formed, ?BODY("rid='1'", "</body><body>")},
            {not_well_formed, ?BODY("rid='1'", "<message>\x{1}</message>")},
            {not_well_formed, ?BODY("rid='1'", "<message>&#1;</message>")},
            {not_well_formed, ?BODY("rid='1'", "<message>\x{ef}\x{bf}\x{bf}</message>")},
            {not_well_formed, <<(binary:copy(<<" ">>, 65))/binary, (?BODY("rid='1'", ""))/binary>>},
            {forbidden_markup, <<" <?xml version='1.0'?>", (?BODY("rid='1'", ""))/binary>>},
            {forbidden_markup, <<"<?xml version='1.0'?><?xml version='1.0'?>", (?BODY("rid='1'", ""))/binary>>},
            {not_utf8, ?BODY("rid='1'", "<message>\x{0}</message>")},
            {not_utf8, ?BODY("rid='1'", "<message>\x{e9}</message>")},
            {not_utf8, ?BODY("rid='1'", "<message a='\x{e9}'/>")},
            {not_utf8, ?BODY("rid='1'", "<message>\x{c0}\x{80}</message>")},
            {not_utf8, ?BODY("rid='1'", "<message>\x{ed}\x{a0}\x{80}</message>")},
            {not_utf8, ?BODY("rid='1'", "<message>\x{c3}")},
            {not_utf8, <<"<?xml version='1.0' encoding='ISO-8859-1'?>", (?BODY("rid='1'", ""))/binary>>},
            {not_utf8, <<"<?xml version='1.0' encoding='UTF-16'?>", (?BODY("rid='1'", ""))/binary>>},
            {not_a_body, <<"<body rid='1'/>">>},
            {not_a_body, <<"<body xmlns='jabber:client' rid='1'/>">>},
            {not_a_body, <<"<other xmlns='http://jabber.org/protocol/httpbind' rid='1'/>">>},
            {stray_text, ?BODY("rid='1'", "text")},
            {stray_text, ?BODY("rid='1'", "<a/>text<b/>")},
            {bad_attribute, ?BODY("", "")},
            {bad_attribute, ?BODY("rid=''", "")},
            {bad_attribute, ?BODY("rid='0'", "")},
            {bad_attribute, ?BODY("rid='00'", "")},
            {bad_attribute, ?BODY("rid='-1'", "")},
            {bad_attribute, ?BODY("rid='+1'", "")},
            {bad_attribute, ?BODY("rid='1.5'", "")},
            {bad_attribute, ?BODY("rid='9007199254740992'", "")},
            {bad_attribute, ?BODY("rid='1' wait='soon'", "")},
            {bad_attribute, ?BODY("rid='1' ver='1'", "")}
        ]
    ].

%% RFC 6120 §11.6: XMPP is UTF-8. Nothing may be hidden in another encoding, in which the parser would find it.
other_encodings_test_() ->
    [
        {lists:flatten(io_lib:format("~p ~p", [Encoding, Mark])),
            ?_assertMatch({error, _}, megaphone_body:parse(encoded(Body, Encoding, Mark), 10000))}
     || Encoding <- [{utf16, little}, {utf16, big}, {utf32, little}, {utf32, big}],
        Mark <- [true, false],
        Body <- [?BODY("rid='1'", ""), ?BODY("rid='1'", "<!-- c -->"), ?BODY("rid='1'", "<?pi?>")]
    ].

encoded(Body, Encoding, true) -> <<(unicode:encoding_to_bom(Encoding))/binary, (encoded(Body, Encoding, false))/binary>>;
encoded(Body, Encoding, false) -> unicode:characters_to_binary(Body, utf8, Encoding).

%% As much as is taken, and one more.
limits_test_() ->
    [
        {Name, fun() ->
            ?assertMatch({ok, _}, megaphone_body:parse(iolist_to_binary(Make(Most)), 10000)),
            ?assertEqual({error, Error}, megaphone_body:parse(iolist_to_binary(Make(Most + 1)), 10000))
        end}
     || {Name, Error, Most, Make} <- [
            {"attributes of an element", too_complex, 64, fun(N) -> of_body(["<a", attributes(N), "/>"]) end},
            {"attributes of the wrapper", too_complex, 62, fun(N) ->
                ["<body xmlns='http://jabber.org/protocol/httpbind' rid='1'", attributes(N), "/>"]
            end},
            {"namespaces", too_complex, 64, fun(N) -> of_body(["<a", [[" xmlns:a", integer_to_list(I), "='x'"] || I <- lists:seq(1, N)], "/>"]) end},
            %% The wrapper and its two attributes are among them.
            {"elements", too_complex, 9997, fun(N) -> of_body(lists:duplicate(N, "<a/>")) end},
            {"elements, each with text", too_complex, 9997, fun(N) -> of_body(["<a>", lists:duplicate(N - 1, "<b>&amp;</b>"), "</a>"]) end},
            {"elements and attributes", too_complex, 4998, fun(N) -> of_body([lists:duplicate(N, "<a b='c'/>"), "<a/>"]) end},
            {"depth", too_complex, 99, fun(N) -> of_body([lists:duplicate(N, "<a>"), lists:duplicate(N, "</a>")]) end},
            {"an element's name", too_complex, 256, fun(N) -> of_body(["<", lists:duplicate(N, $a), "/>"]) end},
            {"an element's name, twice", too_complex, 256, fun(N) ->
                of_body(["<", lists:duplicate(N, $a), "></", lists:duplicate(N, $a), ">"])
            end},
            {"an attribute's name", too_complex, 256, fun(N) -> of_body(["<a ", lists:duplicate(N, $a), "=''/>"]) end},
            {"white space", not_well_formed, 64, fun(N) -> [lists:duplicate(N, $\n), ?BODY("rid='1'", "")] end}
        ]
    ].

of_body(Payload) -> ["<body xmlns='http://jabber.org/protocol/httpbind' rid='1'>", Payload, "</body>"].

attributes(N) -> [[" a", integer_to_list(I), "='x'"] || I <- lists:seq(1, N)].

%% What is written can be read, whatever is in an attribute's value.
write_test() ->
    Written = megaphone_body:write([{<<"rid">>, 5}, {<<"to">>, <<"a'b\"<&>">>}], <<"<iq/>">>),
    ?assertMatch({ok, #{rid := 5, to := <<"a'b\"<&>">>, els := [{xmlel, <<"iq">>, [], []}]}}, megaphone_body:parse(Written, 10000)).

write_empty_test() ->
    ?assertEqual(<<"<body xmlns='http://jabber.org/protocol/httpbind'/>">>, megaphone_body:write([], [])).
