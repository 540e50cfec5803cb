%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Owns the tables of sessions. They are an index, and the sessions are the truth: whenever this process
%%% starts, those that live enter themselves, before the hub, which starts after it, looks for any. What
%%% was killed without a chance to leave is swept out.
%%%
%%% A session that is reached by a socket ends with the connection of the nodes by which that came: its gateway is gone, or
%%% has closed the socket. This process watches nodes for all of them, and one look after a break finds them;
%%% one that enters after that is found by the sweep.
-module(megaphone_index).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-include_lib("kernel/include/logger.hrl").
-include("ejabberd_sm.hrl").

%% A pass takes a third of a second for a million sessions; nobody waits for this process.
-define(SWEEP_MS, 10000).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec init([]) -> {ok, []}.
init([]) ->
    ok = megaphone_sessions:create_table(),
    ok = megaphone_forwarders:create_table(),
    ok = megaphone_resumable:create_table(),
    ok = megaphone_ended:create_table(),
    ok = megaphone_admission:create_table(),
    ok = megaphone_stats:create(),
    ok = megaphone_chars:prepare(),
    case megaphone_control:announce() of
        0 -> ok;
        Silent -> ?LOG_WARNING("~b Megaphone sessions are busy, and can be found once they are not", [Silent])
    end,
    ok = net_kernel:monitor_nodes(true, [{node_type, all}]),
    ok = cut(),
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {ok, []}.

-spec handle_call(term(), {pid(), term()}, []) -> {reply, {error, unknown_request}, []}.
handle_call(_, _, State) ->
    {reply, {error, unknown_request}, State}.

-spec handle_cast(term(), []) -> {noreply, []}.
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), []) -> {noreply, []}.
handle_info(sweep, State) ->
    ok = megaphone_ended:sweep(),
    ok = megaphone_forwarders:sweep(),
    ok = megaphone_resumable:sweep(),
    %% Those that entered after their link broke.
    ok = cut(),
    case megaphone_sessions:sweep() of
        [] ->
            ok;
        Killed ->
            ?LOG_WARNING("~b Megaphone sessions were killed", [length(Killed)]),
            ok = megaphone_gateway:gone([Sid || {Sid, _, none} <- Killed]),
            lists:foreach(fun(ConnId) -> megaphone_gateway:close(ConnId, 1011) end, [C || {_, _, C} <- Killed, is_pid(C)]),
            log_out(maps:from_list([{Pid, []} || {_, Pid, _} <- Killed]))
    end,
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {noreply, State};
handle_info({nodedown, _, _}, State) ->
    ok = cut(),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

%% As if the gateway said it.
-spec cut() -> ok.
cut() ->
    lists:foreach(fun({Pid, ConnId}) -> Pid ! {ConnId, closed, 1006} end, megaphone_sessions:cut(megaphone_gateway:connections())).

%% To ejabberd their users are online still: what is sent to them would be lost.
-spec log_out(#{pid() => []}) -> ok.
log_out(Killed) ->
    lists:foreach(
        fun
            (#session{sid = {_, Pid} = Sid, usr = {User, Server, Resource}}) when is_map_key(Pid, Killed) ->
                ejabberd_sm:close_session_unset_presence(Sid, User, Server, Resource, <<"Killed">>);
            (_) ->
                ok
        end,
        ejabberd_sm:dirty_get_my_sessions_list()
    ).
