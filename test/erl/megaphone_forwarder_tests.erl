%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session's old process does once another one serves: what is only its own it answers itself, all else is passed on.
-module(megaphone_forwarder_tests).

-include_lib("eunit/include/eunit.hrl").

%% Before all know where the session is. The test is everybody else: the new process, who asked, the gateway.
settling(Socket, Test) ->
    {Id, Monitor, Ref} = {make_ref(), make_ref(), make_ref()},
    Watch = spawn(fun() -> receive stop -> ok end end),
    Forwarder = {forwarder, <<"AAAAAA.moved">>, {Id, self(), {Watch, Monitor}}, settling, {self(), Ref}, [], Socket, none},
    {Pid, Lives} = spawn_monitor(fun() -> megaphone_forwarder:forward(Forwarder) end),
    Test(Pid, Id),
    Pid ! {'DOWN', Monitor, process, Watch, {gone, killed}},
    receive {'DOWN', Lives, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
    %% It did move, whatever became of it there: who asked counts it.
    receive {Ref, Answer} -> ?assertEqual(moved, Answer) after 0 -> error(untold) end,
    heard().

heard() -> receive Message -> [Message | heard()] after 0 -> [] end.

its_own_test() ->
    [Stop, Announce] = [make_ref(), make_ref()],
    Heard = settling(none, fun(Pid, _) ->
        Pid ! {megaphone_stop, all, {self(), Stop}},
        Pid ! {megaphone_announce, {self(), Announce}},
        Pid ! {make_ref(), settled}
    end),
    ?assertEqual([{Stop, staying}, {Announce, here}], Heard).

passed_on_test() ->
    ?assertEqual([{megaphone_forwarded, {route, stanza}}], settling(none, fun(Pid, _) -> Pid ! {route, stanza} end)).

%% Nobody takes its frames any more.
socket_test() ->
    Self = self(),
    ?assertEqual([{Self, close, 1012, <<>>}], settling(Self, fun(_, _) -> ok end)).

%% Its gateway knows the new process, or has closed it.
no_socket_test() ->
    Self = self(),
    [?assertEqual([{megaphone_forwarded, Last}], settling(Self, fun(Pid, _) -> Pid ! Last end)) || Last <- [{Self, moved}, {Self, closed, 1006}]].
