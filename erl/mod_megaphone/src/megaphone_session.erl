%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One user in one process that hibernates: BOSH session (megaphone_bosh), XMPP stream (ejabberd's
%%% own, run as a library) and that stream's socket (megaphone_socket) at once.
%%%
%%% ejabberd's `xmpp_stream_in' is a set of gen_server callbacks. Here they are called from ours: a
%%% request's payload goes in as stream events, and what the stream sent meanwhile is collected when
%%% the callback returns, and becomes the answers that are due.
-module(megaphone_session).
-behaviour(gen_server).

-export([start/4, request/3, closed/2, asked/3, make_room/2]).
-export([run/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, format_status/1]).

-include_lib("kernel/include/logger.hrl").

-type stream() :: xmpp_stream_in:state().
-type ms() :: integer().

%% The longest mailbox where ejabberd's configuration names none; the default of its own listeners.
-define(MAX_MAILBOX, 10000).

-record(session, {
    sid :: megaphone_sid:sid(),
    %% Virtual host; empty until the creation request was understood.
    host = <<>> :: binary(),
    bosh :: megaphone_bosh:bosh() | ended | undefined,
    pending = megaphone_pending:new() :: megaphone_pending:pending(),
    %% None where the session ended before a stream began; packed while the process sleeps.
    stream :: stream() | binary() | undefined,
    stream_due = infinity :: ms() | infinity,
    headers = [] :: [{binary(), binary()}],
    max_body = infinity :: pos_integer() | infinity,
    shaper = none :: ejabberd_shaper:shaper(),
    intake = megaphone_intake:new() :: megaphone_intake:intake(),
    %% The longest mailbox, one that is longer ends the session; what is in it for the client's own asking,
    %% such as what came while it was offline; and how many messages there are up to the last of these.
    max_mailbox = ?MAX_MAILBOX :: pos_integer(),
    asked_for = 0 :: non_neg_integer(),
    asked_until = 0 :: non_neg_integer(),
    %% What this session adds to the gauges.
    gauged = {0, 0, 0} :: megaphone_sessions:gauges(),
    %% What goes back through the router when the process ends; and what came after the session's end,
    %% newest first, or none where that is for the stream to take.
    owed = [] :: [megaphone_queue:owed()],
    late = none :: [tuple()] | none,
    timer = none :: none | {reference(), ms()}
}).

