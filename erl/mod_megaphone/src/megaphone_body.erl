%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The <body/> wrapper of BOSH (XEP-0124 §6): parsed into a map of typed attributes and its payload
%%% elements, and written around payloads that are XML already.
-module(megaphone_body).

-export([parse/2, rid/1, is_empty/1, extra/1, write/2, attribute/2, escape/1]).

-export_type([request/0, rid/0, xmlel/0]).

-include("megaphone_markup.hrl").

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
-type parse_error() :: megaphone_markup:error() | not_a_body | stray_text | bad_attribute.

-define(NS_BOSH, <<"http://jabber.org/protocol/httpbind">>).
-define(NS_XBOSH, <<"urn:xmpp:xbosh">>).
-define(MAX_RID, 9007199254740991).

%% @doc Parses the body of one HTTP request of at most so many elements and attributes. Attributes that no row of the
%% standard names are ignored.
-spec parse(binary(), MaxParts :: pos_integer()) -> {ok, request()} | {error, parse_error()}.
parse(Binary, MaxParts) ->
    case megaphone_markup:parse(Binary, MaxParts) of
        {ok, El} -> wrapper(El, byte_size(Binary));
        {error, _} = Error -> Error
    end.

-spec wrapper(xmlel(), pos_integer()) -> {ok, request()} | {error, parse_error()}.
wrapper({xmlel, <<"body">>, Attrs, Children}, Bytes) ->
    case lists:keyfind(<<"xmlns">>, 1, Attrs) of
        {_, ?NS_BOSH} -> body(Attrs, Children, Bytes);
        _ -> {error, not_a_body}
    end;
wrapper(_, _) ->
    {error, not_a_body}.

%% @doc Does it ask for nothing but what there is for its client?
-spec is_empty(request()) -> boolean().
is_empty(#{els := Els} = Request) ->
    Els =:= [] andalso extra(Request) =:= 0 andalso not is_map_key(restart, Request).

%% @doc §11: one more may be open if it pauses or ends the session.
-spec extra(request()) -> 0 | 1.
extra(#{pause := _}) -> 1;
extra(#{terminate := _}) -> 1;
extra(_) -> 0.

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

-spec body([{binary(), binary()}], [xmlel() | {xmlcdata, binary()}], pos_integer()) ->
    {ok, request()} | {error, parse_error()}.
body(Attrs, Children, Bytes) ->
    case payloads(Children, []) of
        error ->
            {error, stray_text};
        Els ->
            try lists:foldl(fun(Attr, R) -> put_attribute(Attr, Attrs, R) end, #{els => Els, bytes => Bytes}, Attrs) of
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
is_blank(<<C, Rest/binary>>) when ?IS_SPACE(C) -> is_blank(Rest);
is_blank(Text) -> Text =:= <<>>.

-spec put_attribute({binary(), binary()}, All :: [{binary(), binary()}], map()) -> map().
put_attribute({<<"rid">>, V}, _, R) -> case rid(V) of none -> throw(bad_attribute); Rid -> R#{rid => Rid} end;
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
%% Where OTP 25 finds nothing in a binary, it takes the rest of the process's time slice: every request has this one.
put_attribute({<<"xmlns">>, _}, _, R) -> R;
put_attribute({Name, V}, All, R) ->
    case binary:split(Name, <<":">>) of
        [Prefix, <<"version">>] -> put_xbosh(version, V, is_xbosh(Prefix, All), R);
        [Prefix, <<"restart">>] when V =:= <<"true">>; V =:= <<"1">> -> put_xbosh(restart, true, is_xbosh(Prefix, All), R);
        _ -> R
    end.

-spec put_xbosh(version | restart, binary() | true, boolean(), map()) -> map().
put_xbosh(Key, Value, true, R) -> R#{Key => Value};
put_xbosh(_, _, false, R) -> R.

%% XEP-0206 binds its namespace to `xmpp'. Any prefix will do; and some clients, Swiften and libpurple
%% among them, bind `xmpp' to a namespace that they got wrong.
-spec is_xbosh(Prefix :: binary(), [{binary(), binary()}]) -> boolean().
is_xbosh(<<"xmpp">>, _) -> true;
is_xbosh(Prefix, All) -> lists:member({<<"xmlns:", Prefix/binary>>, ?NS_XBOSH}, All).

%% @doc §14.1: an attribute's value as a rid, a positive integer.
-spec rid(binary()) -> rid() | none.
rid(Value) ->
    try integer(Value, ?MAX_RID) of
        0 -> none;
        Rid -> Rid
    catch
        throw:bad_attribute -> none
    end.

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
