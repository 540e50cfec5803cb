%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the hub does with what is not for a session of this node. One that was made up by a stranger costs one passed message.
%%%
%%% | its session                          | is it passed on?               | else                                              |
%%% |--------------------------------------|--------------------------------|---------------------------------------------------|
%%% | ended here                           | no                             | megaphone_ended answers                           |
%%% | moved (megaphone_moved)              | to the hub where it is         | 503: is it to be asked again                      |
%%% | ... but there is no way there        | by way of its gateway          | 503                                               |
%%% | ... nobody told yet whether it did   | no                             | 503                                               |
%%% | has the tag of another node          | to that one's hub, if it runs  | `item-not-found'                                  |
%%% | none: a creation                     | to a node that takes new ones  | 503                                               |
%%%
%%% A message is passed on three times at most, as where a session moves again meanwhile; one without a better way than its tag,
%%% once. Where that node is not connected to the gateway, the answer comes back by way of here.
-module(megaphone_elsewhere).

-export([request/5, told/3, creation/2]).

-define(MAX_HOPS, 3).

%% @doc A request, or of which only the rid is known.
-spec request(megaphone_sid:sid(), ConnId :: pid(), megaphone_body:rid() | none, tuple(), Hops :: non_neg_integer()) -> ok.
request(Sid, ConnId, Rid, Message, Hops) ->
    case way(Sid, Hops) of
        {to, Node} ->
            case relayed(Node, ConnId, Message, Hops) of
                ok -> ok;
                busy -> megaphone_gateway:repeat(ConnId);
                cut -> megaphone_gateway:elsewhere(ConnId, Node, body(Message))
            end;
        {cut, Node} -> megaphone_gateway:elsewhere(ConnId, Node, body(Message));
        ended -> megaphone_ended:asked(Sid, ConnId, Rid);
        unknown -> megaphone_gateway:repeat(ConnId)
    end.

%% None where it is only asked what became of it.
-spec body(tuple()) -> binary().
body({_, held, _, _}) -> <<>>;
body(Message) -> element(2, Message).

%% @doc What has no answer.
-spec told(megaphone_sid:sid(), tuple(), Hops :: non_neg_integer()) -> ok.
told(Sid, Message, Hops) ->
    case way(Sid, Hops) of
        {to, Node} -> _ = pass(Node, Message, Hops), ok;
        _ -> ok
    end.

%% @doc One that is not to begin here.
-spec creation(tuple(), Hops :: non_neg_integer()) -> ok | none.
creation(Message, Hops) when Hops < ?MAX_HOPS ->
    case megaphone_cluster:other(node(element(1, Message))) of
        {ok, Node} -> case pass(Node, Message, Hops) of ok -> ok; _ -> none end;
        none -> none
    end;
creation(_, _) ->
    none.

-spec way(megaphone_sid:sid(), Hops :: non_neg_integer()) -> {to | cut, node()} | ended | unknown.
way(Sid, Hops) ->
    case megaphone_ended:find(Sid) of
        {ended, _} ->
            ended;
        none ->
            case megaphone_moved:find(Sid) of
                {ok, Pid} when Hops < ?MAX_HOPS -> running(node(Pid));
                {ok, _} -> unknown;
                unknown -> unknown;
                none when Hops =:= 0 -> home(megaphone_cluster:node_of(megaphone_sid:tag_of(Sid)));
                none -> ended
            end
    end.

%% It is not gone, as far as is known here: then its sessions would be. Gateways see more.
-spec running(node()) -> {to | cut, node()}.
running(Node) ->
    case megaphone_cluster:node_of(megaphone_sid:tag(Node)) of
        none -> {cut, Node};
        _ -> {to, Node}
    end.

-spec home(node() | none) -> {to, node()} | ended.
home(none) -> ended;
home(Node) -> {to, Node}.

-spec relayed(node(), ConnId :: pid(), tuple(), Hops :: non_neg_integer()) -> ok | busy | cut.
relayed(Node, ConnId, Message, Hops) ->
    case node(ConnId) =:= node() orelse megaphone_cluster:is_connected(Node, node(ConnId)) of
        true ->
            pass(Node, Message, Hops);
        false ->
            case megaphone_relay:start(ConnId, Node) of
                {ok, Relay} -> pass(Node, setelement(1, Message, Relay), Hops);
                error -> busy
            end
    end.

%% The hub waits for no other.
-spec pass(node(), tuple(), Hops :: non_neg_integer()) -> ok | busy | cut.
pass(Node, Message, Hops) ->
    case erlang:send({mod_megaphone, Node}, {passed, Hops + 1, Message}, [nosuspend, noconnect]) of
        ok -> megaphone_stats:add(requests_passed, 1);
        nosuspend -> busy;
        noconnect -> cut
    end.
