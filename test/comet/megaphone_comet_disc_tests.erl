%%% SPDX-License-Identifier: Apache-2.0
%%% Subscriptions on disc, in a Mnesia that two nodes share, as a cluster of ejabberd does.
-module(megaphone_comet_disc_tests).

-include_lib("eunit/include/eunit.hrl").

disc_test_() ->
    {setup, fun comet_nodes:begin_net/0, fun comet_nodes:end_net/1, fun(Net) ->
        [{timeout, 300, {"nodes that share a Mnesia have all subscriptions, also when they come back", fun() -> in_folder(fun(Folder) -> shared(Net, Folder) end) end}}]
    end}.

in_folder(Test) ->
    Folder = filename:join(os:getenv("TMPDIR", "/tmp"), "megaphone-disc-" ++ os:getpid()),
    ok = filelib:ensure_dir(filename:join(Folder, "x")),
    try Test(Folder) after os:cmd("rm -rf " ++ Folder) end.

begin_node(Net, Folder, Name) -> comet_nodes:start(Net, Name, {bare, filename:join(Folder, Name)}).

begin_app(Peer) -> comet_nodes:call(Peer, application, ensure_all_started, [megaphone_comet]).

on(Peer, Function, Args) -> comet_nodes:call(Peer, megaphone_subscriptions, Function, Args).

%% While its table is not loaded, who asks hears so by an exit.
has(Peer, Subscribers) ->
    comet_nodes:await({subscribers, Subscribers}, fun() ->
        try lists:sort(on(Peer, subscribers, [star])) of
            Subscribers -> true;
            Other -> Other
        catch
            exit:Reason -> Reason
        end
    end).

shared(Net, Folder) ->
    [N1, N2] = Names = [comet_nodes:name(Name) || Name <- [d1, d2]],
    P1 = begin_node(Net, Folder, d1),
    ok = comet_nodes:call(P1, mnesia, create_schema, [[N1]]),
    {ok, _} = begin_app(P1),
    ok = on(P1, add, [1, star]),
    %% As ejabberd joins.
    P2 = begin_node(Net, Folder, d2),
    ok = comet_nodes:call(P2, mnesia, start, []),
    {ok, [N1]} = comet_nodes:call(P2, mnesia, change_config, [extra_db_nodes, [N1]]),
    {atomic, ok} = comet_nodes:call(P2, mnesia, change_table_copy_type, [schema, N2, disc_copies]),
    {ok, _} = begin_app(P2),
    [?assertEqual(Names, lists:sort(comet_nodes:call(P1, mnesia, table_info, [Table, disc_copies]))) || Table <- [megaphone_subscribers, megaphone_subscriptions]],
    ok = on(P2, add, [2, star]),
    [has(P, [1, 2]) || P <- [P1, P2]],
    %% What one missed it gets when it is back.
    ok = comet_nodes:kill(P2),
    ok = on(P1, add, [3, star]),
    P3 = begin_node(Net, Folder, d2),
    {ok, _} = begin_app(P3),
    [has(P, [1, 2, 3]) || P <- [P1, P3]],
    %% The other was there last: this one cannot know what it has, but routes.
    ok = comet_nodes:kill(P3),
    ok = on(P1, remove, [1, star]),
    %% What was written just now may be lost with a node that is killed.
    ok = comet_nodes:call(P1, mnesia, sync_log, []),
    ok = comet_nodes:kill(P1),
    P4 = begin_node(Net, Folder, d2),
    {ok, _} = begin_app(P4),
    ok = comet_nodes:call(P4, megaphone_router, send, [1, <<"hello">>]),
    P5 = begin_node(Net, Folder, d1),
    {ok, _} = begin_app(P5),
    [has(P, [2, 3]) || P <- [P4, P5]],
    [comet_nodes:stop(P) || P <- [P4, P5]].
