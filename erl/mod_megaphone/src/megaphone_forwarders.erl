%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The processes that sessions left behind when they moved to other nodes: for a while each passes on what still comes here.
%%% They are found by their sid, and count nowhere as sessions.
-module(megaphone_forwarders).

-export([create_table/0, enter/1, leave/1, find/1, pids/0, sweep/0]).

-define(FORWARDERS, megaphone_forwarders).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?FORWARDERS, [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}]),
    ok.

%% @doc The calling process was this session. There is no moment in which neither is found.
-spec enter(megaphone_sid:sid()) -> ok.
enter(Sid) ->
    _ = if_there(fun() -> ets:insert(?FORWARDERS, {Sid, self()}) end, true),
    megaphone_sessions:close(Sid, self()).

-spec leave(megaphone_sid:sid()) -> ok.
leave(Sid) ->
    ok = megaphone_moved:moved_on(Sid),
    true = if_there(fun() -> ets:delete_object(?FORWARDERS, {Sid, self()}) end, true),
    ok.

-spec find(megaphone_sid:sid()) -> {ok, pid()} | none.
find(Sid) ->
    case if_there(fun() -> ets:lookup(?FORWARDERS, Sid) end, []) of
        [{_, Pid}] -> {ok, Pid};
        [] -> none
    end.

-spec pids() -> #{pid() => []}.
pids() ->
    maps:from_list([{Pid, []} || {_, Pid} <- if_there(fun() -> ets:tab2list(?FORWARDERS) end, [])]).

%% @doc Takes out those that were killed.
-spec sweep() -> ok.
sweep() ->
    Dead = [Row || {_, Pid} = Row <- if_there(fun() -> ets:tab2list(?FORWARDERS) end, []), not is_process_alive(Pid)],
    lists:foreach(fun(Row) -> if_there(fun() -> ets:delete_object(?FORWARDERS, Row) end, true) end, Dead).

%% There is no table while its owner is restarted.
-spec if_there(fun(() -> Result), Result) -> Result.
if_there(Fun, Else) ->
    try Fun() catch error:badarg -> Else end.
