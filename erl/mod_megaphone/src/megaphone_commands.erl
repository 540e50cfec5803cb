%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What operators ask for with ejabberdctl (and ejabberd's API): statistics, the sessions, the end of one.
-module(megaphone_commands).

-export([register/0, unregister/0]).
-export([stats/0, sessions/0, close/1]).

-include("ejabberd_commands.hrl").

-spec register() -> ok.
register() -> ejabberd_commands:register_commands(commands()).

-spec unregister() -> ok.
unregister() -> ejabberd_commands:unregister_commands(commands()).

-spec commands() -> [tuple()].
commands() ->
    Value = {list, {stat, {tuple, [{name, string}, {value, integer}]}}},
    Session = {session, {tuple, [{sid, string}, {jid, string}, {ip, string}, {transport, string}, {state, string}, {held, integer}, {memory, integer}]}},
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
            result_desc = "Session id, user, client's address, transport, state, requests held, bytes of the process",
            result_example = [{"xWuyaw.I0D7BjvFu7mk", "alice@localhost/web", "192.0.2.7", "bosh", "established", 1, 4600}]
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
        }
    ].

-spec stats() -> [{string(), integer()}].
stats() ->
    #{terminated := Terminated} = All = megaphone_stats:all(),
    Flat = [{atom_to_list(Name), Value} || {Name, Value} <- maps:to_list(maps:remove(terminated, All))],
    Ends = [{"terminated_" ++ binary_to_list(Condition), Value} || {Condition, Value} <- maps:to_list(Terminated)],
    lists:sort([{"session_memory", session_memory()} | Flat ++ Ends]).

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
