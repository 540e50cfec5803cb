%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% What other nodes send to processes of this one: one message over the link, however many are logged in. There are several relays, so that
%%% one that is busy with an id of many processes holds up few; whoever sends always takes the same, so his messages stay in order.
-module(megaphone_comet_relay).
-behaviour(gen_server).

-export([start_link/1, names/0, pass/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(NAMES, {megaphone_comet_relay_1, megaphone_comet_relay_2, megaphone_comet_relay_3, megaphone_comet_relay_4,
                megaphone_comet_relay_5, megaphone_comet_relay_6, megaphone_comet_relay_7, megaphone_comet_relay_8}).

-spec start_link(atom()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Name) -> gen_server:start_link({local, Name}, ?MODULE, [], []).

-spec names() -> [atom()].
names() -> tuple_to_list(?NAMES).

%% @doc To the processes of these ids on that node. Holds up nobody: where the link has no room it is dropped.
-spec pass(node(), [megaphone_comet_id:canonical()], term()) -> ok | nosuspend | noconnect.
pass(Node, Ids, Msg) ->
    Name = element(1 + erlang:phash2(self(), tuple_size(?NAMES)), ?NAMES),
    erlang:send({Name, Node}, {Ids, Msg}, [nosuspend, noconnect]).

-spec init([]) -> {ok, none}.
init([]) ->
    _ = process_flag(message_queue_data, off_heap),
    {ok, none}.

-spec handle_call(term(), {pid(), term()}, none) -> {reply, {error, unknown_request}, none}.
handle_call(_, _, none) -> {reply, {error, unknown_request}, none}.

-spec handle_cast(term(), none) -> {noreply, none}.
handle_cast(_, none) -> {noreply, none}.

-spec handle_info(term(), none) -> {noreply, none}.
handle_info({Ids, Msg}, none) when is_list(Ids) ->
    megaphone_comet_stats:add(delivered, lists:sum([megaphone_comet_logins:deliver(Id, Msg) || Id <- Ids])),
    {noreply, none};
handle_info(_, none) ->
    {noreply, none}.
