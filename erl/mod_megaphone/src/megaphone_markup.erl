%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the XML parser is given: XML as XMPP has it (RFC 6120 §11), in UTF-8, with no comments,
%%% processing instructions or DTDs (XEP-0124 §6), and no more of anything than stanzas have. One walk
%%% over the bytes; that names match and references are known is left to the parser. Most of what comes is
%%% so plain that it needs neither (megaphone_xml).
-module(megaphone_markup).

-export([parse/2, check/2]).

-export_type([error/0]).

-include("megaphone_markup.hrl").

-type error() :: not_well_formed | not_utf8 | forbidden_markup | too_complex.

%% No stanza comes near these. Elements in each other, the wrapper among them.
-define(MAX_DEPTH, 100).
%% Of one element, with its namespace declarations.
-define(MAX_ATTRIBUTES, 64).
%% Characters in a name, with its prefix.
-define(MAX_NAME, 256).
%% Of the rest of ASCII.
-define(IS_PRINTED(C), (C >= $\s andalso C < 128 orelse C =:= $\t orelse C =:= $\r orelse C =:= $\n)).

%% @doc A document's one element, with at most so many elements and attributes in it. What is plain takes no parser.
-spec parse(binary(), MaxParts :: pos_integer()) -> {ok, megaphone_body:xmlel()} | {error, error()}.
%% Not one of them is shorter than 4 bytes.
parse(Xml, MaxParts) when byte_size(Xml) =< 4 * MaxParts ->
    case megaphone_xml:read(Xml) of
        {ok, El} -> {ok, El};
        unsure -> checked(Xml, MaxParts)
    end;
parse(Xml, MaxParts) ->
    checked(Xml, MaxParts).

-spec checked(binary(), pos_integer()) -> {ok, megaphone_body:xmlel()} | {error, error()}.
checked(Xml, MaxParts) ->
    case check(Xml, MaxParts) of
        ok ->
            case fxml_stream:parse_element(Xml) of
                {error, _} -> {error, not_well_formed};
                El -> {ok, El}
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc At most so many elements and attributes, too.
-spec check(binary(), MaxParts :: pos_integer()) -> ok | {error, error()}.
check(Xml, MaxParts) ->
    case megaphone_prolog:skip(Xml) of
        {none, Document} ->
            content(Document, 0, MaxParts);
        {Declared, Document} ->
            %% Nothing but UTF-8 can be declared (RFC 6120 §11.6).
            case is_utf8(Declared) of
                true -> content(Document, 0, MaxParts);
                false -> {error, not_utf8}
            end;
        none ->
            {error, not_well_formed}
    end.

-spec is_utf8(binary()) -> boolean().
is_utf8(Declared) ->
    Pattern =
        "^\\s+version\\s*=\\s*(['\"])1\\.[0-9]\\1(\\s+encoding\\s*=\\s*(['\"])utf-8\\3)?"
        "(\\s+standalone\\s*=\\s*(['\"])(yes|no)\\5)?\\s*$",
    re:run(Declared, Pattern, [caseless, {capture, none}]) =:= match.

