%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The <body/> wrapper of BOSH (XEP-0124 §6): parsed into a map of typed attributes and its payload
%%% elements, and written around payloads that are XML already.
-module(megaphone_body).

-export([parse/1, rid/1, write/2, attribute/2, escape/1]).

-export_type([request/0, rid/0, xmlel/0, parse_error/0]).

-type rid() :: 0..9007199254740991.
-type xmlel() :: {xmlel, binary(), [{binary(), binary()}], [xmlel() | {xmlcdata, binary()}]}.
%% Of the attributes only those that the request has.
-type request() :: #{
    rid := rid(),
    els := [xmlel()],
    %% Of the whole request.
    bytes := pos_integer(),
    sid => binary(),
    to => binary(),
    from => binary(),
    lang => binary(),
    content => binary(),
    ver => {non_neg_integer(), non_neg_integer()},
    wait => non_neg_integer(),
    hold => non_neg_integer(),
    pause => non_neg_integer(),
    ack => rid(),
    key => binary(),
    newkey => binary(),
    terminate => true,
    restart => true,
    version => binary()
}.
-type parse_error() :: not_well_formed | forbidden_markup | not_a_body | stray_text | bad_attribute.

-define(NS_BOSH, <<"http://jabber.org/protocol/httpbind">>).
-define(NS_XBOSH, <<"urn:xmpp:xbosh">>).
-define(MAX_RID, 9007199254740991).

%% @doc Parses the body of one HTTP request. Attributes that no row of the standard names are ignored.
-spec parse(binary()) -> {ok, request()} | {error, parse_error()}.
parse(Binary) ->
    Bytes = byte_size(Binary),
    case megaphone_xml:read(Binary) of
        {ok, El} ->
            wrapper(El, Bytes);
        unsure ->
            case allowed_markup(Binary) of
                true -> wrapper(fxml_stream:parse_element(Binary), Bytes);
                false -> {error, forbidden_markup}
            end
    end.

-spec wrapper(xmlel() | {error, term()}, pos_integer()) -> {ok, request()} | {error, parse_error()}.
wrapper({xmlel, <<"body">>, Attrs, Children}, Bytes) ->
    case lists:keyfind(<<"xmlns">>, 1, Attrs) of
        {_, ?NS_BOSH} -> body(Attrs, Children, Bytes);
        _ -> {error, not_a_body}
    end;
wrapper({xmlel, _, _, _}, _) ->
    {error, not_a_body};
wrapper({error, _}, _) ->
    {error, not_well_formed}.

%% @doc A whole <body/> with attributes in the order given; values are escaped here, payloads are not.
-spec write([{binary(), binary() | integer()}], iodata()) -> binary().
write(Attrs, Payload) ->
    Head = [<<"<body xmlns='http://jabber.org/protocol/httpbind'">> | [attribute(N, V) || {N, V} <- Attrs]],
    case iolist_size(Payload) of
        0 -> iolist_to_binary([Head, <<"/>">>]);
        _ -> iolist_to_binary([Head, $>, Payload, <<"</body>">>])
    end.

