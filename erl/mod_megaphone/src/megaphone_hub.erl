%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The process registered as `mod_megaphone', to which gateways send: it starts sessions and hands
%%% every request to its session, unparsed. A ConnId is the pid that stands for one HTTP exchange.
%%% It works for everybody: nothing here costs in proportion to a body.
%%%
%%% | from a gateway       | its session lives | it has ended, or never was       | it names none: a creation      |
%%% |----------------------|-------------------|----------------------------------|--------------------------------|
%%% | a request            | is handed to it   | megaphone_elsewhere, or megaphone_ended answers: a kept answer, why it ended, or `item-not-found' | begins one, or hears 503 |
%%% | `held': is it yours? | it is asked       | the same                         | -                              |
%%% | `closed', `release'  | it is told        | megaphone_elsewhere, or -        | -                              |
%%% | `passed'             | by another hub: any of these, for a session that lives here, or may begin here       |||
%%% | `watch'              | megaphone_cluster tells it of the cluster                                            |||
%%% | `mark'               | `taken': everything before it was                                |||
%%% | `open': a WebSocket  | -                    | -                                | begins one, or hears 503       |
%%%
%%% What comes by a WebSocket after that goes straight to its session. A node that is being emptied begins no session: others of the
%%% cluster do, or its client hears 503.
%%%
%%% What it knows itself is who the strangers are, that is who has not logged in (megaphone_admission), and which exchange
%%% began the session of each: it answers that where the session is killed. And how often it refused whom
%%% (megaphone_refusals). Which process serves a sid is in megaphone_sessions. So a new hub,
%%% after a fault, finds the strangers in their table, and lacks the rest; those exchanges gateways answer when a hub goes.
%%%
%%% A gateway keeps at most 1024 requests on their way here. It marks its place among them now and then,
%%% and is told when this process comes to the mark, which in a busy server is when its turn comes: so
%%% what the server cannot take yet waits in the gateway, and no mailbox grows.
%%%
%%% After a break of its link, or a restart of this process, a gateway asks what became of the requests
%%% that it holds: their answers may be lost.
-module(megaphone_hub).
-behaviour(gen_server).

-export([start_link/0, logged_in/1, stranger/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-define(TICK_MS, 1000).

-record(hub, {
    tag :: binary(),
    admission :: megaphone_admission:admission(),
    refusals = megaphone_refusals:new() :: megaphone_refusals:refusals(),
    %% What began the session of a stranger: where that is killed, nobody else knows who waits.
    creations = #{} :: #{pid() => {Via :: module(), ConnId :: pid()}}
}).

%% How its client is reached, what came, and of whom.
-type created() :: {Via :: module(), megaphone_transport:what(), Meta :: map()}.
%% Whose exchange or socket, and what came by it.
-type first() :: {ConnId :: pid(), megaphone_transport:what()}.

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() ->
    gen_server:start_link({local, mod_megaphone}, ?MODULE, mod_megaphone:node_limits(), []).

-spec init(megaphone_admission:limits()) -> {ok, #hub{}} | {stop, stop_reason()}.
init(Limits) ->
    process_flag(message_queue_data, off_heap),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    try
        {ok, #hub{tag = megaphone_sid:tag(node()), admission = megaphone_admission:new(Limits)}}
    catch
        _:Reason:Stack -> {stop, stop_reason(Reason, Stack)}
    end.

%% @doc The session of this process is no stranger's any more.
-spec logged_in(pid()) -> ok.
logged_in(Pid) ->
    ok =
        case megaphone_admission:logged_in(Pid) of
            {ok, Took} -> megaphone_stats:login(Took);
            unknown -> ok
        end,
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

-spec handle_call(term(), {pid(), term()}, #hub{}) -> {reply, {error, unknown_request}, #hub{}}.
handle_call(_, _, Hub) ->
    {reply, {error, unknown_request}, Hub}.

-spec handle_cast(term(), #hub{}) -> {noreply, #hub{}}.
handle_cast(_, Hub) ->
    {noreply, Hub}.

%% Left to gen_server and proc_lib a fault would be told with message and mailbox, which hold users' messages.
-spec handle_info(term(), #hub{}) -> {noreply, #hub{}} | {stop, stop_reason(), #hub{}}.
handle_info(Info, Hub) ->
    try
        {noreply, hear(Info, Hub)}
    catch
        _:Reason:Stack -> {stop, stop_reason(Reason, Stack), Hub}
    end.

%% @doc Users' messages are in what it is to hear.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) -> megaphone_fault:hide(Status).

-type stop_reason() :: {shutdown, term()}.

%% The supervisor logs it.
-spec stop_reason(term(), list()) -> stop_reason().
stop_reason({shutdown, _} = Reason, _) ->
    Reason;
stop_reason(Reason, Stack) ->
    #{reason := Kind} = megaphone_fault:hide(#{reason => Reason}),
    {shutdown, {fault, Kind, [{M, F, proplists:get_value(line, Info, 0)} || {M, F, _, Info} <- lists:sublist(Stack, 5)]}}.

-spec hear(term(), #hub{}) -> #hub{}.
hear({passed, Hops, Message}, Hub) when is_integer(Hops) ->
    message(Message, Hops, Hub);
hear({Gateway, mark, Place}, Hub) when is_pid(Gateway), is_integer(Place) ->
    ok = megaphone_gateway:taken(node(Gateway), Place),
    Hub;
hear({Gateway, watch}, Hub) when is_pid(Gateway) ->
    ok = megaphone_cluster:watch(node(Gateway)),
    Hub;
hear(Message, Hub) when is_pid(element(1, Message)) ->
    message(Message, 0, Hub);
hear({logged_in, Pid}, Hub) ->
    leave(Pid, Hub);
hear({stranger, Pid, Address}, #hub{admission = Admission} = Hub) ->
    Hub#hub{admission = megaphone_admission:found(Pid, Address, Admission)};
hear({'DOWN', _, process, Pid, Reason}, Hub) ->
    ok = answer_for(Pid, Reason, Hub),
    leave(Pid, Hub);
hear(tick, #hub{admission = Admission, refusals = Refusals} = Hub) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {MakeRoom, Admission1} = megaphone_admission:tick(mod_megaphone:node_limits(), Admission),
    lists:foreach(fun({Pid, Who}) -> megaphone_session:make_room(Pid, Who) end, MakeRoom),
    Hub#hub{admission = Admission1, refusals = megaphone_refusals:tick(now_seconds(), Refusals)};
hear(_, Hub) ->
    Hub.

%% From a gateway, by so many other hubs.
-spec message(tuple(), Hops :: non_neg_integer(), #hub{}) -> #hub{}.
message({ConnId, Body} = Message, Hops, Hub) when is_binary(Body) ->
    request(ConnId, Body, Message, Hops, Hub);
message({ConnId, Body, Meta} = Message, Hops, Hub) when is_binary(Body), is_map(Meta) ->
    request(ConnId, Body, Message, Hops, Hub);
message({_, open, Meta} = Message, Hops, Hub) when is_map(Meta) ->
    create(Message, Hops, Hub);
message({ConnId, held, Sid, Rid} = Message, Hops, Hub) when is_binary(Sid), is_integer(Rid) ->
    case find(Sid) of
        {ok, Pid} -> pass({bosh_asked, ConnId, Rid}, ConnId, Pid, Hops);
        none -> megaphone_elsewhere:request(Sid, ConnId, Rid, Message, Hops)
    end,
    Hub;
message({ConnId, Word, Sid} = Message, Hops, Hub) when is_binary(Sid), Word =:= closed orelse Word =:= release ->
    case find(Sid) of
        {ok, Pid} when Word =:= closed -> tell(Pid, {bosh_closed, ConnId});
        {ok, Pid} -> tell(Pid, {bosh_release, ConnId});
        none -> megaphone_elsewhere:told(Sid, Message, Hops)
    end,
    Hub;
message(_, _, Hub) ->
    Hub.

-spec request(pid(), binary(), tuple(), Hops :: non_neg_integer(), #hub{}) -> #hub{}.
request(ConnId, Body, Message, Hops, Hub) ->
    case megaphone_peek:sid(Body) of
        {ok, Sid} ->
            case find(Sid) of
                {ok, Pid} -> pass({bosh_request, ConnId, Body}, ConnId, Pid, Hops);
                none -> megaphone_elsewhere:request(Sid, ConnId, megaphone_peek:rid(Body), Message, Hops)
            end,
            Hub;
        none ->
            create(Message, Hops, Hub)
    end.

%% To the session; see megaphone_via_bosh.
-spec pass(tuple(), ConnId :: pid(), pid(), Hops :: non_neg_integer()) -> ok.
pass(Message, _, Pid, 0) ->
    tell(Pid, Message);
pass(Message, ConnId, Pid, _) ->
    %% Its gateway takes it to be with the hub that passed it on.
    _ = megaphone_gateway:session(ConnId, Pid),
    tell(Pid, Message).

-spec tell(pid(), tuple()) -> ok.
tell(Pid, Message) ->
    Pid ! Message,
    ok.

%% What moved away may have left somebody who passes it on to where it went first.
-spec find(megaphone_sid:sid()) -> {ok, pid()} | none.
find(Sid) ->
    case megaphone_sessions:find(Sid) of
        {ok, Pid} -> alive(Pid);
        none -> case megaphone_moved:is_beyond(Sid) of true -> none; false -> forwarder(Sid) end;
        %% The index is gone, and this process about to be restarted after it.
        unknown -> exit({shutdown, no_index})
    end.

-spec forwarder(megaphone_sid:sid()) -> {ok, pid()} | none.
forwarder(Sid) ->
    case megaphone_forwarders:find(Sid) of {ok, Pid} -> alive(Pid); none -> none end.

%% One that was killed without a chance to say so will be swept out.
-spec alive(pid()) -> {ok, pid()} | none.
alive(Pid) ->
    case is_process_alive(Pid) of true -> {ok, Pid}; false -> none end.

%% Where none begins any more, at another node.
-spec create(tuple(), Hops :: non_neg_integer(), #hub{}) -> #hub{}.
create(Message, Hops, Hub) ->
    {ConnId, _} = Created = first(Message),
    case megaphone_cluster:takes_new() of
        true ->
            create(Created, Hub);
        false ->
            case megaphone_elsewhere:creation(Message, Hops) of
                ok -> Hub;
                none -> refuse(ConnId, stopping, Hub)
            end
    end.

-spec first(tuple()) -> {ConnId :: pid(), created()}.
first({ConnId, open, Meta}) -> {ConnId, {megaphone_via_websocket, none, Meta}};
first({ConnId, Body, Meta}) -> {ConnId, {megaphone_via_bosh, Body, Meta}};
first({ConnId, Body}) -> {ConnId, {megaphone_via_bosh, Body, #{}}}.

-spec create({ConnId :: pid(), created()}, #hub{}) -> #hub{}.
create({ConnId, {Via, What, Meta}}, #hub{admission = Admission} = Hub) ->
    First = {ConnId, What},
    {{Ip, _}, _} = Client = megaphone_opening:client(Meta),
    Address = megaphone_admission:address(Ip),
    case megaphone_admission:check(Address, Admission) of
        ok ->
            start(Via, First, Client, Address, Hub);
        {instead_of, Pid} ->
            ok = megaphone_session:make_room(Pid, any),
            start(Via, First, Client, Address, leave(Pid, Hub));
        {refused, Reason} ->
            refuse(ConnId, Reason, Hub)
    end.

-spec start(Via :: module(), first(), megaphone_opening:client(), megaphone_admission:address(), #hub{}) -> #hub{}.
start(Via, {ConnId, _} = First, Client, Address, #hub{tag = Tag, admission = Admission, creations = Creations} = Hub) ->
    try megaphone_session:start(megaphone_sid:new(Tag), Via, First, Client) of
        {Pid, Monitor} ->
            Entered = megaphone_admission:enter(Pid, Monitor, Address, Admission),
            Hub#hub{admission = Entered, creations = Creations#{Pid => {Via, ConnId}}}
    catch
        error:system_limit -> refuse(ConnId, processes, Hub)
    end.

-spec refuse(pid(), megaphone_refusals:refusal(), #hub{}) -> #hub{}.
refuse(ConnId, Reason, #hub{refusals = Refusals} = Hub) ->
    Hub#hub{refusals = megaphone_refusals:refuse(ConnId, Reason, now_seconds(), Refusals)}.

-spec leave(pid(), #hub{}) -> #hub{}.
leave(Pid, #hub{admission = Admission, creations = Creations} = Hub) ->
    Hub#hub{admission = megaphone_admission:leave(Pid, Admission), creations = maps:remove(Pid, Creations)}.

%% Killed, it said nothing. What it answered before makes this one stale, which its gateway drops.
-spec answer_for(pid(), Reason :: term(), #hub{}) -> ok.
answer_for(_, Reason, _) when Reason =:= normal; Reason =:= shutdown; element(1, Reason) =:= shutdown ->
    ok;
answer_for(Pid, _, #hub{creations = Creations}) ->
    case Creations of
        #{Pid := {Via, ConnId}} -> Via:failed(ConnId);
        #{} -> ok
    end.

-spec now_seconds() -> integer().
now_seconds() -> erlang:monotonic_time(second).
