%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Whether one more session may begin. A stranger, that is a session that has not logged in, proves nothing and
%%% costs a process: strangers are bounded in number here, in time by ejabberd's `negotiation_timeout'. While more
%%% than half of their places are taken, one address has only its share of them, who says no more after a few
%%% seconds gives its place up, and after twice that time everyone does. When all are taken, the oldest makes room
%%% for the newest: a login takes a few round trips, so floods pass by those who do log in. And whoever has
%%% logged in keeps room on this node: none begins where processes or memory run short.
%%%
%%% The hub monitors strangers until they log in, so however one ends, its place is free again. Their table belongs
%%% to megaphone_index: a new hub finds there whom to monitor, and who logs in while there is none is no longer in it.
-module(megaphone_admission).

-export([create_table/0, count/0, forget/1, logged_in/1, stranger/2]).
-export([new/1, found/3, tick/2, check/2, enter/4, leave/2]).
-export([address/1]).

-export_type([admission/0, limits/0, address/0, refusal/0]).

%% A network of IPv6 (/48) is the most that one site is given (RFC 6177).
-type address() :: inet:ip4_address() | {v6, char(), char(), char()}.
%% `per_address' and `memory' (bytes) may be 0: no limit.
-type limits() :: #{strangers := pos_integer(), per_address := non_neg_integer(), memory := non_neg_integer()}.
%% `address': only that address is refused; the others hold for the whole node.
-type refusal() :: strangers | address | processes | memory.

%% A client that logs in sends its next request as soon as it has an answer.
-define(PATIENCE_SECONDS, 5).
%% One that has not logged in by then makes room, if there is need of it.
-define(LOGIN_SECONDS, 10).

-record(admission, {
    limits :: limits(),
    processes :: pos_integer(),
    is_memory_short = false :: boolean(),
    strangers = #{} :: #{pid() => {Monitor :: reference(), address(), Entered :: non_neg_integer()}},
    %% The same, oldest first; time is told in ticks.
    ages = gb_sets:new() :: gb_sets:set({Entered :: non_neg_integer(), pid()}),
    now = 0 :: non_neg_integer(),
    addresses = #{} :: #{address() => pos_integer()},
    %% Who entered in each of the last seconds; the latest first.
    recent = lists:duplicate(?PATIENCE_SECONDS, []) :: [[pid()]]
}).
-opaque admission() :: #admission{}.

-define(STRANGERS, megaphone_strangers).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?STRANGERS, [named_table, public, set, {write_concurrency, true}]),
    ok.

-spec count() -> non_neg_integer().
count() ->
    case ets:info(?STRANGERS, size) of
        undefined -> 0;
        Size -> Size
    end.

%% @doc No stranger any more; the hub is to be told after it, so that one or the other is seen by a new hub.
-spec forget(pid()) -> ok.
forget(Pid) ->
    try ets:delete(?STRANGERS, Pid) of
        true -> ok
    catch
        %% While the table's owner is restarted; then strangers enter anew.
        error:badarg -> ok
    end.

%% @doc As forget/1, of one that has logged in: how long that took, where it is known.
-spec logged_in(pid()) -> {ok, Milliseconds :: non_neg_integer()} | unknown.
logged_in(Pid) ->
    try ets:take(?STRANGERS, Pid) of
        [{_, _, Since}] -> {ok, erlang:monotonic_time(millisecond) - Since};
        [] -> unknown
    catch
        error:badarg -> unknown
    end.

%% @doc One that lived on while there was no table, for a new hub; the hub is to be told after it, as above.
-spec stranger(pid(), address()) -> ok.
stranger(Pid, Address) ->
    %% One that a new hub finds came before.
    try ets:insert_new(?STRANGERS, {Pid, Address, erlang:monotonic_time(millisecond)}) of
        _ -> ok
    catch
        error:badarg -> ok
    end.

%% @doc With the strangers there are; the calling process monitors them.
-spec new(limits()) -> admission().
new(Limits) ->
    Empty = #admission{limits = Limits, processes = max_processes(), is_memory_short = is_memory_short(Limits)},
    lists:foldl(fun({Pid, Address, _}, A) -> found(Pid, Address, A) end, Empty, ets:tab2list(?STRANGERS)).

%% @doc One that another hub let in.
-spec found(pid(), address(), admission()) -> admission().
found(Pid, _, #admission{strangers = Strangers} = A) when is_map_key(Pid, Strangers) -> A;
found(Pid, Address, A) -> enter(Pid, erlang:monitor(process, Pid), Address, A).

%% @doc Of the process table a tenth stays free for all else that the node does.
-spec max_processes() -> pos_integer().
max_processes() ->
    erlang:system_info(process_limit) * 9 div 10.

%% @doc Once a second: takes the limits as they are now; tells who makes room, be it only if silent.
-spec tick(limits(), admission()) -> {[{pid(), silent | any}], admission()}.
tick(Limits, #admission{strangers = Strangers, recent = Recent, now = Now} = A) ->
    {Young, [Old]} = lists:split(?PATIENCE_SECONDS - 1, Recent),
    A1 = A#admission{limits = Limits, is_memory_short = is_memory_short(Limits), recent = [[] | Young], now = Now + 1},
    case is_crowded(A1) of
        true -> {[{Pid, silent} || Pid <- Old, is_map_key(Pid, Strangers)] ++ overdue(A1), A1};
        false -> {[], A1}
    end.

-spec overdue(admission()) -> [{pid(), any}].
overdue(#admission{ages = Ages, now = Now}) ->
    overdue(gb_sets:next(gb_sets:iterator(Ages)), Now - ?LOGIN_SECONDS).

-spec overdue(none | {{non_neg_integer(), pid()}, gb_sets:iter({non_neg_integer(), pid()})}, integer()) -> [{pid(), any}].
overdue({{Entered, Pid}, Younger}, Last) when Entered =< Last -> [{Pid, any} | overdue(gb_sets:next(Younger), Last)];
overdue(_, _) -> [].

-spec is_crowded(admission()) -> boolean().
is_crowded(#admission{limits = #{strangers := Max}, strangers = Strangers} = A) ->
    map_size(Strangers) >= Max div 2 orelse A#admission.is_memory_short orelse are_processes_short(A).

-spec are_processes_short(admission()) -> boolean().
are_processes_short(#admission{processes = Processes}) ->
    erlang:system_info(process_count) >= Processes.

%% Too costly to be asked for each creation.
-spec is_memory_short(limits()) -> boolean().
is_memory_short(#{memory := Memory}) ->
    Memory > 0 andalso erlang:memory(total) > Memory.

%% @doc May one more begin? Perhaps `instead_of' another, who is to leave.
-spec check(address(), admission()) -> ok | {instead_of, pid()} | {refused, refusal()}.
check(_, #admission{is_memory_short = true}) ->
    {refused, memory};
check(Address, #admission{limits = Limits, strangers = Strangers, addresses = Addresses} = A) ->
    #{strangers := Max, per_address := PerAddress} = Limits,
    case are_processes_short(A) of
        true ->
            {refused, processes};
        %% For an address that is not there map_get fails, and so the guard.
        false when PerAddress > 0, map_size(Strangers) >= Max div 2, map_get(Address, Addresses) >= PerAddress ->
            {refused, address};
        false when map_size(Strangers) >= Max ->
            instead_of(A);
        false ->
            ok
    end.

-spec instead_of(admission()) -> {instead_of, pid()} | {refused, strangers}.
instead_of(#admission{ages = Ages, now = Now}) ->
    case gb_sets:smallest(Ages) of
        {Entered, Pid} when Now - Entered >= ?PATIENCE_SECONDS -> {instead_of, Pid};
        _ -> {refused, strangers}
    end.

-spec enter(pid(), Monitor :: reference(), address(), admission()) -> admission().
enter(Pid, Monitor, Address, #admission{strangers = Strangers, ages = Ages, now = Now, addresses = Addresses} = A) ->
    ok = stranger(Pid, Address),
    [Latest | Recent] = A#admission.recent,
    A#admission{
        recent = [[Pid | Latest] | Recent],
        strangers = Strangers#{Pid => {Monitor, Address, Now}},
        ages = gb_sets:add_element({Now, Pid}, Ages),
        addresses = maps:update_with(Address, fun(Count) -> Count + 1 end, 1, Addresses)
    }.

%% @doc It logged in, is gone, or has to go.
-spec leave(pid(), admission()) -> admission().
leave(Pid, #admission{strangers = Strangers, ages = Ages, addresses = Addresses} = A) ->
    case maps:take(Pid, Strangers) of
        {{Monitor, Address, Entered}, Rest} ->
            %% Not flushed, which would read the whole mailbox: word of its end is none for who has left.
            true = erlang:demonitor(Monitor),
            ok = forget(Pid),
            Ages1 = gb_sets:del_element({Entered, Pid}, Ages),
            A#admission{strangers = Rest, ages = Ages1, addresses = fewer(Address, Addresses)};
        error ->
            A
    end.

-spec fewer(address(), #{address() => pos_integer()}) -> #{address() => pos_integer()}.
fewer(Address, Addresses) ->
    case Addresses of
        #{Address := 1} -> maps:remove(Address, Addresses);
        #{Address := Count} -> Addresses#{Address := Count - 1}
    end.

%% @doc What counts as one address.
-spec address(inet:ip_address()) -> address().
address({_, _, _, _} = Address) -> Address;
address({0, 0, 0, 0, 0, 16#FFFF, AB, CD}) -> {AB bsr 8, AB band 255, CD bsr 8, CD band 255};
address({A, B, C, _, _, _, _, _}) -> {v6, A, B, C}.
