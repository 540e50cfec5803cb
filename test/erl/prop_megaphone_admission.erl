%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% However strangers come and go, those counted are those that live and have not logged in, and no more are let in
%%% than the limits say; also when the hub dies, and some end or log in while there is none.
-module(prop_megaphone_admission).

-include_lib("proper/include/proper.hrl").

-export([prop_strangers_are_counted/0]).

-define(MAX, 8).
-define(PER_ADDRESS, 2).
-define(LIMITS, #{strangers => ?MAX, per_address => ?PER_ADDRESS, memory => 0}).

prop_strangers_are_counted() ->
    ?FORALL(
        Steps,
        list(frequency([{6, {create, address()}}, {2, {login, nat()}}, {2, {kill, nat()}}, {1, {restart, nat(), nat()}}, {2, tick}])),
        begin
            ok = megaphone_admission:create_table(),
            {Strangers, Admission} = lists:foldl(fun step/2, {[], megaphone_admission:new(?LIMITS)}, Steps),
            %% When all are gone, so is every count.
            {[], Empty} = lists:foldl(fun step/2, {Strangers, Admission}, [{kill, 0} || _ <- Strangers]),
            Fresh = megaphone_admission:new(?LIMITS),
            true = ets:delete(megaphone_strangers),
            %% But for the lists of the last seconds, which tick/2 empties.
            Idle = lists:foldl(fun(_, A) -> {[], A1} = megaphone_admission:tick(?LIMITS, A), A1 end, Empty, lists:seq(1, 5)),
            Idle =:= Fresh
        end
    ).

address() -> oneof([{192, 0, 2, 1}, {192, 0, 2, 2}, {v6, 16#2001, 16#db8, 0, 1}, {v6, 16#2001, 16#db8, 0, 2}]).

step(Step, {Strangers, Admission}) ->
    {Strangers1, _} = After = do(Step, Strangers, Admission),
    Count = length(Strangers1),
    Count = megaphone_admission:count(),
    After.

do({create, Address}, Strangers, Admission) ->
    Mine = length([A || {_, A} <- Strangers, A =:= Address]),
    Count = length(Strangers),
    Expected =
        if
            Count >= ?MAX -> {refused, strangers};
            Count >= ?MAX div 2, Mine >= ?PER_ADDRESS -> {refused, address};
            true -> ok
        end,
    case megaphone_admission:check(Address, Admission) of
        ok when Expected =:= ok ->
            {Pid, Monitor} = spawn_monitor(fun() -> receive stop -> ok end end),
            {[{Pid, Address} | Strangers], megaphone_admission:enter(Pid, Monitor, Address, Admission)};
        Expected ->
            {Strangers, Admission}
    end;
do({login, N}, Strangers, Admission) ->
    with(N, Strangers, Admission, fun(Pid) ->
        ok = megaphone_admission:logged_in(Pid),
        A = megaphone_admission:leave(Pid, Admission),
        exit(Pid, kill),
        %% No stranger, so nobody is told of its end, and a late word of it changes nothing.
        receive {'DOWN', _, process, Pid, _} -> error(still_monitored) after 0 -> megaphone_admission:leave(Pid, A) end
    end);
do({kill, N}, Strangers, Admission) ->
    with(N, Strangers, Admission, fun(Pid) -> gone(Pid, Admission) end);
do({restart, N, M}, Strangers, _) ->
    {Left, _} = with(N, Strangers, none, fun(Pid) -> ok = megaphone_admission:logged_in(Pid), exit(Pid, kill) end),
    {Alive, Dead} =
        case Left of
            [] -> {[], none};
            _ -> {Pid, _} = Gone = lists:nth(M rem length(Left) + 1, Left), exit(Pid, kill), {lists:delete(Gone, Left), Pid}
        end,
    %% The monitors of the one before died with it.
    Flush = fun F() -> receive {'DOWN', _, process, _, _} -> F() after 0 -> ok end end,
    Flush(),
    %% One is too busy to be in the table when the new hub reads it, and says so later.
    Late = case Alive of [] -> []; [L | _] -> true = ets:delete(megaphone_strangers, element(1, L)), [L] end,
    Read = megaphone_admission:new(?LIMITS),
    New = lists:foldl(
        fun({P, Address}, A) ->
            ok = megaphone_admission:stranger(P, Address),
            Found = megaphone_admission:found(P, Address, A),
            Found = megaphone_admission:found(P, Address, Found)
        end,
        Read,
        Late
    ),
    case Dead of
        none -> {Alive, New};
        _ -> {Alive, receive {'DOWN', _, process, Dead, _} -> megaphone_admission:leave(Dead, New) end}
    end;
do(tick, Strangers, Admission) ->
    {MakeRoom, A} = megaphone_admission:tick(?LIMITS, Admission),
    true = MakeRoom =:= [] orelse length(Strangers) >= ?MAX div 2,
    [] = MakeRoom -- [Pid || {Pid, _} <- Strangers],
    {Strangers, A}.

with(_, [], Admission, _) ->
    {[], Admission};
with(N, Strangers, _, Fun) ->
    {Pid, _} = Stranger = lists:nth(N rem length(Strangers) + 1, Strangers),
    {lists:delete(Stranger, Strangers), Fun(Pid)}.

gone(Pid, Admission) ->
    exit(Pid, kill),
    receive {'DOWN', _, process, Pid, _} -> megaphone_admission:leave(Pid, Admission) end.
