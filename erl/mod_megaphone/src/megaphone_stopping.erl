%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Before ejabberd stops, by whichever way, sessions move to other nodes (megaphone_drain): those that end here could have gone on
%%% elsewhere. These are ejabberd's hooks, which run before it does what it was asked for.
%%%
%%% | what                          | hook              | then                                                              |
%%% |-------------------------------|-------------------|-------------------------------------------------------------------|
%%% | `stop', `restart'             | api_call          | ejabberd ends all sessions, later calls ejabberd_stopping         |
%%% | SIGTERM, `stop_kindly'        | ejabberd_stopping | what could not move ends in good order (mod_megaphone)            |
%%% | `leave_cluster' for this node | api_call          | the machine halts without a word: what could not move ends before |
%%% | ... for another one           | api_call          | the same there, which has no hook for it                          |
-module(megaphone_stopping).

-export([stopping/0, called/3, leaves/0]).

-define(LEAVE_MS, 180000).

%% @doc A hook: ejabberd is about to stop.
-spec stopping() -> ok.
stopping() ->
    ok = megaphone_cluster:set(stopping),
    megaphone_drain:stop().

%% @doc A hook: an operator's command is about to run.
-spec called(module(), atom(), list()) -> ok.
called(ejabberd_admin, Function, _) when Function =:= stop; Function =:= restart -> stopping();
called(ejabberd_admin, leave_cluster, [Name]) -> leave(Name);
called(_, _, _) -> ok.

%% Without another node the command fails, and this one serves on.
-spec leave(binary() | node()) -> ok.
leave(Name) ->
    Nodes = ejabberd_cluster:get_nodes(),
    case [Node || Node <- Nodes, Node =:= Name orelse atom_to_binary(Node) =:= Name] of
        [Node] when Nodes =/= [Node] ->
            %% One that does not run the module has nothing to move.
            try erpc:call(Node, ?MODULE, leaves, [], ?LEAVE_MS) catch _:_ -> ok end;
        _ ->
            ok
    end.

%% @doc This node is about to be taken out of the cluster, and to halt.
-spec leaves() -> ok.
leaves() ->
    ok = stopping(),
    megaphone_control:stop(all).
