%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How many sessions go where, so that each node has as many for its weight as the others: of a node that is emptied, or of all.
-module(megaphone_balance).

-export([spread/2, even/1, deal/2]).

-type load() :: {node(), Sessions :: non_neg_integer(), Weight :: non_neg_integer()}.
-type share() :: {node(), pos_integer()}.

%% @doc So many, to these.
-spec spread(non_neg_integer(), [load()]) -> [share()].
spread(Count, Loads) ->
    Deficits = [{Node, max(0.0, Fair - Sessions)} || {{Node, Sessions, _}, Fair} <- fair(Count, Loads)],
    divide(Count, Deficits).

%% @doc What each that has more than its share gives to those that have less.
-spec even([load()]) -> [{From :: node(), [share()]}].
even(Loads) ->
    Fair = fair(0, Loads),
    Deficits = [{Node, max(0.0, Share - Sessions)} || {{Node, Sessions, _}, Share} <- Fair],
    Shares = [{Node, divide(Sessions - ceil(Share), Deficits)} || {{Node, Sessions, _}, Share} <- Fair, Sessions > ceil(Share)],
    [Given || {_, [_ | _]} = Given <- Shares].

%% @doc One after the other, so that none of the nodes gets its share at once.
-spec deal([Item], [share()]) -> [{Item, node()}].
deal(Items, Shares) ->
    Turns = lists:sort([{I / Count, Node} || {Node, Count} <- Shares, I <- lists:seq(1, Count)]),
    zip(Items, [Node || {_, Node} <- Turns]).

-spec zip([Item], [node()]) -> [{Item, node()}].
zip([Item | Items], [Node | Nodes]) -> [{Item, Node} | zip(Items, Nodes)];
zip(_, _) -> [].

%% What each would have, with so many more.
-spec fair(non_neg_integer(), [load()]) -> [{load(), float()}].
fair(More, Loads) ->
    All = lists:sum([Sessions || {_, Sessions, _} <- Loads]) + More,
    case lists:sum([Weight || {_, _, Weight} <- Loads]) of
        0 -> [];
        Weights -> [{Load, All * Weight / Weights} || {_, _, Weight} = Load <- Loads]
    end.

%% In proportion; what is left by rounding goes to those that lack most, by one.
-spec divide(non_neg_integer(), [{node(), float()}]) -> [share()].
divide(Count, Deficits) ->
    case lists:sum([D || {_, D} <- Deficits]) of
        Sum when Count > 0, Sum > 0 ->
            Floors = [{Node, floor(Count * D / Sum)} || {Node, D} <- lists:reverse(lists:keysort(2, Deficits)), D > 0],
            Shares = add(Count - lists:sum([N || {_, N} <- Floors]), Floors),
            [Share || {_, N} = Share <- Shares, N > 0];
        _ ->
            []
    end.

-spec add(non_neg_integer(), [{node(), non_neg_integer()}]) -> [{node(), non_neg_integer()}].
add(Left, [{Node, N} | Shares]) when Left > 0 -> [{Node, N + 1} | add(Left - 1, Shares)];
add(_, Shares) -> Shares.
