%% Another module in ejabberd's place, with no BOSH: it holds every request until somebody says something, and answers
%% them all with that (long polling, or "comet"). It shows the whole of docs/protocol.md in forty lines.
%%
%%   1> mod_megaphone:start().
%%   2> mod_megaphone:say(<<"lunch is ready">>).
%%
%% The gateway's `nodes' has the name of the node on which this runs. docs/erlang-shell.md plays it.
-module(mod_megaphone).

-export([start/0, say/1]).
%% What gateways ask by rpc.
-export([contract/0, session_seconds/0, stats/0]).

contract() -> 7.

%% For so long there may be something to answer after the node was lost.
session_seconds() -> 60.

%% Numbers that the gateway adds to its metrics.
stats() -> #{}.

start() ->
    true = register(?MODULE, spawn(fun() -> loop(#{}) end)),
    ok.

say(Text) ->
    ?MODULE ! {say, Text},
    ok.

loop(Held) ->
    receive
        {ConnId, Body} when is_pid(ConnId), is_binary(Body) ->
            loop(Held#{ConnId => []});
        {ConnId, Body, Meta} when is_pid(ConnId), is_binary(Body), is_map(Meta) ->
            loop(Held#{ConnId => []});
        {ConnId, closed, _Sid} ->
            loop(maps:remove(ConnId, Held));
        {Gateway, mark, Place} ->
            send({megaphone, node(Gateway)}, {taken, Place}),
            loop(Held);
        {Gateway, watch} ->
            %% All of a cluster would be named here. This one is alone, and knows no more of itself.
            send({megaphone, node(Gateway)}, {cluster, #{<<"nodes">> => [node()]}}),
            loop(Held);
        {ConnId, held, _Sid, _Rid} ->
            case Held of
                #{ConnId := _} -> ok;
                %% Lost on its way here, or answered on the way back: this module keeps no answers.
                #{} -> send(ConnId, {ConnId, 503, [{<<"retry-after">>, <<"0">>}], <<>>})
            end,
            loop(Held);
        {say, Text} ->
            lists:foreach(fun(ConnId) -> send(ConnId, {ConnId, Text}) end, maps:keys(Held)),
            loop(#{})
    end.

%% A gateway that does not read must not stop us, and one that is gone is not worth a connection.
send(To, Message) -> erlang:send(To, Message, [nosuspend, noconnect]).
