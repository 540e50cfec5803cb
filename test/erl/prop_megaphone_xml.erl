%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Documents of all kinds, and what becomes of them when some bytes are wrong: what megaphone_xml reads
%%% of them is what the XML parser reads, and megaphone_markup refuses none that is well-formed.
-module(prop_megaphone_xml).

-export([prop_as_the_parser/0, prop_plain_xml_is_read/0, prop_well_formed_markup_passes/0]).
%% For others that read XML.
-export([any_document/0, damaged/1, sorted/1]).

-include_lib("proper/include/proper.hrl").

-define(PLAIN_NAMES, ["id", "to", "xmlns", "xml:lang"]).
-define(ODD_NAMES, ["xml:space", "xml:id", "xmlns:x", "x:y", "xyz:lang"]).

prop_as_the_parser() ->
    ?FORALL(
        Xml,
        damaged(any_document()),
        case megaphone_xml:read(Xml) of
            unsure -> true;
            {ok, El} -> sorted(El) =:= sorted(fxml_stream:parse_element(Xml))
        end
    ).

prop_plain_xml_is_read() ->
    ?FORALL(
        Xml,
        ?SIZED(Size, document(Size, ?PLAIN_NAMES, plain_text())),
        is_tuple(megaphone_xml:read(Xml))
    ).

prop_well_formed_markup_passes() ->
    ?FORALL(
        Xml,
        damaged(any_document()),
        case megaphone_markup:check(Xml, 10000) of
            ok -> true;
            {error, forbidden_markup} -> true;
            {error, _} -> element(1, fxml_stream:parse_element(Xml)) =:= error
        end
    ).

%% The order of attributes means nothing.
sorted({xmlel, Name, Attrs, Children}) -> {xmlel, Name, lists:sort(Attrs), [sorted(Child) || Child <- Children]};
sorted(Other) -> Other.

any_document() -> ?SIZED(Size, document(Size, ?PLAIN_NAMES ++ ?ODD_NAMES, oneof([plain_text(), odd_text()]))).

document(Size, Names, Text) ->
    ?LET(
        {Name, Attributes, Space, Content},
        {oneof([<<"body">>, <<"message">>, <<"a">>, <<"x-1_Y">>]), attributes(Names), oneof(["", " "]), content(Size, Names, Text)},
        iolist_to_binary(
            case Content of
                empty -> [$<, Name, Attributes, Space, "/>"];
                _ -> [$<, Name, Attributes, Space, $>, Content, "</", Name, $>]
            end
        )
    ).

content(0, _, Text) -> oneof([empty, Text]);
content(Size, Names, Text) -> oneof([empty, list(oneof([Text, ?LAZY(document(Size div 4, Names, Text))]))]).

attributes(Names) ->
    ?LET(
        Attributes,
        list({oneof(Names), oneof(["'", [$"]]), value()}),
        [[" ", Name, "=", Quote, Value, Quote] || {Name, Quote, Value} <- lists:ukeysort(1, Attributes)]
    ).

value() -> oneof([wide(), <<"1573741820">>, <<"http://jabber.org/protocol/httpbind">>, <<"a > b">>, <<"jabber:client">>]).

plain_text() -> oneof([<<"hello">>, <<" ">>, <<"\n\t 'so' \"what\"">>, <<"&apos;a&amp;b&quot;&lt;&gt;">>, <<"&amp;amp;">>, wide()]).

%% Of each width, and next to what is no character.
wide() ->
    Chars = oneof([range(16#80, 16#D7FF), 16#7FF, 16#800, 16#D7FF, 16#E000, 16#FFFD, 16#10000, 16#1FFFE, 16#10FFFF]),
    ?LET(Text, non_empty(list(Chars)), unicode:characters_to_binary(Text)).

odd_text() -> oneof([<<>>, <<"&#39;">>, <<"&nbsp;">>, <<"&amp">>, <<"]]&gt;">>, <<"]]>">>, <<"&lt;]]>">>, <<"\r\n">>, <<"<!-- no -->">>, <<"<?no?>">>, <<"<![CDATA[<]]>">>, <<16#FFFE/utf8>>, <<16#FFFF/utf8>>, <<16#ED, 16#A0, 16#80>>, utf8()]).

%% Some bytes deleted, doubled, followed by a repeated attribute, or exchanged for those that mean something in XML.
damaged(Generator) ->
    ?LET(
        {Binary, Changes},
        {Generator, oneof([[], list({nat(), oneof([delete, double, repeat, "'", "\"", "<", ">", "/", "&", "=", " ", ":", 0, 200])})])},
        lists:foldl(fun damage/2, Binary, Changes)
    ).

damage({At, Change}, Binary) when At < byte_size(Binary) ->
    <<Before:At/binary, Byte, After/binary>> = Binary,
    Instead =
        case Change of
            delete -> [];
            double -> [Byte, Byte];
            repeat -> [Byte, <<" id='1' id='2'">>];
            _ -> Change
        end,
    iolist_to_binary([Before, Instead, After]);
damage(_, Binary) ->
    Binary.
