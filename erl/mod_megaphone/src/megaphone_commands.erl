%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What operators ask for with ejabberdctl (and ejabberd's API): statistics, the sessions, the end of one; and to move them all.
-module(megaphone_commands).

-export([register/0, unregister/0]).
-export([stats/0, sessions/0, close/1, drain/1, drain_status/0, drain_abort/0, rebalance/0, ctl/2]).

-include("ejabberd_commands.hrl").

-spec register() -> ok.
register() ->
    ok = ejabberd_hooks:add(ejabberd_ctl_process, ?MODULE, ctl, 50),
    ejabberd_commands:register_commands(commands()).

-spec unregister() -> ok.
unregister() ->
    ok = ejabberd_hooks:delete(ejabberd_ctl_process, ?MODULE, ctl, 50),
    ejabberd_commands:unregister_commands(commands()).

-spec commands() -> [tuple()].
commands() ->
    Value = {list, {stat, {tuple, [{name, string}, {value, integer}]}}},
    Session = {session, {tuple, [{sid, string}, {jid, string}, {ip, string}, {transport, string}, {state, string}, {held, integer}, {memory, integer}, {age, integer}]}},
    [
        #ejabberd_commands{
            name = megaphone_stats,
            tags = [megaphone],
            desc = "Counters of the sessions served through Megaphone gateways by this node",
            module = ?MODULE,
            function = stats,
            args = [],
            result = {stats, Value},
            result_desc = "Names and values; the names that begin with 'terminated' count ends by their condition",
            result_example = [{"sessions", 3}]
        },
        #ejabberd_commands{
            name = megaphone_sessions,
            tags = [megaphone],
            desc = "The sessions served through Megaphone gateways by this node",
            module = ?MODULE,
            function = sessions,
            args = [],
            result = {sessions, {list, Session}},
            result_desc = "Session id, user, client's address, transport, state, requests held, bytes of the process, seconds since the login (-1: not yet)",
            result_example = [{"xWuyaw.I0D7BjvFu7mk", "alice@localhost/web", "192.0.2.7", "bosh", "established", 1, 4600, 3600}]
        },
        #ejabberd_commands{
            name = megaphone_close_session,
            tags = [megaphone],
            desc = "End a session by its id; the client is told 'policy-violation'",
            module = ?MODULE,
            function = close,
            args = [{sid, binary}],
            args_desc = ["Session id, as 'megaphone_sessions' lists it"],
            args_example = ["xWuyaw.I0D7BjvFu7mk"],
            result = {res, rescode},
            result_desc = "Status code: 0 for success, 1 when there is no such session"
        },
        #ejabberd_commands{
            name = megaphone_drain,
            tags = [megaphone],
            desc = "Empty this node: its sessions move to others of the cluster, and no new ones begin here",
            longdesc = "It takes sessions again after megaphone_drain_abort, or when ejabberd starts again.",
            module = ?MODULE,
            function = drain,
            args = [{nodes, binary}],
            args_desc = ["Where to, separated by commas; empty for all others that take sessions"],
            args_example = ["ejabberd@b.example.org,ejabberd@c.example.org"],
            result = {res, restuple},
            result_desc = "It goes on by itself: megaphone_drain_status tells how far it is"
        },
        #ejabberd_commands{
            name = megaphone_drain_status,
            tags = [megaphone],
            desc = "Whether this node takes sessions, and how far it is with moving them to others",
            module = ?MODULE,
            function = drain_status,
            args = [],
            result = {status, {list, {item, {tuple, [{name, string}, {value, string}]}}}},
            result_desc = "Names and values; 'stays' counts by reason those that could not move in the last round",
            result_example = [{"state", "draining"}, {"moved", "1200"}, {"to_go", "800"}]
        },
        #ejabberd_commands{
            name = megaphone_drain_abort,
            tags = [megaphone],
            desc = "Take sessions again: those of a drain that have not moved stay",
            module = ?MODULE,
            function = drain_abort,
            args = [],
            result = {res, rescode}
        },
        #ejabberd_commands{
            name = megaphone_rebalance,
            tags = [megaphone],
            desc = "Even the cluster out: nodes with more sessions than the others, for their weight, give some to those with fewer",
            module = ?MODULE,
            function = rebalance,
            args = [],
            result = {moves, {list, {move, {tuple, [{node, string}, {sessions, integer}]}}}},
            result_desc = "The nodes that give some, and how many",
            result_example = [{"ejabberd@a.example.org", 1000}]
        }
    ].

