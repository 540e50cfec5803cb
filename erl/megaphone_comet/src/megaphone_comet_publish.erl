%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Registered as `megaphone_publish': sends what it gets, for those who speak Erlang distribution and cannot call functions, such as
%%% gateways, C nodes, and nodes of Java.
-module(megaphone_comet_publish).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() -> gen_server:start_link({local, megaphone_publish}, ?MODULE, [], []).

-spec init([]) -> {ok, none}.
init([]) ->
    _ = process_flag(message_queue_data, off_heap),
    {ok, none}.

%% `ok' when the ring has all of them: nothing is sent where one is no message.
-spec handle_call(term(), {pid(), term()}, none) -> {reply, ok | {error, unknown_request | bad_item}, none}.
handle_call({publish, Items}, _, none) when is_list(Items) ->
    case lists:all(fun is_item/1, Items) of
        true -> ok = lists:foreach(fun({To, Body, Meta}) -> publish(To, Body, given(Meta)) end, Items), {reply, ok, none};
        false -> {reply, {error, bad_item}, none}
    end;
handle_call(_, _, none) -> {reply, {error, unknown_request}, none}.

%% Processes get the text alone, where nothing goes along with it.
-spec given(map()) -> map() | none.
given(Meta) when map_size(Meta) =:= 0 -> none;
given(Meta) -> Meta.

-spec is_item(term()) -> boolean().
is_item({To, Body, Meta}) when is_binary(Body), is_map(Meta) -> are_ids(ids(To));
is_item(_) -> false.

-spec handle_cast(term(), none) -> {noreply, none}.
handle_cast(_, none) -> {noreply, none}.

-spec handle_info(term(), none) -> {noreply, none}.
handle_info(Message, none) ->
    case Message of
        {To, Body} -> publish(To, Body, none);
        {To, Body, Meta} when is_map(Meta) -> publish(To, Body, Meta);
        _ -> ok
    end,
    {noreply, none}.

-spec publish(term(), term(), map() | none) -> ok.
publish(To, Body, Meta) ->
    Ids = ids(To),
    case are_ids(Ids) of
        true when Meta =:= none -> megaphone_router:send_all(Ids, Body);
        true -> megaphone_router:send_all(Ids, Body, Meta);
        false -> ok
    end.

-spec ids(term()) -> term().
ids([_ | _] = To) -> To;
ids(To) -> [To].

-spec are_ids(term()) -> boolean().
are_ids([Id | Ids]) when is_integer(Id); is_binary(Id); is_atom(Id) -> are_ids(Ids);
are_ids(Rest) -> Rest =:= [].
