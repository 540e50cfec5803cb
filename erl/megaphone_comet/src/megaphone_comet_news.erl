%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% What other routers are to be told of this node's ids: the last word on each, and all of them in terms that are not too long.
-module(megaphone_comet_news).

-export([new/0, add/3, terms/1, all/1]).
-export_type([news/0]).

-type id() :: megaphone_comet_id:canonical().
-type news() :: #{id() => login | logout}.
-type told() :: {pid(), login | logout, [id()]}.

%% Ids in one term.
-define(MOST, 1000).

-spec new() -> news().
new() -> #{}.

-spec add(login | logout, id(), news()) -> news().
add(What, Id, News) -> News#{Id => What}.

%% @doc From the calling process.
-spec terms(news()) -> [told()].
terms(News) -> [Term || What <- [logout, login], Term <- told(What, [Id || {Id, W} <- maps:to_list(News), W =:= What])].

%% @doc That it has all of these.
-spec all([id()]) -> [told()].
all(Ids) -> told(login, Ids).

-spec told(login | logout, [id()]) -> [told()].
told(What, Ids) -> [{self(), What, Part} || Part <- parts(Ids)].

-spec parts([id()]) -> [[id()]].
parts([]) ->
    [];
parts(Ids) ->
    %% Not by the length of what is left: of a million ids that would be counted a thousand times.
    Part = lists:sublist(Ids, ?MOST),
    [Part | parts(lists:nthtail(length(Part), Ids))].
