%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What is read of a body without parsing it: the sid and the rid in its first tag. The hub routes by
%%% them, and works for everybody: it never looks further than a first tag can reach, however large the
%%% body is. The gateway reads sids likewise; test/vectors/first-tags.jsonl holds for both.
%%%
%%% Whatever is odd about the tag is `none', and refused by the session that parses.
-module(megaphone_peek).

-export([sid/1, rid/1]).

-include("megaphone_markup.hrl").

%% Where a first tag has not ended by here, it is none a client would write.
-define(REACH, 4096).
-define(MAX_SID, 128).

%% @doc Taken as it stands: a sid of ours needs no XML escapes.
-spec sid(binary()) -> {ok, megaphone_sid:sid()} | none.
sid(Body) ->
    case attribute(<<"sid">>, Body) of
        {ok, Sid} when byte_size(Sid) =< ?MAX_SID ->
            case is_plain(Sid) of
                true -> {ok, Sid};
                false -> none
            end;
        _ ->
            none
    end.

-spec rid(binary()) -> megaphone_body:rid() | none.
rid(Body) ->
    case attribute(<<"rid">>, Body) of
        {ok, Rid} -> megaphone_body:rid(Rid);
        none -> none
    end.

-spec is_plain(binary()) -> boolean().
is_plain(<<C, Rest/binary>>) when C > $\s, C < 127, C =/= $&, C =/= $< -> is_plain(Rest);
is_plain(Rest) -> Rest =:= <<>>.

-spec attribute(Name :: binary(), binary()) -> {ok, binary()} | none.
attribute(Wanted, Body) ->
    case megaphone_prolog:skip(binary:part(Body, 0, min(byte_size(Body), ?REACH))) of
        {_, <<$<, C, Tag/binary>>} when ?IS_NAME(C), C =/= $?, C =/= $! -> attributes(behind_name(Tag), Wanted);
        _ -> none
    end.

-spec space(binary()) -> binary().
space(<<C, Rest/binary>>) when ?IS_SPACE(C) -> space(Rest);
space(Rest) -> Rest.

-spec behind_name(binary()) -> binary().
behind_name(<<C, Rest/binary>>) when ?IS_NAME(C) -> behind_name(Rest);
behind_name(Rest) -> Rest.

%% XML 1.0 §3.1: white space in front of each attribute; `/' or `>' ends the tag.
-spec attributes(binary(), Wanted :: binary()) -> {ok, binary()} | none.
attributes(<<C, Rest/binary>>, Wanted) when ?IS_SPACE(C) ->
    At = space(Rest),
    case name_size(At, 0) of
        0 ->
            none;
        Size ->
            <<Name:Size/binary, Behind/binary>> = At,
            equals(space(Behind), Name, Wanted)
    end;
attributes(_, _) ->
    none.

-spec equals(binary(), Name :: binary(), Wanted :: binary()) -> {ok, binary()} | none.
equals(<<$=, Rest/binary>>, Name, Wanted) ->
    case space(Rest) of
        <<Quote, At/binary>> when Quote =:= $"; Quote =:= $' ->
            case value_size(At, Quote, 0) of
                none ->
                    none;
                Size when Name =:= Wanted ->
                    {ok, binary:part(At, 0, Size)};
                Size ->
                    <<_:Size/binary, _, Next/binary>> = At,
                    attributes(Next, Wanted)
            end;
        _ ->
            none
    end;
equals(_, _, _) ->
    none.

-spec value_size(binary(), byte(), non_neg_integer()) -> non_neg_integer() | none.
value_size(<<Quote, _/binary>>, Quote, Size) -> Size;
value_size(<<_, Rest/binary>>, Quote, Size) -> value_size(Rest, Quote, Size + 1);
value_size(<<>>, _, _) -> none.

-spec name_size(binary(), non_neg_integer()) -> non_neg_integer().
name_size(<<C, Rest/binary>>, Size) when ?IS_NAME(C) -> name_size(Rest, Size + 1);
name_size(_, Size) -> Size.
