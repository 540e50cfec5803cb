%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Frames of all kinds, and what becomes of them when some bytes are wrong: what megaphone_framing reads of them is
%%% what the XML parser reads, and what it writes it reads again.
-module(prop_megaphone_framing).

-export([prop_as_the_parser/0, prop_what_is_written_is_read/0]).

-include_lib("proper/include/proper.hrl").

-define(PARTS, 10000).

prop_as_the_parser() ->
    ?FORALL(
        Frame,
        prop_megaphone_xml:damaged(oneof([prop_megaphone_xml:any_document(), framing()])),
        case {megaphone_framing:read(Frame, ?PARTS), fxml_stream:parse_element(Frame)} of
            {{stanza, El}, Parsed} ->
                prop_megaphone_xml:sorted(El) =:= prop_megaphone_xml:sorted(Parsed);
            {{open, Open}, {xmlel, <<"open">>, Attrs, _}} ->
                Keys = [{to, <<"to">>}, {from, <<"from">>}, {lang, <<"xml:lang">>}, {version, <<"version">>}],
                Open =:= maps:from_list([{Key, V} || {Key, Name} <- Keys, {N, V} <- Attrs, N =:= Name]);
            {close, {xmlel, Name, _, _}} ->
                Name =:= <<"close">>;
            {{error, <<"not-well-formed">>}, Parsed} ->
                element(1, Parsed) =:= error;
            {{error, Condition}, _} ->
                lists:member(Condition, [<<"restricted-xml">>, <<"unsupported-encoding">>, <<"policy-violation">>, <<"invalid-namespace">>, <<"bad-format">>])
        end
    ).

framing() ->
    ?LET(
        {Before, Name, Attributes, Close, After},
        {
            oneof(["", "", " ", "<?xml version='1.0'?>", "\n"]),
            oneof(["open", "close", "stream:stream", "message", "stream:error"]),
            list(oneof([
                " xmlns='urn:ietf:params:xml:ns:xmpp-framing'", " xmlns='jabber:client'", " to='h'", " from=\"a@h\"", " version='1.0'",
                " xml:lang='en'", " xmlns:stream='http://etherx.jabber.org/streams'"
            ])),
            oneof(["/>", "/>", "></open>", "> </close>", ">"]),
            oneof(["", "", " ", "\r\n", "<a/>"])
        },
        iolist_to_binary([Before, $<, Name, Attributes, Close, After])
    ).

%% An element declares what it would have had from its stream.
prop_what_is_written_is_read() ->
    ?FORALL(
        {xmlel, Name, Attrs, Children} = El,
        element(),
        begin
            ok = megaphone_chars:prepare(),
            {Frame, _} = megaphone_framing:element(El),
            {Declared, Namespace} =
                case Name of
                    <<"stream:", _/binary>> -> {<<"xmlns:stream">>, <<"http://etherx.jabber.org/streams">>};
                    _ -> {<<"xmlns">>, <<"jabber:client">>}
                end,
            All = case lists:keymember(Declared, 1, Attrs) of true -> Attrs; false -> [{Declared, Namespace} | Attrs] end,
            {stanza, Read} = megaphone_framing:read(iolist_to_binary(Frame), ?PARTS),
            prop_megaphone_xml:sorted(Read) =:= prop_megaphone_xml:sorted({xmlel, Name, All, Children})
        end
    ).

element() ->
    ?LET(
        {Name, Attrs, Children},
        {oneof([<<"message">>, <<"presence">>, <<"iq">>, <<"r">>, <<"stream:features">>]), attributes(), children()},
        {xmlel, Name, Attrs, Children}
    ).

attributes() ->
    ?LET(
        Attrs,
        list({oneof([<<"to">>, <<"id">>, <<"xmlns">>, <<"xml:lang">>]), ?SUCHTHAT(Text, text(), Text =/= <<>>)}),
        lists:ukeysort(1, Attrs)
    ).

%% Neighbouring texts would come back as one.
children() ->
    ?LET(
        {Text, Inner, Last},
        {list(text()), list({oneof([<<"body">>, <<"x">>]), attributes(), text()}), text()},
        [{xmlcdata, iolist_to_binary(Text)} || iolist_to_binary(Text) =/= <<>>] ++
            [{xmlel, Name, Attrs, [{xmlcdata, T} || T <- [Content], T =/= <<>>]} || {Name, Attrs, Content} <- Inner] ++
            [{xmlcdata, Last} || Last =/= <<>>, Inner =/= []]
    ).

text() ->
    ?LET(
        Chars,
        list(oneof([range($\s, 126), $<, $&, $', $", $>, range(160, 16#D7FF), range(16#10000, 16#10FFFF)])),
        unicode:characters_to_binary(Chars)
    ).
