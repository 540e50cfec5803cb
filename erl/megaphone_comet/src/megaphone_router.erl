%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Messages to whoever is logged in with an id: processes and gateways, on any node. All is done in the process that calls, from
%%% tables of its node; logins alone go through the node's `megaphone_router' (megaphone_comet_directory).
%%%
%%% A message takes its number, then goes into the ring, and to those who were there after the number was taken: so whoever comes meanwhile
%%% either gets it, or hears of a number that covers it.
-module(megaphone_router).

-export([login/2, logout/1, logout/2, send/2, send/3, send_all/2, send_all/3, places/1, stats/0]).

-export_type([id/0]).

-type id() :: megaphone_comet_id:id().
-type canonical() :: megaphone_comet_id:canonical().

%% Ids of one message to a gateway: what it does for them is one turn of its event loop.
-define(MOST_IDS, 500).

-record(way, {
    gateways = #{} :: #{node() => [{canonical(), pos_integer()}]},
    nodes = #{} :: #{node() => [canonical()]},
    here = [] :: [canonical()],
    sent = 0 :: non_neg_integer(),
    nobody = 0 :: non_neg_integer(),
    kept = 0 :: non_neg_integer()
}).

%% @doc It gets what is sent to this id from now on, until it logs out or ends. All of it goes by its own node: nobody watches it over a
%% link, and whoever sends waits for none.
-spec login(id(), pid()) -> ok.
login(Id, Pid) -> gen_server:call({?MODULE, node(Pid)}, {login, megaphone_comet_id:canonical(Id), Pid}, infinity).

%% @doc Of all its ids.
-spec logout(pid()) -> ok.
logout(Pid) -> gen_server:call({?MODULE, node(Pid)}, {logout, Pid}, infinity).

-spec logout(id(), pid()) -> ok.
logout(Id, Pid) -> gen_server:call({?MODULE, node(Pid)}, {logout, megaphone_comet_id:canonical(Id), Pid}, infinity).

%% @doc Processes get the term as it is, pages its text.
-spec send(id(), term()) -> ok.
send(Id, Msg) -> send_all([Id], Msg).

%% @doc Processes get {Id, Msg, Meta}.
-spec send(id(), term(), map()) -> ok.
send(Id, Msg, Meta) -> go([megaphone_comet_id:canonical(Id)], {Id, Msg, Meta}, text(Msg), Meta).