-spec attribute(binary(), binary() | integer()) -> iolist().
attribute(Name, Value) when is_integer(Value) ->
    [$\s, Name, <<"='">>, integer_to_binary(Value), $'];
attribute(Name, Value) ->
    [$\s, Name, <<"='">>, escape(Value), $'].

-spec escape(binary()) -> iodata().
escape(Value) ->
    fxml:crypt(Value).

%% Comments, processing instructions and DTDs are not allowed (§6); the parser would skip some of
%% them silently. Outside of CDATA a literal `<' always begins markup, so looking for it is exact.
-spec allowed_markup(binary()) -> boolean().
allowed_markup(Binary) ->
    no_markup(after_declaration(Binary)).

%% An XML declaration in front is accepted.
-spec after_declaration(binary()) -> binary().
after_declaration(<<"<?xml", C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
    case binary:split(Rest, <<"?>">>) of
        [_, After] -> After;
        [_] -> <<"<?">>
    end;
after_declaration(Binary) ->
    Binary.

-spec no_markup(binary()) -> boolean().
no_markup(Binary) ->
    case binary:match(Binary, [<<"<!">>, <<"<?">>]) of
        nomatch ->
            true;
        {At, _} ->
            case Binary of
                <<_:At/binary, "<![CDATA[", Rest/binary>> ->
                    case binary:split(Rest, <<"]]>">>) of
                        [_, After] -> no_markup(After);
                        [_] -> false
                    end;
                _ ->
                    false
            end
    end.

-spec body([{binary(), binary()}], [xmlel() | {xmlcdata, binary()}], pos_integer()) ->
    {ok, request()} | {error, parse_error()}.
body(Attrs, Children, Bytes) ->
    case payloads(Children, []) of
        error ->
            {error, stray_text};
        Els ->
            XBosh = xbosh_prefix(Attrs),
            try lists:foldl(fun(Attr, R) -> put_attribute(Attr, XBosh, R) end, #{els => Els, bytes => Bytes}, Attrs) of
                #{rid := _} = Request -> {ok, Request};
                #{} -> {error, bad_attribute}
            catch
                throw:bad_attribute -> {error, bad_attribute}
            end
    end.

%% §6: no character data directly in the wrapper; white space between payloads is no data.
-spec payloads([xmlel() | {xmlcdata, binary()}], [xmlel()]) -> [xmlel()] | error.
payloads([{xmlel, Name, Attrs, Children} | Rest], Els) ->
    payloads(Rest, [{xmlel, Name, Attrs, Children} | Els]);
payloads([{xmlcdata, Text} | Rest], Els) ->
    case is_blank(Text) of
        true -> payloads(Rest, Els);
        false -> error
    end;
payloads([], Els) ->
    lists:reverse(Els).

-spec is_blank(binary()) -> boolean().
is_blank(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n -> is_blank(Rest);
is_blank(Text) -> Text =:= <<>>.

%% XEP-0206 binds its namespace to `xmpp', but any prefix will do.
-spec xbosh_prefix([{binary(), binary()}]) -> binary().
xbosh_prefix(Attrs) ->
    case lists:keyfind(?NS_XBOSH, 2, Attrs) of
        {<<"xmlns:", Prefix/binary>>, _} -> Prefix;
        _ -> <<>>
    end.

-spec put_attribute({binary(), binary()}, binary(), map()) -> map().
put_attribute({<<"rid">>, V}, _, R) -> R#{rid => integer(V, ?MAX_RID)};
put_attribute({<<"sid">>, V}, _, R) -> R#{sid => V};
put_attribute({<<"ack">>, V}, _, R) -> R#{ack => integer(V, ?MAX_RID)};
put_attribute({<<"wait">>, V}, _, R) -> R#{wait => integer(V, ?MAX_RID)};
put_attribute({<<"hold">>, V}, _, R) -> R#{hold => integer(V, ?MAX_RID)};
put_attribute({<<"pause">>, V}, _, R) -> R#{pause => integer(V, ?MAX_RID)};
put_attribute({<<"ver">>, V}, _, R) -> R#{ver => version(V)};
put_attribute({<<"to">>, V}, _, R) -> R#{to => V};
put_attribute({<<"from">>, V}, _, R) -> R#{from => V};
put_attribute({<<"content">>, V}, _, R) -> R#{content => V};
put_attribute({<<"key">>, V}, _, R) -> R#{key => V};
put_attribute({<<"newkey">>, V}, _, R) -> R#{newkey => V};
put_attribute({<<"xml:lang">>, V}, _, R) -> R#{lang => V};
put_attribute({<<"type">>, <<"terminate">>}, _, R) -> R#{terminate => true};
put_attribute({Name, V}, XBosh, R) ->
    Size = byte_size(XBosh),
    case Name of
        <<XBosh:Size/binary, ":version">> -> R#{version => V};
        <<XBosh:Size/binary, ":restart">> when V =:= <<"true">>; V =:= <<"1">> -> R#{restart => true};
        _ -> R
    end.

%% @doc §14.1: an attribute's value as a rid.
-spec rid(binary()) -> rid() | none.
rid(Value) ->
    try integer(Value, ?MAX_RID) catch throw:bad_attribute -> none end.

-spec integer(binary(), non_neg_integer()) -> non_neg_integer().
integer(<<First, _/binary>> = Value, Max) when First >= $0, First =< $9, byte_size(Value) =< 16 ->
    try binary_to_integer(Value) of
        N when N >= 0, N =< Max -> N;
        _ -> throw(bad_attribute)
    catch
        error:badarg -> throw(bad_attribute)
    end;
integer(_, _) ->
    throw(bad_attribute).

%% §7.1: the numbers are separate integers, 1.10 is higher than 1.9.
-spec version(binary()) -> {non_neg_integer(), non_neg_integer()}.
version(Value) ->
    case binary:split(Value, <<".">>) of
        [Major, Minor] -> {integer(Major, ?MAX_RID), integer(Minor, ?MAX_RID)};
        [_] -> throw(bad_attribute)
    end.