-spec stats() -> [{string(), integer()}].
stats() ->
    Flat = lists:flatmap(fun({Name, Value}) -> flat(atom_to_list(Name), Value) end, maps:to_list(megaphone_stats:all())),
    lists:sort([{"session_memory", session_memory()} | Flat]).

-spec flat(string(), integer() | #{binary() => integer()}) -> [{string(), integer()}].
flat(Name, Group) when is_map(Group) -> [{Name ++ "_" ++ binary_to_list(Key), Value} || {Key, Value} <- maps:to_list(Group)];
flat(Name, Value) -> [{Name, Value}].

%% Bytes of the process of a session, on average over some of them.
-spec session_memory() -> non_neg_integer().
session_memory() ->
    case [M || Pid <- megaphone_sessions:some(100), {memory, M} <- [erlang:process_info(Pid, memory)]] of
        [] -> 0;
        Sizes -> lists:sum(Sizes) div length(Sizes)
    end.

-spec sessions() -> [megaphone_report:info()].
sessions() ->
    [Info || Pid <- megaphone_sessions:pids(), Info <- megaphone_control:info(Pid)].

-spec close(binary()) -> ok | error.
close(Sid) ->
    case megaphone_sessions:find(Sid) of
        {ok, Pid} -> megaphone_control:close(Pid);
        _ -> error
    end.

-spec drain(binary()) -> {ok | error, string()}.
drain(Nodes) ->
    Names = [string:trim(Name) || Name <- string:lexemes(binary_to_list(Nodes), ",")],
    try megaphone_drain:drain(case Names of [] -> all; _ -> [list_to_existing_atom(Name) || Name <- Names] end) of
        ok -> {ok, "Sessions move; megaphone_drain_status tells how far it is"};
        {error, Reason} -> {error, lists:flatten(["No session moves: ", Reason])}
    catch
        %% A name that nobody here ever heard of.
        error:badarg -> {error, "No session moves: there is no such node"}
    end.

%% @doc A hook: ejabberdctl takes an argument of a command neither as none nor as several. The exit status, where this was one of ours.
-spec ctl(false | integer(), [string()]) -> false | integer().
ctl(false, ["megaphone_drain" | Nodes]) when length(Nodes) =/= 1 ->
    {Res, Text} = drain(list_to_binary(lists:join(",", Nodes))),
    ok = io:format("~ts~n", [Text]),
    case Res of ok -> 0; error -> 1 end;
ctl(Status, _) ->
    Status.

-spec drain_status() -> [{string(), string()}].
drain_status() ->
    #{phase := Phase, sessions := Sessions, moved := Moved, to_go := ToGo, under_way := UnderWay, stay := Stay, seconds := Seconds, targets := Targets} =
        megaphone_drain:status(),
    [
        {"state", atom_to_list(megaphone_cluster:state())},
        {"moves", atom_to_list(Phase)},
        {"sessions", integer_to_list(Sessions)},
        {"moved", integer_to_list(Moved)},
        {"to_go", integer_to_list(ToGo)},
        {"under_way", integer_to_list(UnderWay)},
        {"stays", text([io_lib:format("~s:~b", [Reason, N]) || {Reason, N} <- lists:sort(maps:to_list(Stay))])},
        {"seconds", integer_to_list(Seconds)},
        {"targets", text([atom_to_list(Node) || Node <- Targets])}
    ].

-spec text([iolist()]) -> string().
text([]) -> "none";
text(Words) -> lists:flatten(lists:join(" ", Words)).

-spec drain_abort() -> ok | error.
drain_abort() -> megaphone_drain:abort().

-spec rebalance() -> [{string(), non_neg_integer()}].
rebalance() -> [{atom_to_list(Node), N} || {Node, N} <- megaphone_rebalance:run()].
