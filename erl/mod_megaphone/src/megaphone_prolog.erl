%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What may stand in front of the first tag: a byte order mark, an XML declaration and white space
%%% (XML 1.0 §2.8), and not much of any.
-module(megaphone_prolog).

-export([skip/1]).

-include("megaphone_markup.hrl").

-define(MAX_DECLARATION, 256).
-define(MAX_SPACE, 64).

%% @doc What is declared, if anything, and all from the first tag on.
-spec skip(binary()) -> {Declared :: binary() | none, Tag :: binary()} | none.
skip(<<16#EF, 16#BB, 16#BF, Rest/binary>>) -> declaration(Rest);
skip(Xml) -> declaration(Xml).

-spec declaration(binary()) -> {binary() | none, binary()} | none.
declaration(<<"<?xml", Rest/binary>>) ->
    case binary:match(Rest, <<"?>">>, [{scope, {0, min(byte_size(Rest), ?MAX_DECLARATION)}}]) of
        {Size, _} ->
            <<Declared:Size/binary, _:2/binary, Behind/binary>> = Rest,
            space(Behind, ?MAX_SPACE, Declared);
        nomatch ->
            none
    end;
declaration(Xml) ->
    space(Xml, ?MAX_SPACE, none).

-spec space(binary(), non_neg_integer(), binary() | none) -> {binary() | none, binary()} | none.
space(<<C, Rest/binary>>, AtMost, Declared) when ?IS_SPACE(C), AtMost > 0 -> space(Rest, AtMost - 1, Declared);
space(<<$<, _/binary>> = Tag, _, Declared) -> {Declared, Tag};
space(_, _, _) -> none.
