%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Whether one more session may begin. A stranger, that is a session that has not logged in, proves nothing and
%%% costs a process: strangers are bounded in number here, in time by ejabberd's `negotiation_timeout'. While more
%%% than half of their places are taken, one address has only its share of them, and who says no more after a few
%%% seconds gives its place up. And whoever has logged in keeps room on this node: none begins where processes or
%%% memory run short.
%%%
%%% The hub monitors strangers until they log in, so however one ends, its place is free again. Their table belongs
%%% to megaphone_index: a new hub finds there whom to monitor, and who logs in while there is none is no longer in it.
-module(megaphone_admission).

-export([create_table/0, count/0, logged_in/1, stranger/2]).
-export([new/1, found/3, tick/2, check/2, enter/4, leave/2]).
-export([address/1]).

-export_type([admission/0, limits/0, address/0, refusal/0]).

%% A network of IPv6 (/64) is one customer's.
-type address() :: inet:ip4_address() | {v6, char(), char(), char(), char()}.
%% `per_address' and `memory' (bytes) may be 0: no limit.
-type limits() :: #{strangers := pos_integer(), per_address := non_neg_integer(), memory := non_neg_integer()}.
%% `address': only that address is refused; the others hold for the whole node.
-type refusal() :: strangers | address | processes | memory.

%% A client that logs in sends its next request as soon as it has an answer.
-define(PATIENCE_SECONDS, 5).

-record(admission, {
    limits :: limits(),
    processes :: pos_integer(),
    is_memory_short = false :: boolean(),
    strangers = #{} :: #{pid() => {Monitor :: reference(), address()}},
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
-spec logged_in(pid()) -> ok.
logged_in(Pid) ->
    try ets:delete(?STRANGERS, Pid) of
        true -> ok
    catch
        %% While the table's owner is restarted; then strangers enter anew.
        error:badarg -> ok
    end.

%% @doc One that lived on while there was no table, for a new hub; the hub is to be told after it, as above.
-spec stranger(pid(), address()) -> ok.
stranger(Pid, Address) ->
    try ets:insert(?STRANGERS, {Pid, Address}) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc With the strangers there are; the calling process monitors them.
-spec new(limits()) -> admission().
new(Limits) ->
    Empty = #admission{limits = Limits, processes = max_processes(), is_memory_short = is_memory_short(Limits)},
    lists:foldl(fun({Pid, Address}, A) -> found(Pid, Address, A) end, Empty, ets:tab2list(?STRANGERS)).

%% @doc One that another hub let in.
-spec found(pid(), address(), admission()) -> admission().
found(Pid, _, #admission{strangers = Strangers} = A) when is_map_key(Pid, Strangers) -> A;
found(Pid, Address, A) -> enter(Pid, erlang:monitor(process, Pid), Address, A).

%% @doc Of the process table a tenth stays free for all else that the node does.
-spec max_processes() -> pos_integer().
max_processes() ->
    erlang:system_info(process_limit) * 9 div 10.

%% @doc Once a second: takes the limits as they are now; those told to make room go if they are silent.
-spec tick(limits(), admission()) -> {MakeRoom :: [pid()], admission()}.
tick(Limits, #admission{strangers = Strangers, recent = Recent} = A) ->
    {Young, [Old]} = lists:split(?PATIENCE_SECONDS - 1, Recent),
    A1 = A#admission{limits = Limits, is_memory_short = is_memory_short(Limits), recent = [[] | Young]},
    case is_crowded(A1) of
        true -> {[Pid || Pid <- Old, is_map_key(Pid, Strangers)], A1};
        false -> {[], A1}
    end.

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

-spec check(address(), admission()) -> ok | {refused, refusal()}.
check(_, #admission{is_memory_short = true}) ->
    {refused, memory};
check(Address, #admission{limits = Limits, strangers = Strangers, addresses = Addresses} = A) ->
    #{strangers := Max, per_address := PerAddress} = Limits,
    case are_processes_short(A) of
        true ->
            {refused, processes};
        false when map_size(Strangers) >= Max ->
            {refused, strangers};
        %% For an address that is not there map_get fails, and so the guard.
        false when PerAddress > 0, map_size(Strangers) >= Max div 2, map_get(Address, Addresses) >= PerAddress ->
            {refused, address};
        false ->
            ok
    end.

-spec enter(pid(), Monitor :: reference(), address(), admission()) -> admission().
enter(Pid, Monitor, Address, #admission{strangers = Strangers, addresses = Addresses, recent = [Latest | Recent]} = A) ->
    ok = stranger(Pid, Address),
    A#admission{
        recent = [[Pid | Latest] | Recent],
        strangers = Strangers#{Pid => {Monitor, Address}},
        addresses = maps:update_with(Address, fun(Count) -> Count + 1 end, 1, Addresses)
    }.

%% @doc It logged in, or is gone.
-spec leave(pid(), admission()) -> admission().
leave(Pid, #admission{strangers = Strangers, addresses = Addresses} = A) ->
    case maps:take(Pid, Strangers) of
        {{Monitor, Address}, Rest} ->
            true = erlang:demonitor(Monitor, [flush]),
            ok = logged_in(Pid),
            A#admission{strangers = Rest, addresses = fewer(Address, Addresses)};
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
address({A, B, C, D, _, _, _, _}) -> {v6, A, B, C, D}.
