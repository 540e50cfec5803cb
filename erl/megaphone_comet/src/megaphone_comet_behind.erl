%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Ids of which a gateway missed something, because its link had no room: each once. Whoever sends notes it; the router's process tells
%%% the gateway at which number they are, which then asks for what it missed.
-module(megaphone_comet_behind).

-export([create/0, note/2, is_empty/0, take/2, forget/1]).

-type id() :: megaphone_comet_id:canonical().

%% @doc The table belongs to the calling process.
-spec create() -> ok.
create() ->
    _ = ets:new(?MODULE, [named_table, public, ordered_set, {write_concurrency, true}]),
    ok.

-spec note(node(), [id()]) -> ok.
note(Gateway, Ids) ->
    true = ets:insert(?MODULE, [{{Gateway, Id}} || Id <- Ids]),
    ok.

-spec is_empty() -> boolean().
is_empty() -> ets:first(?MODULE) =:= '$end_of_table'.

%% @doc Up to so many of them, which are not noted any more.
-spec take(node(), pos_integer()) -> [id()].
take(Gateway, Most) ->
    Ids = case ets:select(?MODULE, [{{{Gateway, '$1'}}, [], ['$1']}], Most) of {Some, _} -> Some; '$end_of_table' -> [] end,
    lists:foreach(fun(Id) -> ets:delete(?MODULE, {Gateway, Id}) end, Ids),
    Ids.

%% @doc It is gone, and will be told all when it is back.
-spec forget(node()) -> ok.
forget(Gateway) ->
    true = ets:match_delete(?MODULE, {{Gateway, '_'}}),
    ok.
