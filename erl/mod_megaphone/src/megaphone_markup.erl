%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the XML parser is given: XML as XMPP has it (RFC 6120 §11), in UTF-8, with no comments,
%%% processing instructions or DTDs (XEP-0124 §6), and no more of anything than stanzas have. One walk
%%% over the bytes; that names match and references are known is left to the parser.
-module(megaphone_markup).

-export([check/1]).

-export_type([error/0]).

-type error() :: not_well_formed | not_utf8 | forbidden_markup | too_complex.

%% No stanza comes near these. Elements in each other, the wrapper among them.
-define(MAX_DEPTH, 100).
%% Of one element, with its namespace declarations.
-define(MAX_ATTRIBUTES, 64).
%% Characters in a name, with its prefix.
-define(MAX_NAME, 256).
%% White space in front of the first tag, and again behind an XML declaration, as megaphone_peek has it.
-define(MAX_SPACE, 64).
-define(MAX_DECLARATION, 256).
-define(IS_SPACE(C), (C =:= $\s orelse C =:= $\t orelse C =:= $\r orelse C =:= $\n)).
%% Of the rest of ASCII.
-define(IS_PRINTED(C), (C >= $\s andalso C < 128 orelse C =:= $\t orelse C =:= $\r orelse C =:= $\n)).
-define(IS_NAME(C), (C > $\s andalso C =/= $= andalso C =/= $/ andalso C =/= $< andalso C =/= $> andalso C =/= $" andalso C =/= $')).

-spec check(binary()) -> ok | {error, error()}.
check(<<16#EF, 16#BB, 16#BF, Rest/binary>>) -> declaration(Rest);
check(Xml) -> declaration(Xml).

%% XML 1.0 §2.8. Nothing but UTF-8 can be declared (RFC 6120 §11.6).
-spec declaration(binary()) -> ok | {error, error()}.
declaration(<<"<?xml", Rest/binary>>) ->
    case binary:split(binary:part(Rest, 0, min(byte_size(Rest), ?MAX_DECLARATION)), <<"?>">>) of
        [Declared, _] ->
            Size = byte_size(Declared) + 2,
            <<_:Size/binary, After/binary>> = Rest,
            case is_utf8(Declared) of
                true -> space(After, ?MAX_SPACE);
                false -> {error, not_utf8}
            end;
        [_] ->
            {error, not_well_formed}
    end;
declaration(Xml) ->
    space(Xml, ?MAX_SPACE).

-spec is_utf8(binary()) -> boolean().
is_utf8(Declared) ->
    Pattern =
        "^\\s+version\\s*=\\s*(['\"])1\\.[0-9]\\1(\\s+encoding\\s*=\\s*(['\"])utf-8\\3)?"
        "(\\s+standalone\\s*=\\s*(['\"])(yes|no)\\5)?\\s*$",
    re:run(Declared, Pattern, [caseless, {capture, none}]) =:= match.

-spec space(binary(), non_neg_integer()) -> ok | {error, error()}.
space(<<C, Rest/binary>>, AtMost) when ?IS_SPACE(C), AtMost > 0 -> space(Rest, AtMost - 1);
space(<<$<, _/binary>> = Xml, _) -> content(Xml, 0);
space(_, _) -> {error, not_well_formed}.

%% Outside of CDATA and of tags a literal `<' always begins markup. `Depth' is how many elements are open.
-spec content(binary(), non_neg_integer()) -> ok | {error, error()}.
content(<<"</", Rest/binary>>, Depth) when Depth > 0 -> end_tag(Rest, 0, Depth - 1);
content(<<"<![CDATA[", Rest/binary>>, Depth) -> cdata(Rest, Depth);
content(<<$<, C, _/binary>>, _) when C =:= $!; C =:= $? -> {error, forbidden_markup};
content(<<$<, Rest/binary>>, Depth) -> name(Rest, 0, Depth);
content(<<C, Rest/binary>>, Depth) when ?IS_PRINTED(C) -> content(Rest, Depth);
content(<<C/utf8, Rest/binary>>, Depth) when C >= 128 -> content(Rest, Depth);
content(<<>>, _) -> ok;
content(Xml, _) -> {error, odd(Xml)}.

-spec cdata(binary(), non_neg_integer()) -> ok | {error, error()}.
cdata(<<"]]>", Rest/binary>>, Depth) -> content(Rest, Depth);
cdata(<<C, Rest/binary>>, Depth) when ?IS_PRINTED(C) -> cdata(Rest, Depth);
cdata(<<C/utf8, Rest/binary>>, Depth) when C >= 128 -> cdata(Rest, Depth);
cdata(Xml, _) -> {error, odd(Xml)}.

-spec end_tag(binary(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
end_tag(<<$>, Rest/binary>>, _, Depth) -> content(Rest, Depth);
end_tag(_, Size, _) when Size > ?MAX_NAME -> {error, too_complex};
end_tag(<<C, Rest/binary>>, Size, Depth) when ?IS_NAME(C), C < 128; ?IS_SPACE(C) -> end_tag(Rest, Size + 1, Depth);
end_tag(<<C/utf8, Rest/binary>>, Size, Depth) when C >= 128 -> end_tag(Rest, Size + 1, Depth);
end_tag(Xml, _, _) -> {error, odd(Xml)}.

-spec name(binary(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
name(_, _, ?MAX_DEPTH) -> {error, too_complex};
name(_, Size, _) when Size > ?MAX_NAME -> {error, too_complex};
name(<<C, Rest/binary>>, Size, Depth) when ?IS_NAME(C), C < 128 -> name(Rest, Size + 1, Depth);
name(<<C/utf8, Rest/binary>>, Size, Depth) when C >= 128 -> name(Rest, Size + 1, Depth);
name(Rest, Size, Depth) when Size > 0 -> tag(Rest, 0, Depth);
name(Xml, _, _) -> {error, odd(Xml)}.

%% Behind an element's name, or an attribute.
-spec tag(binary(), non_neg_integer(), non_neg_integer()) -> ok | {error, error()}.
tag(<<$>, Rest/binary>>, _, Depth) -> content(Rest, Depth + 1);
tag(<<"/>", Rest/binary>>, _, Depth) -> content(Rest, Depth);
tag(<<C, Rest/binary>>, Attributes, Depth) when ?IS_SPACE(C) -> tag(Rest, Attributes, Depth);
tag(_, ?MAX_ATTRIBUTES, _) -> {error, too_complex};
tag(Xml, Attributes, Depth) -> attribute(Xml, 0, Attributes + 1, Depth).

-spec attribute(binary(), non_neg_integer(), pos_integer(), non_neg_integer()) -> ok | {error, error()}.
attribute(_, Size, _, _) when Size > ?MAX_NAME -> {error, too_complex};
attribute(<<C, Rest/binary>>, Size, Attributes, Depth) when ?IS_NAME(C), C < 128 -> attribute(Rest, Size + 1, Attributes, Depth);
attribute(<<C/utf8, Rest/binary>>, Size, Attributes, Depth) when C >= 128 -> attribute(Rest, Size + 1, Attributes, Depth);
attribute(Xml, Size, Attributes, Depth) when Size > 0 -> equals(Xml, Attributes, Depth);
attribute(Xml, _, _, _) -> {error, odd(Xml)}.

-spec equals(binary(), pos_integer(), non_neg_integer()) -> ok | {error, error()}.
equals(<<C, Rest/binary>>, Attributes, Depth) when ?IS_SPACE(C) -> equals(Rest, Attributes, Depth);
equals(<<$=, Rest/binary>>, Attributes, Depth) -> quote(Rest, Attributes, Depth);
equals(Xml, _, _) -> {error, odd(Xml)}.

-spec quote(binary(), pos_integer(), non_neg_integer()) -> ok | {error, error()}.
quote(<<C, Rest/binary>>, Attributes, Depth) when ?IS_SPACE(C) -> quote(Rest, Attributes, Depth);
quote(<<Quote, Rest/binary>>, Attributes, Depth) when Quote =:= $'; Quote =:= $" -> value(Rest, Quote, Attributes, Depth);
quote(Xml, _, _) -> {error, odd(Xml)}.

-spec value(binary(), byte(), pos_integer(), non_neg_integer()) -> ok | {error, error()}.
value(<<Quote, Rest/binary>>, Quote, Attributes, Depth) -> tag(Rest, Attributes, Depth);
value(<<C, Rest/binary>>, Quote, Attributes, Depth) when ?IS_PRINTED(C), C =/= $< -> value(Rest, Quote, Attributes, Depth);
value(<<C/utf8, Rest/binary>>, Quote, Attributes, Depth) when C >= 128 -> value(Rest, Quote, Attributes, Depth);
value(Xml, _, _, _) -> {error, odd(Xml)}.

%% What stands where nothing of the kind may.
-spec odd(binary()) -> error().
odd(<<C/utf8, _/binary>>) when C > 0 -> not_well_formed;
odd(<<>>) -> not_well_formed;
odd(_) -> not_utf8.
