%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The process registered as `mod_megaphone', to which gateways send: it starts sessions and hands
%%% every request to its session, unparsed. A ConnId is the pid that stands for one HTTP exchange.
%%% It works for everybody: nothing here costs in proportion to a body.
%%%
%%% | from a gateway        | there is such a session  | it has ended, or never was  | a creation                    |
%%% |-----------------------|--------------------------|-----------------------------|-------------------------------|
%%% | a request             | is handed to it          | is answered so (megaphone_ended) | a session, or a refusal  |
%%% | `held': is it yours?  | it is asked              | is answered so              | -                             |
%%% | `closed'              | it is told               | -                           | -                             |
%%% | `mark'                | `taken': everything before it was                     |||
%%%
%%% What it knows itself is who the strangers are, that is who has not logged in (megaphone_admission), how often it
%%% refused whom (megaphone_refusals), and whether this node stops. Which process serves a sid is in megaphone_sessions;
%%% so a new hub, after a fault, lacks only the last two.
%%%
%%% A gateway keeps at most 1024 requests on their way here. It marks its place among them now and then,
%%% and is told when this process comes to the mark, which in a busy server is when its turn comes: so
%%% what the server cannot take yet waits in the gateway, and no mailbox grows.
%%%
%%% After a break of its link, or a restart of this process, a gateway asks what became of the requests
%%% that it holds: their answers may be lost.
-module(megaphone_hub).
-behaviour(gen_server).

