%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% What this node counts, since the application started.
-module(megaphone_comet_stats).

-export([create/0, add/2, all/0]).
-export_type([name/0]).

%% sent: ids that a message went to. nobody: ids without listener. kept: messages in the ring. to_gateways, to_nodes: messages over
%% links. delivered: to processes here. busy: ids that a link had no room for. replayed, gaps: answers to gateways.
-type name() :: sent | nobody | kept | to_gateways | to_nodes | delivered | busy | replayed | gaps.
-define(NAMES, [sent, nobody, kept, to_gateways, to_nodes, delivered, busy, replayed, gaps]).

-spec create() -> ok.
create() ->
    case persistent_term:get(?MODULE, none) of
        none -> persistent_term:put(?MODULE, counters:new(length(?NAMES), [write_concurrency]));
        %% Its keeper was restarted.
        _ -> ok
    end.

-spec add(name(), non_neg_integer()) -> ok.
add(_, 0) -> ok;
add(Name, Count) -> counters:add(persistent_term:get(?MODULE), index(Name), Count).

-spec all() -> #{name() => non_neg_integer()}.
all() ->
    Counters = persistent_term:get(?MODULE),
    maps:from_list([{Name, counters:get(Counters, index(Name))} || Name <- ?NAMES]).

-spec index(name()) -> pos_integer().
index(sent) -> 1;
index(nobody) -> 2;
index(kept) -> 3;
index(to_gateways) -> 4;
index(to_nodes) -> 5;
index(delivered) -> 6;
index(busy) -> 7;
index(replayed) -> 8;
index(gaps) -> 9.
