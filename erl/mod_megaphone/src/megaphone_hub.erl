%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The process registered as `mod_megaphone', to which gateways send: it starts sessions and hands
%%% every request to its session, unparsed. A ConnId is the pid that stands for one HTTP exchange.
%%% It works for everybody: nothing here costs in proportion to a body.
%%%
%%% A gateway keeps at most 1024 requests on their way here. It may send more as this process takes
%%% them, which in a busy server is when its turn comes: so what the server cannot take yet waits in
%%% the gateway, and no mailbox grows.
-module(megaphone_hub).
-behaviour(gen_server).

-export([start_link/0, late/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-include_lib("kernel/include/logger.hrl").

-define(SWEEP_MS, 10000).
%% Requests for which credit is given at once.
-define(CREDIT, 128).

-record(hub, {
    tag :: binary(),
    %% Requests taken from each gateway since it last got credit.
    taken = #{} :: #{node() => non_neg_integer()}
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, mod_megaphone}, ?MODULE, [], []).

-spec init([]) -> {ok, #hub{}}.
init([]) ->
    process_flag(message_queue_data, off_heap),
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {ok, #hub{tag = megaphone_sid:tag(node())}}.

-spec handle_call(term(), {pid(), term()}, #hub{}) -> {reply, {error, unknown_request}, #hub{}}.
handle_call(_, _, Hub) ->
    {reply, {error, unknown_request}, Hub}.

-spec handle_cast(term(), #hub{}) -> {noreply, #hub{}}.
handle_cast(_, Hub) ->
    {noreply, Hub}.

-spec handle_info(term(), #hub{}) -> {noreply, #hub{}}.
handle_info({ConnId, Body}, Hub) when is_pid(ConnId), is_binary(Body) ->
    request(ConnId, Body, #{}, Hub),
    {noreply, taken(node(ConnId), Hub)};
handle_info({ConnId, Body, Meta}, Hub) when is_pid(ConnId), is_binary(Body), is_map(Meta) ->
    request(ConnId, Body, Meta, Hub),
    {noreply, taken(node(ConnId), Hub)};
handle_info({ConnId, closed, Sid}, Hub) when is_pid(ConnId), is_binary(Sid) ->
    case megaphone_sessions:find(Sid) of
        {ok, Pid} -> megaphone_session:closed(Pid, ConnId);
        _ -> ok
    end,
    {noreply, Hub};
handle_info(sweep, Hub) ->
    _ = megaphone_sessions:sweep(),
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {noreply, Hub};
handle_info(_, Hub) ->
    {noreply, Hub}.

-spec taken(node(), #hub{}) -> #hub{}.
taken(Gateway, #hub{taken = Taken} = Hub) ->
    case Taken of
        #{Gateway := Count} when Count < ?CREDIT - 1 ->
            Hub#hub{taken = Taken#{Gateway := Count + 1}};
        #{Gateway := _} ->
            ok = megaphone_gateway:credit(Gateway, ?CREDIT),
            Hub#hub{taken = maps:remove(Gateway, Taken)};
        #{} ->
            Hub#hub{taken = Taken#{Gateway => 1}}
    end.

-spec request(pid(), binary(), map(), #hub{}) -> ok.
request(ConnId, Body, Meta, #hub{tag = Tag}) ->
    case megaphone_peek:sid(Body) of
        {ok, Sid} ->
            route(ConnId, Body, Sid, megaphone_sessions:find(Sid));
        none ->
            start(ConnId, Body, Meta, megaphone_sid:new(Tag))
    end.

-spec route(pid(), binary(), binary(), {ok, pid()} | {ended, megaphone_bosh:ended()} | none) -> ok.
route(ConnId, Body, Sid, {ok, Pid}) ->
    case is_process_alive(Pid) of
        true ->
            megaphone_session:request(Pid, ConnId, Body);
        false ->
            %% Killed without a chance to say so.
            ok = megaphone_sessions:close(Sid),
            route(ConnId, Body, Sid, none)
    end;
route(ConnId, Body, _, Gone) ->
    late(ConnId, Body, Gone).

%% @doc Answers a request whose session has ended: a repeat with what is kept, any other with the end.
-spec late(pid(), binary(), {ended, megaphone_bosh:ended()} | none) -> ok.
late(ConnId, Body, {ended, #{kept := Kept, final := {FinalStatus, FinalBody}}}) ->
    {Status, Answer} =
        case lists:keyfind(megaphone_peek:rid(Body), 1, Kept) of
            {_, KeptStatus, KeptBody} -> {KeptStatus, KeptBody};
            false -> {FinalStatus, FinalBody}
        end,
    megaphone_gateway:last_answer(ConnId, Status, [], Answer);
late(ConnId, _, none) ->
    {Status, Answer} = megaphone_condition:failure(false, <<"item-not-found">>),
    megaphone_gateway:last_answer(ConnId, Status, [], Answer).

-spec start(pid(), binary(), map(), megaphone_sid:sid()) -> ok.
start(ConnId, Body, Meta, Sid) ->
    try
        megaphone_session:start(Sid, ConnId, Body, Meta)
    catch
        error:system_limit ->
            ?LOG_ERROR("Megaphone cannot start a session: this node has no room for another process (+P)"),
            {Status, Answer} = megaphone_condition:failure(false, <<"internal-server-error">>),
            megaphone_gateway:last_answer(ConnId, Status, [], Answer)
    end.
