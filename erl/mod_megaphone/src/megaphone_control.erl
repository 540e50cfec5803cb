%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What other processes ask of sessions, or tell them to do: list them, close one, end those of a host.
-module(megaphone_control).

-export([stop_host/1, info/1, close/1]).

-define(TIMEOUT_MS, 5000).

%% @doc Ends the sessions of a virtual host with `system-shutdown', and waits until they are gone.
-spec stop_host(binary()) -> ok.
stop_host(Host) ->
    Monitors = [
        begin
            Ref = erlang:monitor(process, Pid),
            Pid ! {bosh_stop_host, Host, {self(), Ref}},
            Ref
        end
     || Pid <- megaphone_sessions:pids()
    ],
    lists:foreach(
        fun(Ref) ->
            receive
                {Ref, staying} -> erlang:demonitor(Ref, [flush]);
                {'DOWN', Ref, _, _, _} -> true
            after ?TIMEOUT_MS -> erlang:demonitor(Ref, [flush])
            end
        end,
        Monitors
    ).

%% @doc Session id, user, address, state, requests held and bytes of the process; nothing when it is gone.
-spec info(pid()) -> [{binary(), binary(), string(), string(), non_neg_integer(), non_neg_integer()}].
info(Pid) -> ask(Pid, bosh_info).

%% @doc Ends it with `policy-violation'.
-spec close(pid()) -> ok | error.
close(Pid) ->
    case ask(Pid, bosh_close) of
        [closed] -> ok;
        [] -> error
    end.

%% gen_server:call would be one of the stream's own calls.
-spec ask(pid(), bosh_info | bosh_close) -> [term()].
ask(Pid, Question) ->
    Ref = erlang:monitor(process, Pid),
    Pid ! {Question, {self(), Ref}},
    receive
        {Ref, Answer} ->
            erlang:demonitor(Ref, [flush]),
            [Answer];
        {'DOWN', Ref, _, _, _} ->
            []
    after ?TIMEOUT_MS ->
        erlang:demonitor(Ref, [flush]),
        []
    end.
