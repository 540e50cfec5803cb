%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Real nodes for tests, under a port mapper (EPMD) of their own: none of this machine's other nodes is seen. All end with whoever
%%% started them.
-module(comet_nodes).

-export([begin_net/0, end_net/1, start/3, stop/1, kill/1, call/4, name/1]).
-export([await/2]).

-record(net, {port, epmd}).

begin_net() ->
    {ok, Socket} = gen_tcp:listen(0, []),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    Text = integer_to_list(Port),
    Epmd = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", "epmd -port " ++ Text ++ " 2>/dev/null & pid=$!; cat >/dev/null; kill $pid"]}]),
    %% A node that finds none starts one, which would stay.
    await(port_mapper, fun() -> is_listening(Port) end),
    #net{port = Text, epmd = Epmd}.

is_listening(Port) ->
    case gen_tcp:connect({127, 0, 0, 1}, Port, []) of
        {ok, Socket} -> ok = gen_tcp:close(Socket), true;
        {error, Reason} -> Reason
    end.

end_net(#net{epmd = Epmd}) -> port_close(Epmd).

%% `router' runs the application, `hidden' is a hidden node for a gateway or pages; {bare, Dir} has Mnesia's files there, and runs nothing yet.
start(#net{port = Port}, Name, Kind) ->
    Paths = lists:append([["-pa", filename:absname(Path)] || Path <- code:get_path(), filename:basename(filename:dirname(Path)) =:= "megaphone_comet"]),
    Full = atom_to_list(name(Name)),
    %% Two that lose each other are not to lose the third.
    Args = ["-sname", Full, "-setcookie", "comet", "-connect_all", "false", "-kernel", "prevent_overlapping_partitions", "false"]
        ++ case Kind of router -> []; hidden -> ["-hidden"]; {bare, Dir} -> ["-mnesia", "dir", "\"" ++ Dir ++ "\""] end ++ Paths,
    {ok, Peer, _} = peer:start(#{connection => standard_io, args => Args, env => [{"ERL_EPMD_PORT", Port}], wait_boot => 30000}),
    %% Its end, also when it is killed, is for the test to see.
    true = unlink(Peer),
    _ = Kind =:= router andalso begin {ok, _} = call(Peer, application, ensure_all_started, [megaphone_comet]) end,
    Peer.

name(Name) -> list_to_atom(atom_to_list(Name) ++ "@localhost").

stop(Peer) -> try peer:stop(Peer) of _ -> ok catch _:_ -> ok end.

%% As by the system when memory runs out.
kill(Peer) ->
    Pid = call(Peer, os, getpid, []),
    Monitor = monitor(process, Peer),
    _ = os:cmd("kill -9 " ++ Pid),
    receive {'DOWN', Monitor, _, _, _} -> ok after 30000 -> error({does_not_end, Peer}) end.

call(Peer, Module, Function, Args) -> peer:call(Peer, Module, Function, Args, 60000).

%% Until it is true; what it waits for is in the error.
await(What, Fun) -> await(What, Fun, erlang:monotonic_time(millisecond) + 60000).

await(What, Fun, Until) ->
    case Fun() of
        true -> ok;
        Other ->
            erlang:monotonic_time(millisecond) < Until orelse error({waited_in_vain, What, Other}),
            timer:sleep(20),
            await(What, Fun, Until)
    end.
