%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_framing: each row has examples here; and what is written for a client.
-module(megaphone_framing_tests).

-include_lib("eunit/include/eunit.hrl").

-define(PARTS, 50).
-define(FRAMING, "xmlns='urn:ietf:params:xml:ns:xmpp-framing'").

examples(<<"<open/> or <close/>", _/binary>>) ->
    ["<open " ?FRAMING " to='h' version='1.0'/>", "<open to='h'/>", "<open " ?FRAMING "></open>", "<close " ?FRAMING "/>", "<close/>"];
examples(<<"the same, of another", _/binary>>) ->
    ["<open xmlns='jabber:client' to='h'/>", "<close xmlns='urn:x'/>"];
examples(<<"<stream:stream/>", _/binary>>) ->
    ["<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='h'/>", "<stream:stream xmlns:stream='urn:x'></stream:stream>"];
examples(<<"any other element", _/binary>>) ->
    ["<message to='a@b'><body>hi</body></message>", "<iq xmlns='jabber:client' type='get'/>", "<a:b xmlns:a='urn:x'/>", "<x:open xmlns:x='urn:x'/>"];
examples(<<"white space", _/binary>>) ->
    [" <a/>", "<a/> ", "\r\n\t<message/>\n", "\n<a>\n</a>"];
examples(<<"no element", _/binary>>) ->
    ["", " ", "x", "x<a/>", "<a/>x", "<a/><a/>", "<a", "<a>", "<a></b>", "</a>", "<a b=c/>", "<a b='1' b='2'/>", "<x:a/>",
     "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='h'>", "<a>&unknown;</a>", [$<, $a, $>, 1, "</a>"]];
examples(<<"comments", _/binary>>) ->
    ["<a><!-- no --></a>", "<a/><?no?>", "<!DOCTYPE a><a/>", "<!-- no --><a/>"];
examples(<<"what is no UTF-8", _/binary>>) ->
    [["<a>", 200, "</a>"], "<?xml version='1.0' encoding='latin1'?><a/>"];
examples(<<"more of anything", _/binary>>) ->
    [["<a>", lists:duplicate(?PARTS, "<b/>"), "</a>"], [lists:duplicate(101, "<a>"), lists:duplicate(101, "</a>")]].

read(Frame) -> megaphone_framing:read(iolist_to_binary(Frame), ?PARTS).

table_test_() ->
    [
        {lists:flatten(io_lib:format("~ts: ~p", [Row, lists:sublist(binary_to_list(iolist_to_binary(Example)), 60)])), fun() -> ?assertEqual(Cell, what(Example, read(Example))) end}
     || {Row, [{_, Cell}]} <- megaphone_table:read(megaphone_framing), Example <- examples(Row)
    ].

what(_, {open, #{}}) -> <<"open, close">>;
what(_, close) -> <<"open, close">>;
what(_, {error, Condition}) -> Condition;
what(Example, {stanza, {xmlel, Name, Attrs, Children}}) ->
    %% The same without what is around it.
    Trimmed = string:trim(iolist_to_binary(Example)),
    {xmlel, ExpectedName, Expected, ExpectedChildren} = fxml_stream:parse_element(Trimmed),
    ?assertEqual({ExpectedName, lists:sort(Expected), ExpectedChildren}, {Name, lists:sort(Attrs), Children}),
    case Trimmed =:= iolist_to_binary(Example) of true -> <<"stanza">>; false -> same end.

what_an_open_says_test() ->
    ?assertEqual({open, #{}}, read("<open " ?FRAMING "/>")),
    ?assertEqual(
        {open, #{to => <<"h">>, from => <<"a@h">>, lang => <<"en">>, version => <<"1.0">>}},
        read("<open " ?FRAMING " to='h' from='a@h' xml:lang='en' version='1.0' id='ignored'/>")
    ).

%% As many as are allowed, and not one more.
parts_test() ->
    ?assertMatch({stanza, _}, read(["<a>", lists:duplicate(?PARTS - 1, "<b/>"), "</a>"])).

%% What a stream sends, as it would be told to the parser at the other side.
written(El) ->
    {Frame, Kind} = megaphone_framing:element(El),
    {xmlel, Name, Attrs, Children} = fxml_stream:parse_element(Frame),
    {Kind, Name, lists:sort(Attrs), Children}.

each_frame_declares_its_namespaces_test() ->
    ok = megaphone_chars:prepare(),
    Client = {<<"xmlns">>, <<"jabber:client">>},
    Streams = {<<"xmlns:stream">>, <<"http://etherx.jabber.org/streams">>},
    Body = [{xmlel, <<"body">>, [], [{xmlcdata, <<"a<b">>}]}],
    ?assertEqual({stanza, <<"message">>, [Client], Body}, written({xmlel, <<"message">>, [], Body})),
    ?assertEqual({stanza, <<"message">>, [Client], []}, written({xmlel, <<"message">>, [Client], []})),
    ?assertEqual({presence, <<"presence">>, [{<<"from">>, <<"a">>}, Client], []}, written({xmlel, <<"presence">>, [{<<"from">>, <<"a">>}], []})),
    ?assertEqual({stanza, <<"r">>, [{<<"xmlns">>, <<"urn:xmpp:sm:3">>}], []}, written({xmlel, <<"r">>, [{<<"xmlns">>, <<"urn:xmpp:sm:3">>}], []})),
    ?assertEqual({stream, <<"stream:features">>, [Streams], Body}, written({xmlel, <<"stream:features">>, [], Body})),
    ?assertEqual({stream, <<"stream:features">>, [Streams], []}, written({xmlel, <<"stream:features">>, [Streams], []})).

what_is_no_character_of_xml_is_replaced_test() ->
    ok = megaphone_chars:prepare(),
    ?assertMatch({stanza, _, _, [{xmlcdata, <<16#FFFD/utf8>>}]}, written({xmlel, <<"message">>, [], [{xmlcdata, <<0>>}]})),
    ?assertMatch({xmlel, _, _, _}, fxml_stream:parse_element(megaphone_framing:open([{<<"id">>, <<1>>}]))).

open_and_close_test() ->
    ok = megaphone_chars:prepare(),
    Header = [{<<"xmlns">>, <<"jabber:client">>}, {<<"xmlns:stream">>, <<"urn:x">>}, {<<"id">>, <<"'">>}, {<<"from">>, <<"h">>}],
    {xmlel, <<"open">>, Attrs, []} = fxml_stream:parse_element(megaphone_framing:open(Header)),
    ?assertEqual([{<<"from">>, <<"h">>}, {<<"id">>, <<"'">>}, {<<"xmlns">>, <<"urn:ietf:params:xml:ns:xmpp-framing">>}], lists:sort(Attrs)),
    ?assertEqual(close, read(megaphone_framing:close())).

an_error_of_the_stream_test() ->
    ok = megaphone_chars:prepare(),
    ?assertMatch(
        {stanza, {xmlel, <<"stream:error">>, [{<<"xmlns:stream">>, _}], [{xmlel, <<"conflict">>, [{<<"xmlns">>, <<"urn:ietf:params:xml:ns:xmpp-streams">>}], []}]}},
        read(megaphone_framing:error(<<"conflict">>))
    ).
