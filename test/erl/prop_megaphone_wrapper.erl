%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Requests, most of them empty, and what becomes of them when some bytes are wrong: what
%%% megaphone_wrapper understands of them is what the XML parser understands.
-module(prop_megaphone_wrapper).

-export([prop_as_the_parser/0, prop_usual_requests_need_no_parser/0]).

-include_lib("proper/include/proper.hrl").

prop_as_the_parser() ->
    ?FORALL(
        Request,
        damaged(request()),
        case megaphone_wrapper:empty(Request) of
            unsure ->
                true;
            {ok, Attrs} ->
                {xmlel, Name, Parsed, Children} = fxml_stream:parse_element(Request),
                {<<"body">>, lists:sort(Attrs), []} =:= {Name, lists:sort(Parsed), Children}
        end
    ).

prop_usual_requests_need_no_parser() ->
    ?FORALL(
        {Names, End},
        {list(oneof([<<"rid">>, <<"sid">>, <<"xmlns">>, <<"ack">>, <<"key">>, <<"newkey">>])), oneof([<<"/>">>, <<"></body>">>])},
        begin
            Attrs = [{Name, <<"value of ", Name/binary>>} || Name <- lists:usort([<<"rid">> | Names])],
            Request = iolist_to_binary([<<"<body">>, [[" ", Name, "='", Value, "'"] || {Name, Value} <- Attrs], End]),
            {ok, Read} = megaphone_wrapper:empty(Request),
            Attrs =:= lists:sort(Read)
        end
    ).

request() ->
    ?LET(
        {Attributes, Space, End},
        {list(attribute()), oneof(["", " ", "\n", "  "]), oneof([<<"/>">>, ?LET(Content, content(), [$>, Content, <<"</body>">>])])},
        iolist_to_binary([<<"<body ">>, lists:join(" ", Attributes), Space, End])
    ).

attribute() ->
    ?LET(
        {Name, Quote, Value},
        {
            oneof([<<"rid">>, <<"sid">>, <<"xmlns">>, <<"xml:lang">>, <<"xmlns:xmpp">>, <<"xmpp:restart">>, <<"key">>]),
            oneof(["'", "\""]),
            oneof([<<"1573741820">>, <<"http://jabber.org/protocol/httpbind">>, <<"urn:xmpp:xbosh">>, <<>>, <<"a&amp;b">>, utf8()])
        },
        [Name, $=, Quote, Value, Quote]
    ).

content() ->
    oneof([<<>>, <<"<presence/>">>, <<" ">>, <<"text">>, <<"<!-- -->">>]).

%% Some bytes deleted, doubled, or exchanged for those that mean something in XML.
damaged(Generator) ->
    ?LET(
        {Binary, Changes},
        {Generator, oneof([[], list({nat(), oneof([delete, double, "'", "\"", "<", ">", "/", "&", "=", " ", ":", 0, 200])})])},
        lists:foldl(fun damage/2, Binary, Changes)
    ).

damage({At, Change}, Binary) when At < byte_size(Binary) ->
    <<Before:At/binary, Byte, After/binary>> = Binary,
    Instead =
        case Change of
            delete -> [];
            double -> [Byte, Byte];
            _ -> Change
        end,
    iolist_to_binary([Before, Instead, After]);
damage(_, Binary) ->
    Binary.
