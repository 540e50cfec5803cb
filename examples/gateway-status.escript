#!/usr/bin/env escript
%% How a gateway does, for a person or a monitor:
%%
%%   escript examples/gateway-status.escript megaphone@localhost
%%
%% Joins the cluster for a moment as a hidden node, with the cookie in ~/.erlang.cookie, and asks the process that is
%% registered as `megaphone' there. Ends with 0 while the gateway has an ejabberd node in service, else with 1.
%% Tested by test/ejabberd/examples.test.ts.

-mode(compile).

main([Name]) ->
    Gateway = list_to_atom(Name),
    Own = list_to_atom("status" ++ os:getpid() ++ "@" ++ host(Name)),
    Domain = case lists:member($., host(Name)) of true -> longnames; false -> shortnames end,
    {ok, _} = net_kernel:start(Own, #{name_domain => Domain, hidden => true}),
    try gen_server:call({megaphone, Gateway}, stats, 5000) of
        #{<<"status">> := Status, <<"nodes">> := Nodes, <<"open_exchanges">> := Open} ->
            io:format("~ts is ~ts, ~b requests open~n", [Name, Status, Open]),
            lists:foreach(fun tell/1, maps:to_list(Nodes)),
            halt(case Status of <<"ok">> -> 0; _ -> 1 end)
    catch
        exit:{Reason, _} ->
            io:format(standard_error, "~ts does not answer: ~0p~n", [Name, Reason]),
            halt(1)
    end;
main(_) ->
    io:format(standard_error, "usage: gateway-status.escript NODE~n", []),
    halt(2).

tell({Node, #{<<"in_service">> := true, <<"requests_on_the_way">> := OnTheWay}}) ->
    io:format("  ~ts is in service, ~b requests on the way~n", [Node, OnTheWay]);
tell({Node, #{<<"reason">> := Reason}}) ->
    io:format("  ~ts is out of service: ~ts~n", [Node, Reason]).

%% The machine's own part of a node name.
host(Name) -> lists:nthtail(length(hd(string:split(Name, "@"))) + 1, Name).