-type next_state() :: {noreply, #session{}, timeout()} | {noreply, #session{}, hibernate} | {stop, term(), #session{}}.

%% Falling asleep and waking up cost a third of a message: not within a conversation, but soon after it.
-define(SLEEP_AFTER_MS, 1000).
%% A client that has not logged in and has no request open for this long makes room for others.
-define(SILENT_MS, 3000).
%% Before the login a stream keeps what it is told, several times over, and a request that came too early is kept in
%% its parsed form: of the two the smaller limit. No login needs more, nor anything of size before its turn.
-define(STRANGERS_BYTES, 8192).
-define(STRANGERS_EARLY_BYTES, 2048).
%% Elements and attributes of a request before the login, where a form to register has the most; and after it.
-define(STRANGERS_PARTS, 256).
%% And what is in a request before the login, for each may be answered with more than itself.
-define(STRANGERS_PAYLOADS, 8).
-define(MOST_PARTS, 10000).
%% So many messages for the client's own asking may be in the mailbox before its stream is given more.
-define(MOST_ASKED_FOR, 100).
%% Beside those that a client may have open: requests that wait for the shaper, of connections since cut, too.
-define(WAITING_BODIES, 8).

%%% Interface

%% @doc A session for a creation request of a client at `Peer', monitored by the caller. Answers go
%% to `ConnId', those to a request that starts no session too. Does not wait for it to begin; fails
%% with `system_limit' where there is no room for another process.
-spec start(megaphone_sid:sid(), pid(), binary(), megaphone_socket:endpoint()) -> {pid(), reference()}.
start(Sid, ConnId, Body, Peer) ->
    proc_lib:spawn_opt(?MODULE, run, [{Sid, ConnId, Body, Peer}], [{fullsweep_after, 0}, monitor]).

-spec request(pid(), ConnId :: pid(), binary()) -> ok.
request(Pid, ConnId, Body) ->
    Pid ! {bosh_request, ConnId, Body},
    ok.

%% @doc The client of an unanswered exchange went away.
-spec closed(pid(), ConnId :: pid()) -> ok.
closed(Pid, ConnId) ->
    Pid ! {bosh_closed, ConnId},
    ok.

%% @doc The gateway holds this request, and asks whether we do: what was on its way between us may be lost.
-spec asked(pid(), ConnId :: pid(), megaphone_body:rid()) -> ok.
asked(Pid, ConnId, Rid) ->
    Pid ! {bosh_asked, ConnId, Rid},
    ok.

%% @doc There are many others: it ends, or does so only if its client is silent, unless it has logged in.
-spec make_room(pid(), silent | any) -> ok.
make_room(Pid, Who) ->
    Pid ! {bosh_make_room, Who},
    ok.

%%% Callbacks

-type args() :: {megaphone_sid:sid(), ConnId :: pid(), binary(), megaphone_socket:endpoint()}.

-spec run(args()) -> no_return().
run(Args) ->
    {ok, S, Continue} = init(Args),
    gen_server:enter_loop(?MODULE, [], S, Continue).

-spec init(args()) -> {ok, #session{}, {continue, {open, pid(), binary(), megaphone_socket:endpoint()}}}.
init({Sid, ConnId, Body, Peer}) ->
    ok = megaphone_sessions:open(Sid, self(), {0, 0, 0}),
    {ok, #session{sid = Sid}, {continue, {open, ConnId, Body, Peer}}}.

-spec handle_continue({open, pid(), binary(), megaphone_socket:endpoint()}, #session{}) ->
    next_state().
handle_continue({open, ConnId, Body, Peer}, S) ->
    guard(fun() -> begin_with(ConnId, Body, Peer, S) end, ConnId, S).

-spec begin_with(pid(), binary(), megaphone_socket:endpoint(), #session{}) -> next_state().
begin_with(ConnId, Body, Peer, S) ->
    case megaphone_opening:request(Body, ?STRANGERS_BYTES, ?STRANGERS_PARTS) of
        {ok, Request, Host} -> open(Request, Host, ConnId, Body, Peer, S);
        {error, Legacy, Condition} -> refuse(ConnId, Legacy, Condition, S)
    end.

-spec handle_call(term(), {pid(), term()}, #session{}) -> next_state().
handle_call(Call, From, S) ->
    Callback = fun(Stream) -> xmpp_stream_in:handle_call(Call, From, Stream) end,
    guard(fun() -> next_state(stream(Callback, handled(S))) end, none, S).

-spec handle_cast(term(), #session{}) -> next_state().
handle_cast(Cast, S) ->
    guard(fun() -> next_state(stream(fun(Stream) -> xmpp_stream_in:handle_cast(Cast, Stream) end, handled(S))) end, none, S).

-spec handle_info(term(), #session{}) -> next_state().
handle_info(Info, S) ->
    guard(fun() -> hear(Info, handled(S)) end, asker(Info), S).

%% Who waits for an answer to this, and for nothing else.
-spec asker(term()) -> pid() | none.
asker({bosh_request, ConnId, _}) -> ConnId;
asker(_) -> none.

-spec hear(term(), #session{}) -> next_state().
hear({bosh_request, ConnId, Body}, S) ->
    IsLarge = byte_size(Body) > ?STRANGERS_EARLY_BYTES andalso is_stranger(S),
    case next_state(take(ConnId, Body, S)) of
        %% Of thousands at once none keeps what reading it took.
        {noreply, S1, _} when IsLarge -> {noreply, S1, hibernate};
        Next -> Next
    end;
hear({bosh_asked, ConnId, Rid}, S) ->
    next_state({ok, held(ConnId, Rid, S)});
hear({bosh_closed, ConnId}, #session{intake = Intake} = S) ->
    next_state({ok, connection_closed(ConnId, S#session{intake = megaphone_intake:closed(ConnId, Intake)})});
hear({timeout, Ref, tick}, #session{timer = {Ref, _}} = S) ->
    next_state(tick(S#session{timer = none}));
hear({timeout, _, tick}, S) ->
    next_state({ok, S});
hear(timeout, S) ->
    {noreply, sleep(S), hibernate};
hear({bosh_stop, Host, _}, #session{host = Own} = S) when Host =:= Own; Host =:= all ->
    %% The hook by which the stream ends its process may be gone by now.
    {Events, S1} = last_words(S),
    case last_events(Events ++ [system_shutdown], S1) of
        {ok, S2} -> next_state({stop, normal, S2});
        Stop -> next_state(Stop)
    end;
hear({bosh_stop, _, {From, Ref}}, S) ->
    From ! {Ref, staying},
    next_state({ok, S});
hear({bosh_announce, {From, Ref}}, #session{bosh = Bosh, sid = Sid} = S) ->
    case Bosh of
        ended -> ok;
        _ -> ok = megaphone_sessions:open(Sid, self(), S#session.gauged)
    end,
    case S of
        #session{stream = #{ip := {Address, _}}} -> is_stranger(S) andalso megaphone_hub:stranger(self(), Address);
        _ -> false
    end,
    From ! {Ref, here},
    next_state({ok, S});
hear({route, Stanza}, #session{late = Late} = S) when Late =/= none ->
    stay(S#session{late = [Stanza | Late]});
hear({bosh_info, {From, Ref}}, #session{sid = Sid, host = Host} = S) ->
    {memory, Memory} = erlang:process_info(self(), memory),
    {_, _, Held} = S#session.gauged,
    #session{stream = Stream} = wake(S),
    From ! {Ref, {Sid, megaphone_stream:user(Stream, Host), megaphone_stream:ip(Stream), state(S), Held, Memory}},
    next_state({ok, S});
hear({bosh_make_room, Who}, #session{bosh = Bosh} = S) ->
    case is_stranger(S) andalso (Who =:= any orelse megaphone_bosh:idle(now_ms(), Bosh) >= ?SILENT_MS) of
        true -> next_state(expire(S));
        false -> next_state({ok, S})
    end;
hear({bosh_close, {From, Ref}}, S) ->
    From ! {Ref, closed},
    next_state(hang_up(closed_by_operator, S));
hear(Info, S) ->
    next_state(stream(fun(Stream) -> xmpp_stream_in:handle_info(Info, Stream) end, S)).

%% The stream may end its process from within a callback; what it sent until then is collected here.
-spec terminate(term(), #session{}) -> ok.
terminate(Reason, Asleep) ->
    case wake(Asleep) of
        #session{stream = undefined, sid = Sid} ->
            ok = megaphone_sessions:close(Sid);
        #session{stream = Stream} = S ->
            ok = give_back(Reason, S),
            Told = case Reason of {shutdown, fault} -> fault; _ -> Reason end,
            _ = xmpp_stream_in:terminate(Told, Stream),
            ok = megaphone_handback:terminated(Told, Stream)
    end,
    answer_rest(Asleep).

%% Requests that nobody will take any more.
-spec answer_rest(#session{}) -> ok.
answer_rest(#session{sid = Sid} = S) ->
    receive
        {bosh_request, ConnId, Body} ->
            ok = megaphone_hub:late(ConnId, Body, megaphone_ended:find(Sid)),
            answer_rest(S);
        {bosh_asked, ConnId, Rid} ->
            ok = megaphone_hub:gone(ConnId, Rid, megaphone_ended:find(Sid)),
            answer_rest(S)
    after 0 -> ok
    end.

%% Whatever happens here, the user's contacts are to hear that the user is gone.
-spec give_back(term(), #session{}) -> ok.
give_back(Reason, S) ->
    Condition =
        case Reason of
            normal -> <<"remote-connection-failed">>;
            shutdown -> <<"system-shutdown">>;
            {shutdown, fault} -> <<"internal-server-error">>;
            {shutdown, _} -> <<"system-shutdown">>;
            _ -> <<"internal-server-error">>
        end,
    try
        {_, S1} = collect(S),
        hand_back(say_last(S1#session.stream, finish(Condition, [], S1)))
    catch
        Class:Fault:Stack ->
            ok = megaphone_stats:add(handbacks_failed, 1),
            megaphone_fault:log("ends without handing back", Class, Fault, Stack)
    end.

%% @doc Users' messages are in all of it.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) -> megaphone_fault:hide(Status).

%% The fault of one callback ends the session in good order. Left to gen_server and proc_lib it would be
%% told with state, mailbox and arguments, which hold users' messages. The state from before the callback does
%% not know who asked; where the stream is at fault, that of the moment is known.
-spec guard(fun(() -> next_state()), Asker :: pid() | none, #session{}) -> next_state().
guard(Callback, Asker, S) ->
    try
        Callback()
    catch
        throw:{stream_ends, Reason, Now} ->
            {stop, Reason, Now};
        Class:Reason:Stack ->
            ok = fault(Class, Reason, Stack),
            ok = apologize(Asker),
            {stop, {shutdown, fault}, S}
    end.

-spec fault(error | exit | throw, term(), list()) -> ok.
fault(Class, Reason, Stack) ->
    ok = megaphone_stats:add(sessions_failed, 1),
    megaphone_fault:log("ends", Class, Reason, Stack).

-spec apologize(pid() | none) -> ok.
apologize(none) ->
    ok;
apologize(ConnId) ->
    {Status, Answer} = megaphone_condition:failure(false, <<"internal-server-error">>),
    megaphone_gateway:last_answer(ConnId, Status, [], Answer).

%%% Beginning

-spec refuse(pid(), boolean(), megaphone_condition:condition(), #session{}) -> {stop, normal, #session{}}.
refuse(ConnId, Legacy, Condition, #session{sid = Sid} = S) ->
    {Status, Answer} = megaphone_condition:failure(Legacy, Condition),
    ok = megaphone_gateway:last_answer(ConnId, Status, [], Answer),
    ok = megaphone_stats:add(sessions_refused, 1),
    ok = megaphone_sessions:close(Sid),
    {stop, normal, S#session{bosh = ended}}.

-spec open(megaphone_body:request(), binary(), pid(), binary(), megaphone_socket:endpoint(), #session{}) -> next_state().
open(Request, Host, ConnId, Body, Peer, #session{sid = Sid} = S) ->
    ok = megaphone_stats:add(sessions_opened, 1),
    ok = megaphone_stats:add(bytes_in, byte_size(Body)),
    Limits = ejabberd_c2s_config:get_c2s_limits(),
    Bosh = megaphone_bosh:new(Request, ConnId, now_ms(), {Sid, mod_megaphone:limits(Host)}),
    {ok, Stream, _} = xmpp_stream_in:init([ejabberd_c2s, {megaphone_socket, megaphone_socket:new(Peer)}, Limits]),
    S1 = S#session{
        host = Host,
        bosh = Bosh,
        stream = Stream,
        headers = megaphone_opening:headers(Request),
        max_body = proplists:get_value(max_stanza_size, Limits, infinity),
        max_mailbox = max_mailbox()
    },
    case stream(fun accept/1, S1) of
        {ok, S2} ->
            case byte_size(Body) =< max_body(S2) andalso is_little(Request, S2) of
                true -> next_state(charge_first(ConnId, Body, process(S2)));
                false -> next_state(hang_up(body_too_large, S2))
            end;
        Stop ->
            next_state(Stop)
    end.

%% The shaper is there once the stream has begun.
-spec charge_first(pid(), binary(), step()) -> step().
charge_first(ConnId, Body, {ok, #session{shaper = Shaper, intake = Intake} = S}) ->
    {now, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, 1, now_ms(), Shaper, Intake),
    {ok, S#session{shaper = Shaper1, intake = Intake1}};
charge_first(_, _, Stop) ->
    Stop.

%% The stream monitors the owner of its socket to learn of a closed connection. This socket lives and
%% dies with the process, which owns it from now on: the monitor would only cost memory on both sides.
-spec accept(stream()) -> tuple().
accept(Stream) ->
    case xmpp_stream_in:handle_cast(accept, Stream) of
        {noreply, #{socket_monitor := Monitor, socket := Socket} = Accepted, Timeout} ->
            true = erlang:demonitor(Monitor, [flush]),
            {noreply, Accepted#{socket := xmpp_socket:reset_stream(Socket)}, Timeout};
        Result ->
            Result
    end.

%%% Requests

-type step() :: {ok, #session{}} | {stop, term(), #session{}}.

-spec take(pid(), binary(), #session{}) -> step().
take(ConnId, Body, #session{bosh = ended, sid = Sid} = S) ->
    %% It was on its way here when the session ended.
    ok = megaphone_hub:late(ConnId, Body, megaphone_ended:find(Sid)),
    {ok, S};
take(ConnId, Body, #session{bosh = Bosh, shaper = Shaper, intake = Intake} = S) ->
    ok = megaphone_stats:add(bytes_in, byte_size(Body)),
    Now = now_ms(),
    Most = megaphone_bosh:requests(Bosh) + ?WAITING_BODIES,
    {When, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, Most, Now, Shaper, Intake),
    S1 = S#session{shaper = Shaper1, intake = Intake1},
    case When of
        now -> read(ConnId, Body, S1);
        flood -> bad_request(ConnId, too_many_requests, S1);
        later ->
            case byte_size(Body) > ?STRANGERS_EARLY_BYTES andalso is_stranger(S1) of
                true -> bad_request(ConnId, too_much_ahead, S1);
                false -> {ok, S1}
            end
    end.

%% Bodies whose time has come.
-spec read_waiting(#session{}) -> step().
read_waiting(#session{intake = Intake} = S) ->
    case megaphone_intake:take(now_ms(), Intake) of
        none ->
            {ok, S};
        {ConnId, State, Body, Intake1} ->
            case read(ConnId, Body, S#session{intake = Intake1}) of
                {ok, S1} when State =:= gone -> read_waiting(connection_closed(ConnId, S1));
                {ok, S1} -> read_waiting(S1);
                Stop -> Stop
            end
    end.

%% A client whose requests wait here for their time is there.
-spec waiting(#session{}) -> #session{}.
waiting(#session{bosh = Bosh, intake = Intake} = S) ->
    case megaphone_intake:due(Intake) of
        infinity -> S;
        Due -> S#session{bosh = megaphone_bosh:present(Due, Bosh)}
    end.

-spec connection_closed(pid(), #session{}) -> #session{}.
connection_closed(_, #session{bosh = ended} = S) ->
    S;
connection_closed(ConnId, #session{bosh = Bosh} = S) ->
    Bosh1 = megaphone_bosh:closed(ConnId, now_ms(), Bosh),
    case megaphone_bosh:wait(Bosh1) < megaphone_bosh:wait(Bosh) of
        true -> megaphone_stats:add(waits_adapted, 1);
        false -> ok
    end,
    S#session{bosh = Bosh1}.

-spec read(pid(), binary(), #session{}) -> step().
read(ConnId, Body, S) ->
    case byte_size(Body) =< max_body(S) of
        true -> parse(ConnId, Body, S);
        false -> bad_request(ConnId, body_too_large, S)
    end.

%% Atoms sort behind numbers: `infinity' is the largest.
-spec max_body(#session{}) -> pos_integer() | infinity.
max_body(#session{max_body = Max} = S) ->
    case is_stranger(S) of
        true -> min(Max, ?STRANGERS_BYTES);
        false -> Max
    end.

-spec parse(pid(), binary(), #session{}) -> step().
parse(ConnId, Body, #session{bosh = Bosh} = S) ->
    Parts = case is_stranger(S) of true -> ?STRANGERS_PARTS; false -> ?MOST_PARTS end,
    case megaphone_body:parse(Body, Parts) of
        {ok, #{rid := Rid} = Request} ->
            Kind = megaphone_bosh:kind(Rid, Bosh),
            ok = count(Kind),
            IsEarly = Kind =:= overtaking andalso byte_size(Body) > ?STRANGERS_EARLY_BYTES andalso is_stranger(S),
            case is_little(Request, S) of
                true when IsEarly -> bad_request(ConnId, too_much_ahead, S);
                true -> arrive(Request, ConnId, S);
                false -> bad_request(ConnId, body_too_large, S)
            end;
        {error, _} ->
            bad_request(ConnId, <<"bad-request">>, S)
    end.

-spec is_little(megaphone_body:request(), #session{}) -> boolean().
is_little(#{els := Els}, S) -> length(Els) =< ?STRANGERS_PAYLOADS orelse not is_stranger(S).

-spec arrive(megaphone_body:request(), pid(), #session{}) -> step().
arrive(Request, ConnId, #session{bosh = Bosh} = S) ->
    case megaphone_bosh:arrive(Request, ConnId, now_ms(), Bosh) of
        {ok, Answers, Bosh1} -> {ok, send(Answers, S#session{bosh = Bosh1})};
        stale -> {ok, stale(Request, ConnId, S)};
        {stop, Condition, Bosh1} -> hang_up(Condition, S#session{bosh = Bosh1})
    end.

%% Its sender may have lost its session, which then expires; or be nobody any more.
-spec stale(megaphone_body:request(), pid(), #session{}) -> #session{}.
stale(#{rid := Rid}, ConnId, #session{sid = Sid} = S) ->
    ?LOG_DEBUG("Megaphone session ~ts goes on: request ~B is not kept any more", [megaphone_sid:short(Sid), Rid]),
    ok = refuse_request(ConnId, <<"item-not-found">>, S),
    S.

-spec refuse_request(pid(), megaphone_condition:condition(), #session{}) -> ok.
refuse_request(ConnId, Condition, #session{bosh = Bosh, headers = Headers}) ->
    {Status, Answer} = megaphone_condition:failure(megaphone_bosh:legacy(Bosh), Condition),
    megaphone_gateway:last_answer(ConnId, Status, Headers, Answer).

-spec held(pid(), megaphone_body:rid(), #session{}) -> #session{}.
held(ConnId, Rid, #session{bosh = ended, sid = Sid} = S) ->
    %% As in take/3.
    ok = megaphone_hub:gone(ConnId, Rid, megaphone_ended:find(Sid)),
    S;
held(ConnId, Rid, #session{bosh = Bosh, intake = Intake} = S) ->
    case megaphone_intake:is_waiting(ConnId, Intake) orelse megaphone_bosh:held(Rid, ConnId, now_ms(), Bosh) of
        true -> S;
        {held, Bosh1} -> S#session{bosh = Bosh1};
        {answered, Answer, Bosh1} -> send([Answer], S#session{bosh = Bosh1});
        unknown -> ok = megaphone_gateway:repeat(ConnId), S
    end.

-spec count(next | overtaking | repeat) -> ok.
count(next) -> megaphone_stats:add(requests, 1);
count(overtaking) -> ok = megaphone_stats:add(requests_overtaken, 1), megaphone_stats:add(requests, 1);
count(repeat) -> megaphone_stats:add(requests_repeated, 1).

%% It has no rid to be answered by: it gets the condition at once, the others after it.
-spec bad_request(pid(), megaphone_condition:reason(), #session{}) -> step().
bad_request(ConnId, Reason, S) ->
    ok = refuse_request(ConnId, megaphone_condition:of_reason(Reason), S),
    hang_up(Reason, S).

%% Takes what is next in rid order, gives the stream what may go there, and answers what is due.
-spec process(#session{}) -> step().
process(#session{bosh = ended} = S) ->
    {ok, S};
process(S) ->
    case take_pending(S) of
        none -> accept_next(S);
        {Event, S1} -> deliver(Event, S1)
    end.

-spec deliver(megaphone_stream:event(), #session{}) -> step().
deliver(Event, S) ->
    Before = mailbox(),
    case stream_event(Event, S) of
        {ok, S1} -> process(asked_for(Before, mailbox(), S1));
        Stop -> Stop
    end.

-spec accept_next(#session{}) -> step().
accept_next(#session{bosh = Bosh, host = Host, pending = Pending} = S) ->
    case megaphone_bosh:next(now_ms(), Bosh) of
        {ok, #{els := Els, bytes := Bytes} = Request, Bosh1} ->
            ok = megaphone_stats:add(stanzas_in, length(Els)),
            case megaphone_pending:leave(Bytes, megaphone_stream:events(Request, Host), Pending) of
                {ok, Pending1} -> process(S#session{bosh = Bosh1, pending = Pending1});
                flood -> hang_up(too_much_pending, S#session{bosh = Bosh1})
            end;
        {stop, Condition, Bosh1} ->
            hang_up(Condition, S#session{bosh = Bosh1});
        none ->
            %% The answers may have made room.
            S1 = flush(S#session{bosh = megaphone_bosh:busy(is_busy(S), Bosh)}),
            case take_pending(S1) of
                none -> {ok, S1};
                {Event, S2} -> deliver(Event, S2)
            end
    end.

%% What the stream is to get now. What is in the mailbox for what it got before goes first: it is the next message.
-spec take_pending(#session{}) -> {megaphone_stream:event(), #session{}} | none.
take_pending(#session{pending = Pending, asked_for = AskedFor} = S) ->
    case megaphone_pending:is_empty(Pending) orelse (AskedFor > ?MOST_ASKED_FOR andalso mailbox() > ?MOST_ASKED_FOR) of
        true ->
            none;
        false ->
            case megaphone_pending:take(flow(S), Pending) of
                none -> none;
                {Event, Pending1} -> {Event, S#session{pending = Pending1}}
            end
    end.

-spec flow(#session{}) -> megaphone_pending:flow().
flow(#session{bosh = Bosh}) ->
    case megaphone_bosh:is_full(Bosh) of
        false -> open;
        true -> case megaphone_bosh:terminating(Bosh) of true -> leaving; false -> full end
    end.

%% There is more for the stream, and only the mailbox keeps it back.
-spec is_busy(#session{}) -> boolean().
is_busy(#session{pending = Pending} = S) -> not megaphone_pending:is_empty(Pending) andalso flow(S) =:= open.

-spec stream_event(term(), #session{}) -> step().
stream_event(Event, S) ->
    stream(fun(Stream) -> xmpp_stream_in:handle_info({'$gen_event', Event}, Stream) end, S).

%%% The stream

%% Runs a callback of the stream and takes what it sent.
-spec stream(fun((stream()) -> tuple()), #session{}) -> step().
stream(_, #session{stream = undefined} = S) ->
    {ok, S};
stream(Callback, Asleep) ->
    #session{stream = Stream} = S = wake(Asleep),
    try Callback(Stream) of
        {noreply, Stream1, infinity} ->
            collected(Stream, collect(S#session{stream = Stream1, stream_due = infinity}));
        {noreply, Stream1, Timeout} ->
            collected(Stream, collect(S#session{stream = Stream1, stream_due = now_ms() + Timeout}));
        {stop, Reason, Stream1} ->
            {_, S1} = collect(S#session{stream = Stream1}),
            {stop, Reason, say_last(Stream, S1)}
    catch
        %% So the stream ends its process.
        exit:Reason when Reason =:= normal; Reason =:= shutdown ->
            throw({stream_ends, Reason, S});
        exit:{shutdown, _} = Reason ->
            throw({stream_ends, Reason, S});
        Class:Reason:Stack ->
            ok = fault(Class, Reason, Stack),
            throw({stream_ends, {shutdown, fault}, S})
    end.

%% The stream is closed from the other side, too, where the session must end.
-spec collected(Before :: stream(), {ok | {stop, megaphone_condition:reason()}, #session{}}) -> step().
collected(Before, {ok, #session{stream = #{stream_state := disconnected}} = S}) ->
    {ok, say_last(Before, finish(<<"remote-connection-failed">>, [], S))};
collected(_, {ok, S}) ->
    {ok, S};
collected(_, {{stop, Condition}, S}) ->
    hang_up(Condition, S).

%% The stream ended of itself: what the client was told that we have, and needs no more than the stream as it was, is
%% sent all the same. What is for the server itself, and other presence, would be undone by the end at once.
-spec say_last(Before :: stream(), #session{}) -> #session{}.
say_last(#{stream_state := established} = Before, #session{pending = Pending} = S) ->
    Say = fun(Event) -> megaphone_pending:is_stateless(Event) andalso say_last_word(Event, Before) end,
    lists:foreach(Say, megaphone_pending:last_words(Pending)),
    {_, S1} = collect(S#session{pending = megaphone_pending:new()}),
    S1;
say_last(_, S) ->
    S.

%% Each on its own: one that is odd must not take the others with it.
-spec say_last_word(megaphone_stream:event(), stream()) -> ok.
say_last_word(Event, Stream) ->
    try
        _ = xmpp_stream_in:handle_info({'$gen_event', Event}, Stream),
        ok
    catch
        exit:_ -> ok;
        Class:Reason:Stack -> megaphone_fault:log("loses a client's last word", Class, Reason, Stack)
    end.

-spec collect(#session{}) -> {ok | {stop, megaphone_condition:reason()}, #session{}}.
collect(S) ->
    lists:foldl(fun collect/2, {ok, S}, megaphone_socket:collect()).

-spec collect(megaphone_socket:event(), Acc) -> Acc when
    Acc :: {ok | {stop, megaphone_condition:reason()}, #session{}}.
collect({shaper, Shaper}, {Result, S}) ->
    {Result, S#session{shaper = Shaper}};
collect({owed, _, Stanza}, {Result, #session{bosh = ended, owed = Owed} = S}) ->
    {Result, S#session{owed = Owed ++ [{now_ms(), Stanza}]}};
collect(_, {Result, #session{bosh = ended} = S}) ->
    {Result, S};
collect({xmlstreamstart, _, Attrs}, {Result, #session{bosh = Bosh} = S}) ->
    {_, Id} = lists:keyfind(<<"id">>, 1, Attrs),
    {Result, S#session{bosh = megaphone_bosh:authid(Id, Bosh)}};
collect({xmlstreamelement, {xmlel, <<"stream:error">>, _, Children} = El}, {Result, S}) ->
    case megaphone_stream:condition(Children) of
        <<"remote-stream-error">> = Condition -> {Result, finish(Condition, element(1, megaphone_stream:payload(El)), S)};
        Condition -> {Result, finish(Condition, [], S)}
    end;
collect({xmlstreamelement, El}, {Result, S}) ->
    {Payload, Kind} = megaphone_stream:payload(El),
    enqueue({Payload, none}, Kind, now_ms(), Result, S);
collect({owed, El, Stanza}, {Result, S}) ->
    {Payload, Kind} = megaphone_stream:payload(El),
    Now = now_ms(),
    enqueue({Payload, {Now, Stanza}}, Kind, Now, Result, S);
collect(_, Acc) ->
    Acc.

-spec enqueue(megaphone_queue:item(), megaphone_queue:kind(), ms(), Result, #session{}) -> {Result, #session{}} when
    Result :: ok | {stop, megaphone_condition:condition()}.
enqueue(Item, Kind, Now, Result, #session{bosh = Bosh} = S) ->
    ok = megaphone_stats:add(stanzas_out, 1),
    case Kind =:= presence andalso megaphone_bosh:is_grouping(Now, Bosh) of
        true -> megaphone_stats:add(presences_grouped, 1);
        false -> ok
    end,
    case megaphone_bosh:enqueue(Item, Kind, Now, Bosh) of
        {ok, Bosh1} -> {Result, S#session{bosh = Bosh1}};
        {stop, Condition, Bosh1} -> {{stop, Condition}, S#session{bosh = Bosh1}}
    end.

%%% Ends

%% BOSH ends; the stream is told that its connection is closed. Before that it gets what the client was told
%% that we have, and only waited for it to fetch more.
-spec hang_up(megaphone_condition:reason(), #session{}) -> step().
hang_up(_, #session{bosh = ended} = S) ->
    {ok, S};
hang_up(Reason, S) ->
    {Events, S1} = last_words(S),
    last_events(Events ++ [closed], finish(Reason, [], S1)).

-spec last_words(#session{}) -> {[megaphone_stream:event()], #session{}}.
last_words(#session{pending = Pending} = S) ->
    {megaphone_pending:last_words(Pending), S#session{pending = megaphone_pending:new()}}.

-spec last_events([megaphone_stream:event() | closed | system_shutdown], #session{}) -> step().
last_events([Event | Events], S) ->
    case last_event(Event, S) of
        {ok, S1} -> last_events(Events, S1);
        Stop -> Stop
    end;
last_events([], S) ->
    {ok, S}.

-spec last_event(megaphone_stream:event() | closed | system_shutdown, #session{}) -> step().
last_event(system_shutdown, S) ->
    stream(fun(Stream) -> xmpp_stream_in:handle_cast({send, xmpp:serr_system_shutdown()}, Stream) end, S);
last_event(Event, S) ->
    stream_event(Event, S).

%% Answers every open request, and leaves the answers for late ones. `Error' is the stream's last word.
-spec finish(megaphone_condition:reason(), iodata(), #session{}) -> #session{}.
finish(_, _, #session{bosh = ended} = S) ->
    S;
finish(Reason, Error, Asleep) ->
    #session{bosh = Bosh, sid = Sid} = S = wake(Asleep),
    Condition = actual(megaphone_condition:of_reason(Reason), Bosh),
    ok = megaphone_stats:add({terminated, Condition}, 1),
    ok = log_end(Condition, Reason, S),
    %% A client that says goodbye has all that it wants (§13).
    {Owed, Bosh1} = case Condition of client -> {[], Bosh}; _ -> megaphone_bosh:take_owed(Bosh) end,
    {Answers, Ended, Bosh2} = megaphone_bosh:finish(Condition, Error, now_ms(), Bosh1),
    lists:foreach(fun(Answer) -> send_last(Answer, S) end, Answers),
    Who = case is_stranger(S) of true -> stranger; false -> user end,
    ok = megaphone_ended:put(Sid, Ended, Who),
    ok = megaphone_sessions:close(Sid),
    %% And what its last answers had no room for.
    Left = Owed ++ megaphone_bosh:queued(Bosh2),
    %% They wait no longer: take/3 answers them.
    lists:foreach(fun({ConnId, Body}) -> request(self(), ConnId, Body) end, megaphone_intake:all(S#session.intake)),
    gauge(S#session{bosh = ended, owed = Left, late = late(S#session.stream), intake = megaphone_intake:new()}).

%% The stream's process lives on for a moment after its session: what comes then is not to be lost.
-spec late(stream() | undefined) -> [] | none.
late(#{jid := _} = Stream) ->
    case megaphone_handback:is_resumable(Stream) of true -> none; false -> [] end;
late(_) ->
    none.

-spec hand_back(#session{}) -> ok.
hand_back(#session{owed = [], late = none}) ->
    ok;
hand_back(#session{owed = Owed, late = Late, stream = Stream}) ->
    Newest = case Late of none -> []; _ -> Late end,
    {Done, Failed} = megaphone_handback:requeue(Owed, lists:reverse(Newest), Stream),
    ok = megaphone_stats:add(handbacks_failed, Failed),
    megaphone_stats:add(stanzas_handed_back, Done).

%% A stream that closes after the client's own `terminate' is no failure.
-spec actual(megaphone_condition:condition(), megaphone_bosh:bosh()) -> megaphone_condition:condition().
actual(<<"remote-connection-failed">> = Condition, Bosh) ->
    case megaphone_bosh:terminating(Bosh) of
        true -> client;
        false -> Condition
    end;
actual(Condition, _) ->
    Condition.

-spec tick(#session{}) -> step().
tick(S) ->
    case read_waiting(S) of
        {ok, S1} -> due(now_ms(), S1);
        Stop -> Stop
    end.

-spec due(ms(), #session{}) -> step().
due(Now, #session{bosh = Bosh, stream_due = StreamDue} = S) ->
    case Bosh =/= ended andalso megaphone_bosh:expired(Now, Bosh) of
        true ->
            expire(S);
        false when StreamDue =< Now ->
            stream(fun(Stream) -> xmpp_stream_in:handle_info(timeout, Stream) end, S);
        false ->
            {ok, S}
    end.

%% §10: silently; to the client the session exists no more.
-spec expire(#session{}) -> step().
expire(#session{sid = Sid} = S) ->
    ok = megaphone_stats:add(sessions_expired, 1),
    Step = hang_up(expired, S),
    ok = megaphone_ended:forget(Sid),
    Step.

%%% Answers and time

-spec flush(#session{}) -> #session{}.
flush(#session{bosh = ended} = S) ->
    S;
flush(#session{bosh = Bosh} = S) ->
    {Answers, Bosh1} = megaphone_bosh:flush(now_ms(), Bosh),
    send(Answers, S#session{bosh = Bosh1}).

-spec send([megaphone_bosh:answer()], #session{}) -> #session{}.
send([{Rid, ConnId, Status, Body} = Answer | Answers], #session{bosh = Bosh, headers = Headers} = S) ->
    case megaphone_gateway:answer(ConnId, Status, Headers, Body) of
        ok ->
            ok = count_answer(Body),
            send(Answers, S);
        busy ->
            %% What came behind it would overtake it.
            Delayed = [Answer | Answers],
            ok = megaphone_stats:add(answers_delayed, length(Delayed)),
            S#session{bosh = lists:foldl(fun(A, B) -> megaphone_bosh:unsent(A, now_ms(), B) end, Bosh, Delayed)};
        gone ->
            ok = megaphone_stats:add(answers_lost, 1),
            send(Answers, S#session{bosh = megaphone_bosh:lost(Rid, Bosh)})
    end;
send([], S) ->
    S.

%% The last answers of a session that has ended.
-spec send_last(megaphone_bosh:answer(), #session{}) -> ok.
send_last({_, ConnId, Status, Body}, #session{headers = Headers}) ->
    ok = count_answer(Body),
    megaphone_gateway:last_answer(ConnId, Status, Headers, Body).

-spec count_answer(binary()) -> ok.
count_answer(Body) ->
    ok = megaphone_stats:add(answers, 1),
    megaphone_stats:add(bytes_out, byte_size(Body)).

%% Every callback ends here: what can be processed is, due answers leave, and one timer covers whatever
%% comes next.
-spec next_state(step()) -> next_state().
next_state({ok, S}) ->
    case process(S) of
        {ok, S1} -> stay(rearm(gauge(waiting(S1))));
        {stop, Reason, S1} -> {stop, Reason, flush(S1)}
    end;
next_state({stop, Reason, S}) ->
    {stop, Reason, flush(S)}.

%% Nothing changed; after a while without another message the process sleeps.
-spec stay(#session{}) -> next_state().
stay(#session{max_mailbox = Max, asked_for = AskedFor} = S) ->
    case mailbox() of
        Length when Length > Max + AskedFor -> crowded(Length, S);
        _ -> {noreply, S, ?SLEEP_AFTER_MS}
    end.

%% The mailbox before and after an event of the client.
-spec asked_for(non_neg_integer(), non_neg_integer(), #session{}) -> #session{}.
asked_for(Before, Length, #session{asked_for = AskedFor} = S) when Length > Before ->
    S#session{asked_for = AskedFor + Length - Before, asked_until = Length};
asked_for(_, _, S) ->
    S.

%% One message less.
-spec handled(#session{}) -> #session{}.
handled(#session{asked_for = 0} = S) ->
    S;
handled(#session{asked_for = AskedFor, asked_until = Until} = S) ->
    S#session{asked_for = min(AskedFor, Until - 1), asked_until = Until - 1}.

-spec mailbox() -> non_neg_integer().
mailbox() ->
    {_, Length} = erlang:process_info(self(), message_queue_len),
    Length.

%% As ejabberd ends its own processes by `max_fsm_queue'. What is in the mailbox goes back through the router.
-spec crowded(non_neg_integer(), #session{}) -> next_state().
crowded(Length, #session{bosh = ended} = S) ->
    {stop, {shutdown, {process_limit, {max_queue, Length}}}, S};
crowded(_, S) ->
    next_state(hang_up(mailbox_too_long, S)).

-spec max_mailbox() -> pos_integer().
max_mailbox() ->
    case lists:keyfind(ejabberd_c2s, 2, ejabberd_option:listen()) of
        {_, _, #{max_fsm_queue := Max}} -> Max;
        _ -> case ejabberd_option:max_fsm_queue() of undefined -> ?MAX_MAILBOX; Max -> Max end
    end.

%% Most of an idle session is the stream's state, of which nothing is needed to hold a request.
-spec sleep(#session{}) -> #session{}.
sleep(#session{host = Host, stream = #{stream_state := established} = Stream} = S) ->
    S#session{stream = megaphone_pack:pack(Host, Stream)};
sleep(S) ->
    S.

-spec wake(#session{}) -> #session{}.
wake(#session{stream = Packed} = S) when is_binary(Packed) -> S#session{stream = megaphone_pack:unpack(Packed)};
wake(S) -> S.

-spec gauge(#session{}) -> #session{}.
gauge(#session{gauged = Before, sid = Sid} = S) ->
    case gauges(S) of
        Before ->
            S;
        Now ->
            ok = megaphone_sessions:gauge(Sid, Now),
            element(1, Now) > element(1, Before) andalso logged_in(S),
            S#session{gauged = Now}
    end.

-spec gauges(#session{}) -> megaphone_sessions:gauges().
gauges(#session{bosh = ended}) ->
    {0, 0, 0};
gauges(#session{bosh = Bosh, stream = Stream}) ->
    Established =
        case Stream of
            #{stream_state := established} -> 1;
            Packed when is_binary(Packed) -> 1;
            _ -> 0
        end,
    Paused = case megaphone_bosh:paused(Bosh) of true -> 1; false -> 0 end,
    {Established, Paused, megaphone_bosh:held(Bosh)}.

%% It has not logged in, nor ended.
-spec is_stranger(#session{}) -> boolean().
is_stranger(#session{bosh = Bosh, gauged = {Established, _, _}}) ->
    Bosh =/= ended andalso Established =:= 0.

-spec logged_in(#session{}) -> ok.
logged_in(#session{sid = Sid, stream = Stream, host = Host}) ->
    ok = megaphone_hub:logged_in(self()),
    %% It was used to make ids for the login, and would stay for the session's life.
    _ = erase(rand_seed),
    Args = [megaphone_sid:short(Sid), megaphone_stream:user(Stream, Host), logged_ip(Stream)],
    ?LOG_INFO("Megaphone session ~ts of ~ts from ~ts", Args).

-spec log_end(megaphone_condition:condition(), megaphone_condition:reason(), #session{}) -> ok.
log_end(Condition, Reason, #session{sid = Sid, stream = Stream, host = Host} = S) ->
    Args = [megaphone_sid:short(Sid), megaphone_stream:user(Stream, Host), logged_ip(Stream), Condition, detail(Reason)],
    %% Anyone can begin and end sessions without a login, faster than anyone reads.
    Level = case is_stranger(S) of true -> debug; false -> info end,
    ?LOG(Level, "Megaphone session ~ts of ~ts from ~ts ends: ~ts~ts", Args).

%% Different ends are told apart, where the client is told the same.
-spec detail(megaphone_condition:reason()) -> iolist().
detail(Reason) when Reason =:= client; is_binary(Reason) -> [];
detail(Reason) -> [" (", atom_to_list(Reason), ")"].

%% As the option `hide_sensitive_log_data' allows.
-spec logged_ip(stream() | undefined) -> string().
logged_ip(Stream) -> ejabberd_config:may_hide_data(megaphone_stream:ip(Stream)).

-spec state(#session{}) -> string().
state(#session{bosh = ended}) -> "ended";
state(#session{gauged = {_, 1, _}}) -> "paused";
state(#session{gauged = {1, _, _}}) -> "established";
state(#session{}) -> "opening".

%% A timer that fires too early is cheaper than one that is moved with every message.
-spec rearm(#session{}) -> #session{}.
rearm(#session{bosh = Bosh, stream_due = StreamDue, intake = Intake, timer = Timer} = S) ->
    BoshDue = case Bosh of ended -> infinity; _ -> megaphone_bosh:deadline(Bosh) end,
    %% Atoms sort behind numbers: `infinity' is the largest.
    case {min(min(BoshDue, StreamDue), megaphone_intake:due(Intake)), Timer} of
        {infinity, _} ->
            S;
        {Due, {_, At}} when At =< Due ->
            S;
        {Due, _} ->
            cancel(Timer),
            S#session{timer = {erlang:start_timer(Due, self(), tick, [{abs, true}]), Due}}
    end.

-spec cancel(none | {reference(), ms()}) -> ok.
cancel(none) ->
    ok;
cancel({Ref, _}) ->
    _ = erlang:cancel_timer(Ref, [{async, true}, {info, false}]),
    ok.

-spec now_ms() -> ms().
now_ms() ->
    erlang:monotonic_time(millisecond).
