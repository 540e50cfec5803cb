%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% An id in the one form in which tables have it: `123', `<<"123">>' and `'123'' are the same, for an URL knows no types.
-module(megaphone_comet_id).

-export([canonical/1, alone/1]).
-export_type([id/0, canonical/0]).

-type id() :: integer() | binary() | atom().
-type canonical() :: integer() | binary().

%% So many digits fit into a word, everywhere.
-define(DIGITS, 18).
%% Bytes that are not worth a copy.
-define(SLACK, 64).

-spec canonical(id()) -> canonical().
canonical(Id) when is_integer(Id) -> Id;
canonical(<<C, _/binary>> = Text) when C >= $1, C =< $9, byte_size(Text) =< ?DIGITS -> number(Text, Text);
canonical(<<$-, C, Digits/binary>> = Text) when C >= $1, C =< $9, byte_size(Text) =< ?DIGITS -> number(Digits, Text);
canonical(<<"0">>) -> 0;
canonical(Text) when is_binary(Text) -> alone(Text);
canonical(Name) when is_atom(Name) -> canonical(atom_to_binary(Name, utf8)).

-spec number(Rest :: binary(), Text :: binary()) -> canonical().
number(<<C, Rest/binary>>, Text) when C >= $0, C =< $9 -> number(Rest, Text);
number(<<>>, Text) -> binary_to_integer(Text);
number(_, Text) -> alone(Text).

%% @doc The same, but no part of something much larger, all of which a table would keep with it.
-spec alone(binary()) -> binary().
alone(Binary) ->
    case binary:referenced_byte_size(Binary) > 2 * byte_size(Binary) + ?SLACK of
        true -> binary:copy(Binary);
        false -> Binary
    end.
