%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Session identifiers: `<tag>.<random>'. The tag names the ejabberd node, so that a gateway finds
%%% the node of a session with no table; the rest is unguessable (XEP-0124 §7.2).
-module(megaphone_sid).

-export([new/1, tag/1, peek/1]).

-export_type([sid/0]).

-type sid() :: binary().

%% 18 bytes are 144 bits of randomness and fill base64 without padding.
-define(RANDOM_BYTES, 18).
%% Where a first tag has not ended by here, it is none a client would write.
-define(MAX_TAG_BYTES, 4096).

-spec new(Tag :: binary()) -> sid().
new(Tag) ->
    %% The copy has no room to grow in: it lives as long as the session.
    binary:copy(<<Tag/binary, $., (base64url(crypto:strong_rand_bytes(?RANDOM_BYTES)))/binary>>).

%% @doc First six characters of the base64url SHA-256 of the node's name.
-spec tag(node()) -> binary().
tag(Node) ->
    Digest = base64url(crypto:hash(sha256, atom_to_binary(Node, utf8))),
    binary:part(Digest, 0, 6).

%% @doc The sid in the first tag of a request's body, found without parsing the XML: the hub routes
%% by it, the session parses. Whatever is odd about the tag is `none', and refused by the parser.
-spec peek(binary()) -> {ok, sid()} | none.
peek(<<16#EF, 16#BB, 16#BF, Rest/binary>>) ->
    peek(Rest);
peek(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
    peek(Rest);
peek(<<"<?xml", Rest/binary>>) ->
    case binary:split(Rest, <<"?>">>) of
        [_Declaration, After] -> peek(After);
        [_] -> none
    end;
peek(<<"<", Rest/binary>>) ->
    element_name(binary:part(Rest, 0, min(byte_size(Rest), ?MAX_TAG_BYTES)));
peek(_) ->
    none.

-spec element_name(binary()) -> {ok, sid()} | none.
element_name(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
    attribute(Rest);
element_name(<<C, Rest/binary>>) when C =/= $>, C =/= $/, C =/= $<, C =/= $=, C =/= $", C =/= $' ->
    element_name(Rest);
element_name(_) ->
    none.

%% The value of `sid' is taken as it stands: a sid of ours needs no XML escapes.
-spec attribute(binary()) -> {ok, sid()} | none.
attribute(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
    attribute(Rest);
attribute(<<C, _/binary>>) when C =:= $>; C =:= $/; C =:= $< ->
    none;
attribute(Attributes) ->
    case attribute_name(Attributes, 0) of
        none ->
            none;
        Size ->
            <<Name:Size/binary, Rest/binary>> = Attributes,
            quoted(Name, Rest)
    end.

-spec attribute_name(binary(), non_neg_integer()) -> pos_integer() | none.
attribute_name(Attributes, Size) ->
    case Attributes of
        <<_:Size/binary, C, _/binary>> when C =:= $=; C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
            case Size of
                0 -> none;
                _ -> Size
            end;
        <<_:Size/binary, C, _/binary>> when C =/= $>, C =/= $<, C =/= $", C =/= $' ->
            attribute_name(Attributes, Size + 1);
        _ ->
            none
    end.

-spec quoted(Name :: binary(), binary()) -> {ok, sid()} | none.
quoted(Name, <<C, Rest/binary>>) when C =:= $=; C =:= $\s; C =:= $\t; C =:= $\r; C =:= $\n ->
    quoted(Name, Rest);
quoted(Name, <<Quote, Rest/binary>>) when Quote =:= $"; Quote =:= $' ->
    case binary:split(Rest, <<Quote>>) of
        [Value, _] when Name =:= <<"sid">> -> {ok, Value};
        [_, Next] -> attribute(Next);
        [_] -> none
    end;
quoted(_, _) ->
    none.

-spec base64url(binary()) -> binary().
base64url(Bytes) ->
    << <<(url_safe(C))>> || <<C>> <= base64:encode(Bytes), C =/= $= >>.

-spec url_safe(byte()) -> byte().
url_safe($+) -> $-;
url_safe($/) -> $_;
url_safe(C) -> C.
