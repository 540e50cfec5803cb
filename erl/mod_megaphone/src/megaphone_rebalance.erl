%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Evens the cluster out: each node that takes sessions and has more than its share is told what to give to whom (megaphone_drain).
-module(megaphone_rebalance).

-export([run/0]).

-define(ASK_MS, 5000).

%% @doc Which nodes give some, and how many. They say anew how many they have: what they told of themselves is up to some seconds
%% old. Where some are at it already, nothing is added to that.
-spec run() -> [{node(), non_neg_integer()}].
run() ->
    Here = [node() || megaphone_cluster:takes_new()],
    {Answers, _} = gen_server:multi_call(Here ++ [Node || {Node, _, _} <- megaphone_cluster:others()], megaphone_drain, load, ?ASK_MS),
    case [{Node, ToGo} || {Node, {_, #{phase := rebalancing, to_go := ToGo}}} <- Answers] of
        [] -> [{Node, give(Node, Shares)} || {Node, Shares} <- megaphone_balance:even([Load || {_, {Load, #{}}} <- Answers])];
        Giving -> Giving
    end.

-spec give(node(), [{node(), pos_integer()}]) -> non_neg_integer().
give(Node, Shares) ->
    try gen_server:call({megaphone_drain, Node}, {rebalance, Shares}, ?ASK_MS) catch exit:_ -> 0 end.