%% Outside of CDATA and of tags a literal `<' always begins markup. `Depth' is how many elements are open,
%% `Room' how many elements and attributes may still come.
-spec content(binary(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
content(<<"</", Rest/binary>>, Depth, Room) when Depth > 0 -> end_tag(Rest, 0, Depth - 1, Room);
content(<<"<![CDATA[", Rest/binary>>, Depth, Room) -> cdata(Rest, Depth, Room);
content(<<$<, C, _/binary>>, _, _) when C =:= $!; C =:= $? -> {error, forbidden_markup};
content(<<$<, _/binary>>, _, 0) -> {error, too_complex};
content(<<$<, Rest/binary>>, Depth, Room) -> name(Rest, 0, Depth, Room - 1);
content(<<C, Rest/binary>>, Depth, Room) when ?IS_PRINTED(C) -> content(Rest, Depth, Room);
content(<<C/utf8, Rest/binary>>, Depth, Room) when C >= 128 -> content(Rest, Depth, Room);
content(<<>>, _, _) -> ok;
content(Xml, _, _) -> {error, odd(Xml)}.

-spec cdata(binary(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
cdata(<<"]]>", Rest/binary>>, Depth, Room) -> content(Rest, Depth, Room);
cdata(<<C, Rest/binary>>, Depth, Room) when ?IS_PRINTED(C) -> cdata(Rest, Depth, Room);
cdata(<<C/utf8, Rest/binary>>, Depth, Room) when C >= 128 -> cdata(Rest, Depth, Room);
cdata(Xml, _, _) -> {error, odd(Xml)}.

-spec end_tag(binary(), non_neg_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
end_tag(<<$>, Rest/binary>>, _, Depth, Room) -> content(Rest, Depth, Room);
end_tag(_, Size, _, _) when Size > ?MAX_NAME -> {error, too_complex};
end_tag(<<C, Rest/binary>>, Size, Depth, Room) when ?IS_NAME(C), C < 128; ?IS_SPACE(C) -> end_tag(Rest, Size + 1, Depth, Room);
end_tag(<<C/utf8, Rest/binary>>, Size, Depth, Room) when C >= 128 -> end_tag(Rest, Size + 1, Depth, Room);
end_tag(Xml, _, _, _) -> {error, odd(Xml)}.

-spec name(binary(), non_neg_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
name(_, _, ?MAX_DEPTH, _) -> {error, too_complex};
name(_, Size, _, _) when Size > ?MAX_NAME -> {error, too_complex};
name(<<C, Rest/binary>>, Size, Depth, Room) when ?IS_NAME(C), C < 128 -> name(Rest, Size + 1, Depth, Room);
name(<<C/utf8, Rest/binary>>, Size, Depth, Room) when C >= 128 -> name(Rest, Size + 1, Depth, Room);
name(Rest, Size, Depth, Room) when Size > 0 -> tag(Rest, 0, Depth, Room);
name(Xml, _, _, _) -> {error, odd(Xml)}.

%% Behind an element's name, or an attribute.
-spec tag(binary(), non_neg_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
tag(<<$>, Rest/binary>>, _, Depth, Room) -> content(Rest, Depth + 1, Room);
tag(<<"/>", Rest/binary>>, _, Depth, Room) -> content(Rest, Depth, Room);
tag(<<C, Rest/binary>>, Attributes, Depth, Room) when ?IS_SPACE(C) -> tag(Rest, Attributes, Depth, Room);
tag(_, Attributes, _, Room) when Attributes =:= ?MAX_ATTRIBUTES; Room =:= 0 -> {error, too_complex};
tag(Xml, Attributes, Depth, Room) -> attribute(Xml, 0, Attributes + 1, Depth, Room - 1).

-spec attribute(binary(), non_neg_integer(), pos_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
attribute(_, Size, _, _, _) when Size > ?MAX_NAME -> {error, too_complex};
attribute(<<C, Rest/binary>>, Size, Attributes, Depth, Room) when ?IS_NAME(C), C < 128 -> attribute(Rest, Size + 1, Attributes, Depth, Room);
attribute(<<C/utf8, Rest/binary>>, Size, Attributes, Depth, Room) when C >= 128 -> attribute(Rest, Size + 1, Attributes, Depth, Room);
attribute(Xml, Size, Attributes, Depth, Room) when Size > 0 -> equals(Xml, Attributes, Depth, Room);
attribute(Xml, _, _, _, _) -> {error, odd(Xml)}.

-spec equals(binary(), pos_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
equals(<<C, Rest/binary>>, Attributes, Depth, Room) when ?IS_SPACE(C) -> equals(Rest, Attributes, Depth, Room);
equals(<<$=, Rest/binary>>, Attributes, Depth, Room) -> quote(Rest, Attributes, Depth, Room);
equals(Xml, _, _, _) -> {error, odd(Xml)}.

-spec quote(binary(), pos_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
quote(<<C, Rest/binary>>, Attributes, Depth, Room) when ?IS_SPACE(C) -> quote(Rest, Attributes, Depth, Room);
quote(<<Quote, Rest/binary>>, Attributes, Depth, Room) when Quote =:= $'; Quote =:= $" -> value(Rest, Quote, Attributes, Depth, Room);
quote(Xml, _, _, _) -> {error, odd(Xml)}.

-spec value(binary(), byte(), pos_integer(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
value(<<Quote, Rest/binary>>, Quote, Attributes, Depth, Room) -> tag(Rest, Attributes, Depth, Room);
value(<<C, Rest/binary>>, Quote, Attributes, Depth, Room) when ?IS_PRINTED(C), C =/= $< -> value(Rest, Quote, Attributes, Depth, Room);
value(<<C/utf8, Rest/binary>>, Quote, Attributes, Depth, Room) when C >= 128 -> value(Rest, Quote, Attributes, Depth, Room);
value(Xml, _, _, _, _) -> {error, odd(Xml)}.

%% What stands where nothing of the kind may.
-spec odd(binary()) -> error().
odd(<<C/utf8, _/binary>>) when C > 0 -> not_well_formed;
odd(<<>>) -> not_well_formed;
odd(_) -> not_utf8.