-export([start_link/0, logged_in/1, stranger/2, refuse/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TICK_MS, 1000).

-record(hub, {
    tag :: binary(),
    admission :: megaphone_admission:admission(),
    refusals = megaphone_refusals:new() :: megaphone_refusals:refusals(),
    %% This node stops.
    is_stopping = false :: boolean()
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, mod_megaphone}, ?MODULE, mod_megaphone:node_limits(), []).

-spec init(megaphone_admission:limits()) -> {ok, #hub{}}.
init(Limits) ->
    process_flag(message_queue_data, off_heap),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {ok, #hub{tag = megaphone_sid:tag(node()), admission = megaphone_admission:new(Limits)}}.

%% @doc The session of this process is no stranger's any more.
-spec logged_in(pid()) -> ok.
logged_in(Pid) ->
    ok = megaphone_admission:forget(Pid),
    tell({logged_in, Pid}).

%% @doc The session of this process began under an earlier hub, and has not logged in.
-spec stranger(pid(), inet:ip_address()) -> ok.
stranger(Pid, Ip) ->
    Address = megaphone_admission:address(Ip),
    ok = megaphone_admission:stranger(Pid, Address),
    tell({stranger, Pid, Address}).

%% Where there is none, the next one finds all this in the table.
-spec tell(term()) -> ok.
tell(Word) ->
    case whereis(mod_megaphone) of
        undefined -> ok;
        Hub -> Hub ! Word, ok
    end.

%% @doc This node stops: no new sessions from now on.
-spec refuse() -> ok.
refuse() ->
    gen_server:cast(mod_megaphone, refuse).

-spec handle_call(term(), {pid(), term()}, #hub{}) -> {reply, {error, unknown_request}, #hub{}}.
handle_call(_, _, Hub) ->
    {reply, {error, unknown_request}, Hub}.

-spec handle_cast(term(), #hub{}) -> {noreply, #hub{}}.
handle_cast(refuse, Hub) ->
    {noreply, Hub#hub{is_stopping = true}};
handle_cast(_, Hub) ->
    {noreply, Hub}.

-spec handle_info(term(), #hub{}) -> {noreply, #hub{}}.
handle_info({ConnId, Body}, Hub) when is_pid(ConnId), is_binary(Body) ->
    {noreply, request(ConnId, Body, #{}, Hub)};
handle_info({ConnId, Body, Meta}, Hub) when is_pid(ConnId), is_binary(Body), is_map(Meta) ->
    {noreply, request(ConnId, Body, Meta, Hub)};
handle_info({Gateway, mark, Place}, Hub) when is_pid(Gateway), is_integer(Place) ->
    ok = megaphone_gateway:taken(node(Gateway), Place),
    {noreply, Hub};
handle_info({ConnId, held, Sid, Rid}, Hub) when is_pid(ConnId), is_binary(Sid), is_integer(Rid) ->
    case find(Sid) of
        {ok, Pid} -> megaphone_session:asked(Pid, ConnId, Rid);
        ended -> megaphone_ended:asked(Sid, ConnId, Rid)
    end,
    {noreply, Hub};
handle_info({ConnId, closed, Sid}, Hub) when is_pid(ConnId), is_binary(Sid) ->
    case find(Sid) of
        {ok, Pid} -> megaphone_session:closed(Pid, ConnId);
        ended -> ok
    end,
    {noreply, Hub};
handle_info({logged_in, Pid}, Hub) ->
    {noreply, leave(Pid, Hub)};
handle_info({stranger, Pid, Address}, #hub{admission = Admission} = Hub) ->
    {noreply, Hub#hub{admission = megaphone_admission:found(Pid, Address, Admission)}};
handle_info({'DOWN', _, process, Pid, _}, Hub) ->
    {noreply, leave(Pid, Hub)};
handle_info(tick, #hub{admission = Admission, refusals = Refusals} = Hub) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {MakeRoom, Admission1} = megaphone_admission:tick(mod_megaphone:node_limits(), Admission),
    lists:foreach(fun({Pid, Who}) -> megaphone_session:make_room(Pid, Who) end, MakeRoom),
    {noreply, Hub#hub{admission = Admission1, refusals = megaphone_refusals:tick(now_seconds(), Refusals)}};
handle_info(_, Hub) ->
    {noreply, Hub}.

-spec request(pid(), binary(), map(), #hub{}) -> #hub{}.
request(ConnId, Body, Meta, #hub{is_stopping = IsStopping} = Hub) ->
    case megaphone_peek:sid(Body) of
        {ok, Sid} ->
            case find(Sid) of
                {ok, Pid} -> megaphone_session:request(Pid, ConnId, Body);
                ended -> megaphone_ended:request(Sid, ConnId, Body)
            end,
            Hub;
        none when IsStopping ->
            refuse(ConnId, stopping, Hub);
        none ->
            create(ConnId, Body, Meta, Hub)
    end.

-spec find(megaphone_sid:sid()) -> {ok, pid()} | ended.
find(Sid) ->
    case megaphone_sessions:find(Sid) of
        {ok, Pid} ->
            case is_process_alive(Pid) of
                true -> {ok, Pid};
                %% Killed without a chance to say so; it will be swept out.
                false -> ended
            end;
        none ->
            ended;
        unknown ->
            %% The index is gone, and this process about to be restarted after it: no report of its last message.
            exit({shutdown, no_index})
    end.

-spec create(pid(), binary(), map(), #hub{}) -> #hub{}.
create(ConnId, Body, Meta, #hub{admission = Admission} = Hub) ->
    {Ip, _} = Peer = megaphone_opening:peer(Meta),
    Address = megaphone_admission:address(Ip),
    Start = fun(A) -> start(ConnId, Body, Peer, Address, Hub#hub{admission = A}) end,
    case megaphone_admission:check(Address, Admission) of
        ok ->
            Start(Admission);
        {instead_of, Pid} ->
            ok = megaphone_session:make_room(Pid, any),
            Start(megaphone_admission:leave(Pid, Admission));
        {refused, Reason} ->
            refuse(ConnId, Reason, Hub)
    end.

-spec start(pid(), binary(), megaphone_socket:endpoint(), megaphone_admission:address(), #hub{}) -> #hub{}.
start(ConnId, Body, Peer, Address, #hub{tag = Tag, admission = Admission} = Hub) ->
    try megaphone_session:start(megaphone_sid:new(Tag), ConnId, Body, Peer) of
        {Pid, Monitor} ->
            Hub#hub{admission = megaphone_admission:enter(Pid, Monitor, Address, Admission)}
    catch
        error:system_limit -> refuse(ConnId, processes, Hub)
    end.

-spec refuse(pid(), megaphone_refusals:refusal(), #hub{}) -> #hub{}.
refuse(ConnId, Reason, #hub{refusals = Refusals} = Hub) ->
    Hub#hub{refusals = megaphone_refusals:refuse(ConnId, Reason, now_seconds(), Refusals)}.

-spec leave(pid(), #hub{}) -> #hub{}.
leave(Pid, #hub{admission = Admission} = Hub) ->
    Hub#hub{admission = megaphone_admission:leave(Pid, Admission)}.

-spec now_seconds() -> integer().
now_seconds() -> erlang:monotonic_time(second).
