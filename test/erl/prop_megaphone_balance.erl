%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Sessions that move leave the cluster more even than it was, and none is given to two.
-module(prop_megaphone_balance).

-include_lib("proper/include/proper.hrl").

-export([prop_all_are_spread_and_fill_up_who_has_least/0, prop_all_have_their_share_then/0]).

loads() -> ?LET(Counts, list({range(0, 1000), range(1, 10)}), [{N, S, W} || {N, {S, W}} <- lists:zip(lists:seq(1, length(Counts)), Counts)]).

prop_all_are_spread_and_fill_up_who_has_least() ->
    ?FORALL({Count, Loads}, {range(0, 2000), loads()}, begin
        Shares = megaphone_balance:spread(Count, Loads),
        Expected = case Loads of [] -> 0; _ -> Count end,
        Dealt = megaphone_balance:deal(lists:seq(1, Count), Shares),
        All = lists:sum([S || {_, S, _} <- Loads]) + Count,
        Weights = lists:sum([W || {_, _, W} <- Loads]),
        %% Who has more than its share gets none.
        Excess = [N || {N, _} <- Shares, {M, S, W} <- Loads, N =:= M, S > All * W / Weights],
        {Expected, Expected, Expected, []} =:= {lists:sum([N || {_, N} <- Shares]), length(Dealt), length(lists:usort([I || {I, _} <- Dealt])), Excess}
    end).

prop_all_have_their_share_then() ->
    ?FORALL(Loads, loads(), begin
        Plan = megaphone_balance:even(Loads),
        Given = [{From, -N} || {From, Shares} <- Plan, {_, N} <- Shares],
        Taken = [{To, N} || {_, Shares} <- Plan, {To, N} <- Shares],
        All = lists:sum([S || {_, S, _} <- Loads]),
        Weights = lists:sum([W || {_, _, W} <- Loads]),
        %% Each that gives rounds on its own.
        lists:all(fun({Node, S, W}) ->
            After = S + lists:sum([N || {M, N} <- Given ++ Taken, M =:= Node]),
            abs(After - All * W / Weights) =< length(Loads) + 1
        end, Loads)
    end).
