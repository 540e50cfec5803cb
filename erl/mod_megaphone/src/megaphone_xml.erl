%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A request's XML, read without setting up an XML parser, which takes longer than everything else
%%% that happens to most requests. Only the plain XML that most of them are made of is understood: names
%%% in ASCII, without prefix but for `xml:lang', values without references, and text with none but those
%%% that a client needs to write any text. Anything else is `unsure', right or wrong, and left to the parser.
-module(megaphone_xml).

-export([read/1]).

-type xmlel() :: megaphone_body:xmlel().
-type attributes() :: [{Name :: binary(), Value :: binary()}].
-type children() :: [xmlel() | {xmlcdata, binary()}].
%% An element whose end tag is still to come, its children in reverse.
-type open() :: {Name :: binary(), attributes(), children()}.

%% What has more of anything is left to megaphone_markup and the parser.
-define(MAX_DEPTH, 32).
-define(MAX_ATTRIBUTES, 16).
-define(MAX_NAME, 64).
-define(IS_LETTER(C), (C >= $a andalso C =< $z orelse C >= $A andalso C =< $Z)).
-define(IS_QUOTE(C), (C =:= $' orelse C =:= $")).
-define(IS_NAME(C), (?IS_LETTER(C) orelse C >= $0 andalso C =< $9 orelse C =:= $- orelse C =:= $_)).

%% Beyond ASCII, and not the two that are no characters (XML 1.0 §2.2).
-define(IS_WIDE(C), (C >= 128 andalso C < 16#FFFE orelse C > 16#FFFF)).

%% @doc A document of one element. Where this answers at all, the parser finds the same.
-spec read(binary()) -> {ok, xmlel()} | unsure.
read(<<$<, C, Rest/binary>> = Xml) when ?IS_LETTER(C) ->
    name(Rest, Xml, 1, 2, []);
read(_) ->
    unsure.

%% The functions below walk one match context over `Xml'; `At' is how far they are, `From' where what
%% they read began. `Open' are the elements around, innermost first.

-spec name(binary(), binary(), pos_integer(), pos_integer(), [open()]) -> {ok, xmlel()} | unsure.
name(<<C, Rest/binary>>, Xml, From, At, Open) when ?IS_NAME(C), At - From < ?MAX_NAME ->
    name(Rest, Xml, From, At + 1, Open);
name(Rest, Xml, From, At, Open) ->
    tag(Rest, Xml, At, part(Xml, From, At), [], Open).

%% Behind an element's name or one of its attributes.
-spec tag(binary(), binary(), pos_integer(), binary(), attributes(), [open()]) -> {ok, xmlel()} | unsure.
tag(<<$\s, C, Rest/binary>>, Xml, At, Name, Attrs, Open) when ?IS_LETTER(C) ->
    attribute(Rest, Xml, At + 1, At + 2, Name, Attrs, Open);
tag(<<$\s, Rest/binary>>, Xml, At, Name, Attrs, Open) ->
    tag(Rest, Xml, At + 1, Name, Attrs, Open);
tag(<<"/>", Rest/binary>>, Xml, At, Name, Attrs, Open) ->
    closed(Rest, Xml, At + 2, {xmlel, Name, Attrs, []}, Open);
tag(<<$>, Rest/binary>>, Xml, At, Name, Attrs, Open) when length(Open) < ?MAX_DEPTH ->
    content(Rest, Xml, At + 1, [{Name, Attrs, []} | Open]);
tag(_, _, _, _, _, _) ->
    unsure.

-spec attribute(binary(), binary(), pos_integer(), pos_integer(), binary(), attributes(), [open()]) ->
    {ok, xmlel()} | unsure.
attribute(<<C, Rest/binary>>, Xml, From, At, Name, Attrs, Open) when ?IS_NAME(C), At - From < ?MAX_NAME ->
    attribute(Rest, Xml, From, At + 1, Name, Attrs, Open);
attribute(<<$=, Quote, Rest/binary>>, Xml, From, At, Name, Attrs, Open) when ?IS_QUOTE(Quote) ->
    quoted(Rest, Quote, part(Xml, From, At), Xml, At + 2, Name, Attrs, Open);
attribute(<<":lang=", Quote, Rest/binary>>, Xml, From, At, Name, Attrs, Open) when ?IS_QUOTE(Quote), At - From =:= 3 ->
    case binary:part(Xml, From, 3) of
        <<"xml">> -> quoted(Rest, Quote, <<"xml:lang">>, Xml, At + 7, Name, Attrs, Open);
        _ -> unsure
    end;
attribute(_, _, _, _, _, _, _) ->
    unsure.

-spec quoted(binary(), byte(), binary(), binary(), pos_integer(), binary(), attributes(), [open()]) -> {ok, xmlel()} | unsure.
quoted(Rest, Quote, Attr, Xml, At, Name, Attrs, Open) ->
    case is_another(Attr, Attrs, ?MAX_ATTRIBUTES) of
        true -> value(Rest, Quote, Attr, Xml, At, At, Name, Attrs, Open);
        false -> unsure
    end.

%% And there is room for it: what is compared with all the others is one of few.
-spec is_another(binary(), attributes(), non_neg_integer()) -> boolean().
is_another(_, _, 0) -> false;
is_another(_, [], _) -> true;
is_another(Name, [{Name, _} | _], _) -> false;
is_another(Name, [_ | Attrs], Room) -> is_another(Name, Attrs, Room - 1).

-spec value(binary(), byte(), binary(), binary(), pos_integer(), pos_integer(), binary(), attributes(), [open()]) ->
    {ok, xmlel()} | unsure.
value(<<Quote, Rest/binary>>, Quote, Attr, Xml, From, At, Name, Attrs, Open) when At > From ->
    tag(Rest, Xml, At + 1, Name, [{Attr, part(Xml, From, At)} | Attrs], Open);
value(<<C, Rest/binary>>, Quote, Attr, Xml, From, At, Name, Attrs, Open) when
    C >= $\s, C < 127, C =/= Quote, C =/= $<, C =/= $&
->
    value(Rest, Quote, Attr, Xml, From, At + 1, Name, Attrs, Open);
value(<<C/utf8, Rest/binary>>, Quote, Attr, Xml, From, At, Name, Attrs, Open) when ?IS_WIDE(C) ->
    value(Rest, Quote, Attr, Xml, From, At + width(C), Name, Attrs, Open);
value(_, _, _, _, _, _, _, _, _) ->
    unsure.

-spec content(binary(), binary(), pos_integer(), [open(), ...]) -> {ok, xmlel()} | unsure.
content(<<"</", Rest/binary>>, Xml, At, [{Name, Attrs, Children} | Open]) ->
    Size = byte_size(Name),
    case Rest of
        <<Name:Size/binary, $>, Behind/binary>> ->
            closed(Behind, Xml, At + Size + 3, {xmlel, Name, Attrs, lists:reverse(Children)}, Open);
        _ ->
            unsure
    end;
content(<<$<, C, Rest/binary>>, Xml, At, Open) when ?IS_LETTER(C) ->
    name(Rest, Xml, At + 1, At + 2, Open);
content(<<$<, _/binary>>, _, _, _) ->
    unsure;
content(Rest, Xml, At, Open) ->
    text(Rest, Xml, At, At, Open).

%% `>' might end what text may not have in it, `]]>'.
-spec text(binary(), binary(), pos_integer(), pos_integer(), [open(), ...]) -> {ok, xmlel()} | unsure.
text(<<$<, _/binary>> = Rest, Xml, From, At, [{Name, Attrs, Children} | Open]) ->
    content(Rest, Xml, At, [{Name, Attrs, [{xmlcdata, part(Xml, From, At)} | Children]} | Open]);
text(<<C, Rest/binary>>, Xml, From, At, Open) when C >= $\s, C < 127, C =/= $>, C =/= $&; C =:= $\n; C =:= $\t ->
    text(Rest, Xml, From, At + 1, Open);
text(<<C/utf8, Rest/binary>>, Xml, From, At, Open) when ?IS_WIDE(C) ->
    text(Rest, Xml, From, At + width(C), Open);
text(<<$&, _/binary>> = Rest, Xml, From, At, Open) ->
    escaped(Rest, Xml, From, At, [], Open);
text(_, _, _, _, _) ->
    unsure.

%% The same with references; `Before' is what came before the last of them.
-spec escaped(binary(), binary(), pos_integer(), pos_integer(), iodata(), [open(), ...]) -> {ok, xmlel()} | unsure.
escaped(<<$<, _/binary>> = Rest, Xml, From, At, Before, [{Name, Attrs, Children} | Open]) ->
    Text = iolist_to_binary([Before, piece(Xml, From, At)]),
    content(Rest, Xml, At, [{Name, Attrs, [{xmlcdata, Text} | Children]} | Open]);
escaped(<<C, Rest/binary>>, Xml, From, At, Before, Open) when C >= $\s, C < 127, C =/= $>, C =/= $&; C =:= $\n; C =:= $\t ->
    escaped(Rest, Xml, From, At + 1, Before, Open);
escaped(<<C/utf8, Rest/binary>>, Xml, From, At, Before, Open) when ?IS_WIDE(C) ->
    escaped(Rest, Xml, From, At + width(C), Before, Open);
escaped(<<"&apos;", Rest/binary>>, Xml, From, At, Before, Open) ->
    escaped(Rest, Xml, At + 6, At + 6, [Before, piece(Xml, From, At), $'], Open);
escaped(<<"&quot;", Rest/binary>>, Xml, From, At, Before, Open) ->
    escaped(Rest, Xml, At + 6, At + 6, [Before, piece(Xml, From, At), $"], Open);
escaped(<<"&amp;", Rest/binary>>, Xml, From, At, Before, Open) ->
    escaped(Rest, Xml, At + 5, At + 5, [Before, piece(Xml, From, At), $&], Open);
escaped(<<"&lt;", Rest/binary>>, Xml, From, At, Before, Open) ->
    escaped(Rest, Xml, At + 4, At + 4, [Before, piece(Xml, From, At), $<], Open);
escaped(<<"&gt;", Rest/binary>>, Xml, From, At, Before, Open) ->
    escaped(Rest, Xml, At + 4, At + 4, [Before, piece(Xml, From, At), $>], Open);
escaped(_, _, _, _, _, _) ->
    unsure.

%% In UTF-8, of one beyond ASCII.
-spec width(char()) -> 2..4.
width(C) when C < 16#800 -> 2;
width(C) when C < 16#10000 -> 3;
width(_) -> 4.

%% An element ended.
-spec closed(binary(), binary(), pos_integer(), xmlel(), [open()]) -> {ok, xmlel()} | unsure.
closed(Rest, Xml, At, El, [{Name, Attrs, Children} | Open]) ->
    content(Rest, Xml, At, [{Name, Attrs, [El | Children]} | Open]);
closed(<<>>, _, _, El, []) ->
    {ok, El};
closed(_, _, _, _, []) ->
    unsure.

%% A copy: a reference into the request would keep all of it in memory.
-spec part(binary(), non_neg_integer(), non_neg_integer()) -> binary().
part(Xml, From, At) -> binary:copy(piece(Xml, From, At)).

-spec piece(binary(), non_neg_integer(), non_neg_integer()) -> binary().
piece(Xml, From, At) -> binary:part(Xml, From, At - From).
