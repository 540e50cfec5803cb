%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Stands for one exchange at the hub of another node, which has no connection to the gateway of that exchange: the answer comes
%%% here, and goes on from here. It ends with the answer, or with the node that was asked.
-module(megaphone_relay).

-export([start/2]).
-export([run/2]).

%% Longer than any answer takes.
-define(MAX_MS, 300000).

%% @doc The pid that stands for ConnId while this node is asked; `error' where no more processes can be.
-spec start(ConnId :: pid(), node()) -> {ok, pid()} | error.
start(ConnId, Node) ->
    try
        {ok, spawn(?MODULE, run, [ConnId, Node])}
    catch
        error:system_limit -> error
    end.

-spec run(ConnId :: pid(), node()) -> ok.
run(ConnId, Node) ->
    _ = erlang:monitor(process, {mod_megaphone, Node}),
    relay(ConnId, self()).

-spec relay(ConnId :: pid(), Self :: pid()) -> ok.
relay(ConnId, Self) ->
    receive
        %% The session is not there for this gateway, but here.
        {Self, session, _} -> relay(ConnId, Self);
        {Self, elsewhere, Node, Body} -> megaphone_gateway:elsewhere(ConnId, Node, Body);
        {Self, Status, Body} -> megaphone_gateway:last_answer(ConnId, Status, [], Body);
        {Self, Status, Headers, Body} -> megaphone_gateway:last_answer(ConnId, Status, Headers, Body);
        {'DOWN', _, process, _, _} -> megaphone_gateway:repeat(ConnId);
        _ -> relay(ConnId, Self)
    after ?MAX_MS ->
        ok
    end.
