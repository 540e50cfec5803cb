%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The processes that are logged in at this node, by id and by process. Ordered: an id with a hundred thousand of them costs each
%%% login no more than one with two. The router's process writes; whoever sends reads.
-module(megaphone_comet_logins).

-export([create/0, add/2, remove/2, ids_of/1, ids_of/2, deliver/2, pids/0, ids/0]).

-type id() :: megaphone_comet_id:canonical().

-define(BY_ID, megaphone_comet_by_id).
-define(BY_PID, megaphone_comet_by_pid).

%% @doc The tables belong to the calling process.
-spec create() -> ok.
create() ->
    _ = ets:new(?BY_ID, [named_table, public, ordered_set, {read_concurrency, true}]),
    _ = ets:new(?BY_PID, [named_table, public, ordered_set]),
    ok.

%% @doc Is it the first of this id?
-spec add(id(), pid()) -> first | more.
add(Id, Pid) ->
    IsFirst = is_free(Id),
    true = ets:insert(?BY_PID, {{Pid, Id}}),
    true = ets:insert(?BY_ID, {{Id, Pid}}),
    case IsFirst of true -> first; false -> more end.

%% @doc Was it the last of this id?
-spec remove(id(), pid()) -> last | more | none.
remove(Id, Pid) ->
    case ets:take(?BY_ID, {Id, Pid}) of
        [] ->
            none;
        [_] ->
            true = ets:delete(?BY_PID, {Pid, Id}),
            case is_free(Id) of true -> last; false -> more end
    end.

-spec ids_of(pid()) -> [id()].
ids_of(Pid) -> ets:select(?BY_PID, [{{{Pid, '$1'}}, [], ['$1']}]).

%% @doc So many of them.
-spec ids_of(pid(), pos_integer()) -> [id()].
ids_of(Pid, Most) ->
    case ets:select(?BY_PID, [{{{Pid, '$1'}}, [], ['$1']}], Most) of
        {Ids, _} -> Ids;
        '$end_of_table' -> []
    end.

%% @doc To all of this id: how many.
-spec deliver(id(), term()) -> non_neg_integer().
%% Numbers are before pids.
deliver(Id, Msg) -> deliver(Id, Msg, ets:next(?BY_ID, {Id, 0}), 0).

-spec deliver(id(), term(), '$end_of_table' | {id(), pid()}, non_neg_integer()) -> non_neg_integer().
deliver(Id, Msg, {Id, Pid} = Key, Count) ->
    _ = Pid ! Msg,
    deliver(Id, Msg, ets:next(?BY_ID, Key), Count + 1);
deliver(_, _, _, Count) ->
    Count.

-spec is_free(id()) -> boolean().
is_free(Id) ->
    case ets:next(?BY_ID, {Id, 0}) of
        {Id, _} -> false;
        _ -> true
    end.

%% @doc Each process.
-spec pids() -> [pid()].
pids() -> lists:usort([Pid || [Pid] <- ets:match(?BY_PID, {{'$1', '_'}})]).

%% @doc Each id.
-spec ids() -> [id()].
ids() -> ids(ets:first(?BY_ID)).

-spec ids('$end_of_table' | {id(), pid()}) -> [id()].
ids('$end_of_table') -> [];
%% Binaries are behind pids.
ids({Id, _}) -> [Id | ids(ets:next(?BY_ID, {Id, <<>>}))].
