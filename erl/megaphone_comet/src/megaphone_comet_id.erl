%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% An id in the one form in which tables have it: `123', `<<"123">>' and `'123'' are the same, for an URL knows no types.
-module(megaphone_comet_id).

-export([canonical/1]).
-export_type([id/0, canonical/0]).

-type id() :: integer() | binary() | atom().
-type canonical() :: integer() | binary().

%% So many digits fit into a word, everywhere.
-define(DIGITS, 18).

-spec canonical(id()) -> canonical().
canonical(Id) when is_integer(Id) -> Id;
canonical(<<C, _/binary>> = Text) when C >= $1, C =< $9, byte_size(Text) =< ?DIGITS -> number(Text, Text);
canonical(<<$-, C, Digits/binary>> = Text) when C >= $1, C =< $9, byte_size(Text) =< ?DIGITS -> number(Digits, Text);
canonical(<<"0">>) -> 0;
canonical(Text) when is_binary(Text) -> Text;
canonical(Name) when is_atom(Name) -> canonical(atom_to_binary(Name, utf8)).

-spec number(Rest :: binary(), Text :: binary()) -> canonical().
number(<<C, Rest/binary>>, Text) when C >= $0, C =< $9 -> number(Rest, Text);
number(<<>>, Text) -> binary_to_integer(Text);
number(_, Text) -> Text.
