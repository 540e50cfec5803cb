%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Sessions whose client is gone and may come back to resume its stream (XEP-0198): they have left the index, and are counted
%%% here, each by its process.
-module(megaphone_resumable).

-export([create_table/0, enter/0, leave/0, count/0, sweep/0]).

-define(RESUMABLE, megaphone_resumable).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?RESUMABLE, [named_table, public, set, {write_concurrency, true}]),
    ok.

-spec enter() -> ok.
enter() -> if_there(fun() -> true = ets:insert(?RESUMABLE, {self()}), ok end).

-spec leave() -> ok.
leave() -> if_there(fun() -> true = ets:delete(?RESUMABLE, self()), ok end).

-spec count() -> non_neg_integer().
count() ->
    case ets:info(?RESUMABLE, size) of
        undefined -> 0;
        Size -> Size
    end.

%% @doc Takes out those that were killed.
-spec sweep() -> ok.
sweep() ->
    if_there(fun() -> lists:foreach(fun(Pid) -> ets:delete(?RESUMABLE, Pid) end, [Pid || {Pid} <- ets:tab2list(?RESUMABLE), not is_process_alive(Pid)]) end).

%% There is no table while its owner is restarted.
-spec if_there(fun(() -> ok)) -> ok.
if_there(Fun) ->
    try Fun() catch error:badarg -> ok end.
