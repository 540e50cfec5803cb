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
        list(frequency([{6, {create, address()}}, {2, {login, nat()}}, {2, {kill, nat()}}, {1, {restart, nat(), nat()}}, {6, tick}])),
        megaphone_property:holds(fun() -> are_counted(Steps) end)
    ).

are_counted(Steps) ->
    ok = megaphone_admission:create_table(),
    try
        {Strangers, Hub} = lists:foldl(fun step/2, {[], start_hub()}, Steps),
        %% When all are gone, so is every count.
        {[], Hub} = lists:foldl(fun step/2, {Strangers, Hub}, [{kill, 0} || _ <- Strangers]),
        in(Hub, fun(Empty) ->
            %% But for the lists of the last seconds, which tick/2 empties.
            Ticked = fun(N, From) -> lists:foldl(fun(_, A) -> {[], A1} = megaphone_admission:tick(?LIMITS, A), A1 end, From, lists:seq(1, N)) end,
            Ticks = length([tick || tick <- lists:takewhile(fun(Step) -> Step =:= tick orelse element(1, Step) =/= restart end, lists:reverse(Steps))]),
            Idle = Ticked(5, Empty),
            {Idle =:= Ticked(Ticks + 5, megaphone_admission:new(?LIMITS)), Idle}
        end)
    after
        ets:delete(megaphone_strangers)
    end.

address() -> oneof([{192, 0, 2, 1}, {192, 0, 2, 2}, {v6, 16#2001, 16#db8, 1}, {v6, 16#2001, 16#db8, 2}]).

%% Each hub is a process: with it go its monitors.
start_hub() ->
    Self = self(),
    {Hub, Monitor} = spawn_opt(
        fun() -> Admission = megaphone_admission:new(?LIMITS), Self ! {self(), ready}, hub(Admission) end,
        [link, monitor]
    ),
    receive {Hub, ready} -> {Hub, Monitor}; {'DOWN', Monitor, _, _, Reason} -> error(Reason) end.

hub(Admission) ->
    receive
        {From, Fun} ->
            {Result, Admission1} = Fun(Admission),
            From ! {self(), Result},
            hub(Admission1)
    end.

in({Hub, Monitor}, Fun) ->
    Hub ! {self(), Fun},
    receive {Hub, Result} -> Result; {'DOWN', Monitor, _, _, Reason} -> error(Reason) end.

kill_hub({Hub, Monitor}) ->
    true = unlink(Hub),
    exit(Hub, kill),
    receive {'DOWN', Monitor, _, _, _} -> ok end.

step(Step, {Strangers, Hub}) ->
    {Strangers1, _} = After = do(Step, Strangers, Hub),
    Count = length(Strangers1),
    Count = megaphone_admission:count(),
    After.

do({create, Address}, Strangers, Hub) ->
    Mine = length([A || {_, A} <- Strangers, A =:= Address]),
    Count = length(Strangers),
    Expected =
        if
            Count >= ?MAX div 2, Mine >= ?PER_ADDRESS -> {refused, address};
            Count >= ?MAX -> full;
            true -> ok
        end,
    {Entered, Gone} = in(Hub, fun(Admission) ->
        case megaphone_admission:check(Address, Admission) of
            ok when Expected =:= ok ->
                {Pid, A} = entered(Address, Admission),
                {{[{Pid, Address}], []}, A};
            {instead_of, Oldest} when Expected =:= full ->
                {Pid, A} = entered(Address, megaphone_admission:leave(Oldest, Admission)),
                {{[{Pid, Address}], [Oldest]}, A};
            {refused, strangers} when Expected =:= full ->
                {{[], []}, Admission};
            Expected ->
                {{[], []}, Admission}
        end
    end),
    Left = [Stranger || {Pid, _} = Stranger <- Strangers, not lists:member(Pid, Gone)],
    true = length(Left) + length(Gone) =:= Count,
    {Entered ++ Left, Hub};
do({login, N}, Strangers, Hub) ->
    {with(N, Strangers, fun(Pid) ->
        ok = megaphone_admission:forget(Pid),
        in(Hub, fun(Admission) ->
            A = megaphone_admission:leave(Pid, Admission),
            kill(Pid),
            %% No stranger, so nobody is told of its end, and a late word of it changes nothing.
            receive {'DOWN', _, process, Pid, _} -> error(still_monitored) after 0 -> {ok, megaphone_admission:leave(Pid, A)} end
        end)
    end), Hub};
do({kill, N}, Strangers, Hub) ->
    {with(N, Strangers, fun(Pid) -> kill(Pid), in(Hub, fun(A) -> {ok, gone(Pid, A)} end) end), Hub};
do({restart, N, M}, Strangers, Hub) ->
    ok = kill_hub(Hub),
    Left = with(N, Strangers, fun(Pid) -> ok = megaphone_admission:forget(Pid), kill(Pid) end),
    %% Its end is for the new hub to hear.
    Alive = with(M, Left, fun kill/1),
    %% One is too busy to be in the table when the new hub reads it, and says so later.
    Late = case Alive of [] -> []; [{Busy, _} = L | _] -> true = ets:delete(megaphone_strangers, Busy), [L] end,
    New = start_hub(),
    ok = in(New, fun(Read) ->
        {ok, lists:foldl(
            fun({Pid, Address}, A) ->
                ok = megaphone_admission:stranger(Pid, Address),
                Found = megaphone_admission:found(Pid, Address, A),
                Found = megaphone_admission:found(Pid, Address, Found)
            end,
            Read,
            Late
        )}
    end),
    ok = in(New, fun(A) -> {ok, lists:foldl(fun({Pid, _}, Acc) -> gone(Pid, Acc) end, A, Left -- Alive)} end),
    {Alive, New};
do(tick, Strangers, Hub) ->
    MakeRoom = in(Hub, fun(A) -> megaphone_admission:tick(?LIMITS, A) end),
    true = MakeRoom =:= [] orelse length(Strangers) >= ?MAX div 2,
    [] = [Pid || {Pid, _} <- MakeRoom] -- [Pid || {Pid, _} <- Strangers ++ Strangers],
    {Strangers, Hub}.

entered(Address, Admission) ->
    {Pid, Monitor} = spawn_monitor(fun idle/0),
    {Pid, megaphone_admission:enter(Pid, Monitor, Address, Admission)}.

idle() -> receive stop -> ok end.

%% One less.
with(_, [], _) ->
    [];
with(N, Strangers, Fun) ->
    {Pid, _} = Stranger = lists:nth(N rem length(Strangers) + 1, Strangers),
    ok = Fun(Pid),
    lists:delete(Stranger, Strangers).

kill(Pid) ->
    Ref = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Ref, _, _, _} -> ok end.

gone(Pid, Admission) ->
    receive {'DOWN', _, process, Pid, _} -> megaphone_admission:leave(Pid, Admission) end.