%% @doc The same to each of these ids, in one message a place.
-spec send_all([id()], term()) -> ok.
send_all(Ids, Msg) -> go([megaphone_comet_id:canonical(Id) || Id <- Ids], Msg, text(Msg), #{}).

%% @doc Processes get {Ids, Msg, Meta}.
-spec send_all([id()], term(), map()) -> ok.
send_all(Ids, Msg, Meta) -> go([megaphone_comet_id:canonical(Id) || Id <- Ids], {Ids, Msg, Meta}, text(Msg), Meta).

%% @doc The nodes and gateways where somebody is logged in with it, as this node knows.
-spec places(id()) -> [node()].
places(Id) -> megaphone_comet_table:places(megaphone_comet_id:canonical(Id)).

-spec stats() -> #{atom() => non_neg_integer()}.
stats() ->
    (megaphone_comet_stats:all())#{ids => megaphone_comet_table:count(), ring_bytes => megaphone_comet_ring:bytes()}.

%% `none' is nothing that a page could get.
-spec text(term()) -> binary() | none.
text(Msg) when is_binary(Msg) -> Msg;
text(Msg) when is_list(Msg) ->
    try unicode:characters_to_binary(Msg) of
        Text when is_binary(Text) -> Text;
        _ -> none
    catch
        error:badarg -> none
    end;
text(_) -> none.

-spec go([canonical()], term(), binary() | none, map()) -> ok.
go(Ids, Msg, Text, Meta) ->
    #way{} = Way = lists:foldl(fun(Id, Acc) -> look(Id, Text, Meta, Acc) end, #way{}, Ids),
    Delivered = lists:sum([megaphone_comet_logins:deliver(Id, Msg) || Id <- Way#way.here]),
    ok = maps:foreach(fun(Node, Its) -> to_node(Node, Its, Msg) end, Way#way.nodes),
    ok = maps:foreach(fun(Gateway, Its) -> to_gateway(Gateway, lists:reverse(Its), Text, Meta) end, Way#way.gateways),
    ok = megaphone_comet_stats:add(sent, Way#way.sent),
    ok = megaphone_comet_stats:add(nobody, Way#way.nobody),
    ok = megaphone_comet_stats:add(kept, Way#way.kept),
    megaphone_comet_stats:add(delivered, Delivered).

-spec look(canonical(), binary() | none, map(), #way{}) -> #way{}.
%% A number is for what pages get: one that they did not get would be missed.
look(Id, none, _, #way{nobody = Nobody, sent = Sent} = Way) ->
    case megaphone_comet_table:nodes(Id) of
        [] -> Way#way{nobody = Nobody + 1};
        Nodes -> by_nodes(Id, Nodes, Way#way{sent = Sent + 1})
    end;
look(Id, Text, Meta, #way{nobody = Nobody, sent = Sent} = Way) ->
    case megaphone_comet_table:next(Id) of
        none -> Way#way{nobody = Nobody + 1};
        {Number, Gateways, Nodes} -> by_nodes(Id, Nodes, by_gateways({Id, Number}, Gateways, Text, Meta, Way#way{sent = Sent + 1}))
    end.

-spec by_gateways({canonical(), pos_integer()}, [node()] | integer(), binary(), map(), #way{}) -> #way{}.
by_gateways(_, [], _, _, Way) ->
    Way;
by_gateways({Id, Number} = Pair, Gateways, Text, Meta, #way{gateways = Known, kept = Kept} = Way) ->
    More = case megaphone_comet_ring:keep(Id, Number, Text, Meta) of true -> 1; false -> 0 end,
    %% Where it is no list the last one left lately.
    Places = case Gateways of [_ | _] -> Gateways; _ -> [] end,
    Way#way{kept = Kept + More, gateways = lists:foldl(fun(Gateway, Acc) -> with(Gateway, Pair, Acc) end, Known, Places)}.

-spec by_nodes(canonical(), [node()], #way{}) -> #way{}.
by_nodes(_, [], Way) -> Way;
by_nodes(Id, [Node | Nodes], #way{here = Here} = Way) when Node =:= node() -> by_nodes(Id, Nodes, Way#way{here = [Id | Here]});
by_nodes(Id, [Node | Nodes], #way{nodes = Known} = Way) -> by_nodes(Id, Nodes, Way#way{nodes = with(Node, Id, Known)}).

-spec with(node(), Item, #{node() => [Item]}) -> #{node() => [Item]}.
with(Node, Item, Map) ->
    case Map of
        #{Node := Items} -> Map#{Node := [Item | Items]};
        #{} -> Map#{Node => [Item]}
    end.

-spec to_node(node(), [canonical()], term()) -> ok.
to_node(Node, Ids, Msg) ->
    case megaphone_comet_relay:pass(Node, Ids, Msg) of
        ok -> megaphone_comet_stats:add(to_nodes, 1);
        nosuspend -> megaphone_comet_stats:add(busy, length(Ids));
        noconnect -> ok
    end.

-spec to_gateway(node(), [{canonical(), pos_integer()}], binary(), map()) -> ok.
to_gateway(_, [], _, _) ->
    ok;
to_gateway(Gateway, Pairs, Text, Meta) ->
    Now = lists:sublist(Pairs, ?MOST_IDS),
    case erlang:send({any, Gateway}, {message, node(), Now, Text, Meta}, [nosuspend, noconnect]) of
        ok -> megaphone_comet_stats:add(to_gateways, 1);
        nosuspend ->
            ok = megaphone_comet_behind:note(Gateway, [Id || {Id, _} <- Now]),
            megaphone_comet_stats:add(busy, length(Now));
        %% It is told all when it is back.
        noconnect -> ok
    end,
    to_gateway(Gateway, lists:nthtail(length(Now), Pairs), Text, Meta).
