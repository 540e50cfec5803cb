%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One user in one process that hibernates: mailbox, timer and sleep. What its client sends comes by its transport
%%% (megaphone_transport), waits its turn (megaphone_pending) and goes to its XMPP stream (megaphone_c2s); what the
%%% stream sends goes back to the transport. How it ends is megaphone_ending's.
%%%
%%% | phase     | a request             | the stream sends   | a stanza is routed here      | due            | asked to end       |
%%% |-----------|-----------------------|--------------------|------------------------------|----------------|--------------------|
%%% | `opening' | the first: -> `open', or it is refused, and the process ends |             |                |                    |
%%% | `open'    | to the stream in turn | to the client      | to the stream                | answers leave, or -> `ended' | -> `ended' |
%%% | `ended'   | is answered so        | is owed, or no more | is owed, or to a stream that may be resumed | the stream's | -         |
%%%
%%% The process ends with its stream, which is soon after the session or, where the client may resume it, later.
-module(megaphone_session).
-behaviour(gen_server).

-export([start/4, request/3, closed/2, asked/3, make_room/2]).
-export([run/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, format_status/1]).

-type ms() :: integer().

-record(session, {
    sid :: megaphone_sid:sid(),
    %% Virtual host; empty until the creation request was understood.
    host = <<>> :: binary(),
    phase = opening :: megaphone_ending:phase(),
    c2s = none :: megaphone_c2s:c2s(),
    pending = megaphone_pending:new() :: megaphone_pending:pending(),
    mailbox = megaphone_mailbox:new() :: megaphone_mailbox:mailbox(),
    %% What this session adds to the gauges.
    gauged = {0, 0, 0} :: megaphone_sessions:gauges(),
    timer = none :: none | {reference(), ms()}
}).

-type next_state() :: {noreply, #session{}, timeout()} | {noreply, #session{}, hibernate} | {stop, term(), #session{}}.
-type step() :: {ok, #session{}} | {stop, term(), #session{}}.

%% Falling asleep and waking up cost a third of a message: not within a conversation, but soon after it.
-define(SLEEP_AFTER_MS, 1000).
%% A client that has not logged in and has no request open for this long makes room for others.
-define(SILENT_MS, 3000).

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

-spec handle_continue({open, pid(), binary(), megaphone_socket:endpoint()}, #session{}) -> next_state().
handle_continue({open, ConnId, Body, Peer}, S) ->
    guard(fun() -> begin_with(ConnId, Body, Peer, S) end, ConnId, S).

-spec handle_call(term(), {pid(), term()}, #session{}) -> next_state().
handle_call(Call, From, S) ->
    guard(fun() -> next_state(stream(megaphone_c2s:call(Call, From, S#session.c2s), handled(S))) end, none, S).

-spec handle_cast(term(), #session{}) -> next_state().
handle_cast(Cast, S) ->
    guard(fun() -> next_state(stream(megaphone_c2s:cast(Cast, S#session.c2s), handled(S))) end, none, S).

-spec handle_info(term(), #session{}) -> next_state().
handle_info(Info, S) ->
    guard(fun() -> hear(Info, handled(S)) end, asker(Info), S).

%% Who waits for an answer to this, and for nothing else.
-spec asker(term()) -> pid() | none.
asker({bosh_request, ConnId, _}) -> ConnId;
asker(_) -> none.

-spec hear(term(), #session{}) -> next_state().
hear({bosh_request, ConnId, Body}, #session{phase = {open, Transport}} = S) ->
    Who = who(S),
    IsLarge = not megaphone_allowance:may_wait(Body, Who),
    case next_state(client(megaphone_transport:request(ConnId, Body, Who, Transport), S)) of
        %% Of thousands at once none keeps what reading it took.
        {noreply, S1, _} when IsLarge -> {noreply, S1, hibernate};
        Next -> Next
    end;
hear({bosh_asked, ConnId, Rid}, #session{phase = {open, Transport}} = S) ->
    next_state({ok, S#session{phase = {open, megaphone_transport:asked(ConnId, Rid, Transport)}}});
hear({bosh_closed, ConnId}, #session{phase = {open, Transport}} = S) ->
    next_state({ok, S#session{phase = {open, megaphone_transport:closed(ConnId, Transport)}}});
hear({bosh_request, ConnId, Body}, #session{sid = Sid} = S) ->
    %% It was on its way here when the session ended.
    ok = megaphone_ended:request(Sid, ConnId, Body),
    next_state({ok, S});
hear({bosh_asked, ConnId, Rid}, #session{sid = Sid} = S) ->
    ok = megaphone_ended:asked(Sid, ConnId, Rid),
    next_state({ok, S});
hear({bosh_closed, _}, S) ->
    next_state({ok, S});
hear({timeout, Ref, tick}, #session{timer = {Ref, _}} = S) ->
    next_state(tick(S#session{timer = none}));
hear({timeout, _, tick}, S) ->
    next_state({ok, S});
hear(timeout, #session{host = Host, c2s = C2s} = S) ->
    {noreply, S#session{c2s = megaphone_c2s:sleep(Host, C2s)}, hibernate};
hear({bosh_stop, Host, _}, #session{host = Own} = S) when Host =:= Own; Host =:= all ->
    next_state(ends(shut_down, S));
hear({bosh_stop, _, {From, Ref}}, S) ->
    From ! {Ref, staying},
    next_state({ok, S});
hear({bosh_announce, {From, Ref}}, S) ->
    ok = announce(S),
    From ! {Ref, here},
    next_state({ok, S});
hear({route, Stanza} = Info, #session{phase = {ended, Ended}} = S) ->
    case megaphone_ending:late(Stanza, Ended) of
        {ok, Ended1} -> stay(S#session{phase = {ended, Ended1}});
        stream -> next_state(stream(megaphone_c2s:info(Info, S#session.c2s), S))
    end;
hear({bosh_info, {From, Ref}}, #session{sid = Sid, host = Host, phase = Phase, gauged = Gauges, c2s = C2s} = S) ->
    From ! {Ref, megaphone_report:info(Sid, Host, Phase, Gauges, C2s)},
    next_state({ok, S});
hear({bosh_make_room, Who}, #session{phase = Phase} = S) ->
    case {Phase, who(S)} of
        {{open, Transport}, stranger} ->
            case Who =:= any orelse megaphone_transport:idle(Transport) >= ?SILENT_MS of
                true -> next_state(ends({hang_up, expired}, S));
                false -> next_state({ok, S})
            end;
        _ ->
            next_state({ok, S})
    end;
hear({bosh_close, {From, Ref}}, S) ->
    From ! {Ref, closed},
    next_state(ends({hang_up, closed_by_operator}, S));
hear(Info, S) ->
    next_state(stream(megaphone_c2s:info(Info, S#session.c2s), S)).

%% The stream may end its process from within a callback.
-spec terminate(term(), #session{}) -> ok.
terminate(Reason, S) ->
    megaphone_ending:terminate(Reason, to_ending(S)).

%% @doc Users' messages are in all of it.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) -> megaphone_fault:hide(Status).

%% The fault of one callback ends the session in good order. Left to gen_server and proc_lib it would be
%% told with state, mailbox and arguments, which hold users' messages.
-spec guard(fun(() -> next_state()), Asker :: pid() | none, #session{}) -> next_state().
guard(Callback, Asker, S) ->
    try
        Callback()
    catch
        Class:Reason:Stack ->
            {stop, megaphone_ending:fault(Class, Reason, Stack, Asker), S}
    end.

%%% Beginning

-spec begin_with(pid(), binary(), megaphone_socket:endpoint(), #session{}) -> next_state().
begin_with(ConnId, Body, Peer, S) ->
    case megaphone_opening:request(Body) of
        {ok, Request, Host} -> open(Request, Host, ConnId, Body, Peer, S);
        {error, Legacy, Condition} -> refuse(ConnId, Legacy, Condition, S)
    end.

-spec refuse(pid(), boolean(), megaphone_condition:condition(), #session{}) -> {stop, normal, #session{}}.
refuse(ConnId, Legacy, Condition, #session{} = S) ->
    {Status, Answer} = megaphone_condition:failure(Legacy, Condition),
    ok = megaphone_gateway:last_answer(ConnId, Status, [], Answer),
    ok = megaphone_stats:add(sessions_refused, 1),
    {stop, normal, S}.

-spec open(megaphone_body:request(), binary(), pid(), binary(), megaphone_socket:endpoint(), #session{}) -> next_state().
open(Request, Host, ConnId, Body, Peer, #session{sid = Sid} = S) ->
    ok = megaphone_stats:add(sessions_opened, 1),
    ok = megaphone_stats:add(bytes_in, byte_size(Body)),
    Limits = ejabberd_c2s_config:get_c2s_limits(),
    MaxBody = proplists:get_value(max_stanza_size, Limits, infinity),
    Transport = megaphone_transport:new(Request, ConnId, MaxBody, {Sid, Host}),
    S1 = S#session{host = Host, phase = {open, Transport}, mailbox = megaphone_mailbox:configured()},
    case stream(megaphone_c2s:start(Peer, Limits), S1) of
        {ok, S2} ->
            case byte_size(Body) =< MaxBody andalso megaphone_allowance:has_room(Request, stranger) of
                true -> next_state(charge(ConnId, Body, process(S2)));
                false -> next_state(ends({hang_up, body_too_large}, S2))
            end;
        Stop ->
            next_state(Stop)
    end.

-spec charge(pid(), binary(), step()) -> step().
charge(ConnId, Body, {ok, #session{phase = {open, Transport}} = S}) ->
    {ok, S#session{phase = {open, megaphone_transport:charge(ConnId, Body, Transport)}}};
charge(_, _, Step) ->
    Step.

%%% Between client and stream

-spec client(megaphone_transport:step(), #session{}) -> step().
client({ok, Transport}, S) -> {ok, S#session{phase = {open, Transport}}};
client({stop, Reason, Transport}, S) -> ends({hang_up, Reason}, S#session{phase = {open, Transport}}).

%% What a callback of the stream did, and where it ended, how the stream was before.
-spec stream(megaphone_c2s:result(), #session{}) -> step().
stream({ok, [], C2s}, S) ->
    {ok, S#session{c2s = C2s}};
stream({Outcome, Sent, C2s}, #session{phase = {open, Transport}, c2s = Before} = S) ->
    S1 = S#session{c2s = C2s},
    case megaphone_transport:sent(Sent, Transport) of
        {ended, Condition, Error, Rest, Transport1} ->
            {ok, S2} = ends({stream, Condition, Error, Before}, S1#session{phase = {open, Transport1}}),
            stream({Outcome, Rest, C2s}, S2);
        {ok, Transport1} when Outcome =:= closed ->
            ends({stream, <<"remote-connection-failed">>, [], Before}, S1#session{phase = {open, Transport1}});
        Step when Outcome =:= ok; Outcome =:= closed ->
            client(Step, S1);
        Step ->
            stop(Outcome, Before, S1#session{phase = {open, element(tuple_size(Step), Step)}})
    end;
stream({Outcome, Sent, C2s}, #session{phase = {ended, Ended}, c2s = Before} = S) ->
    S1 = S#session{c2s = C2s, phase = {ended, megaphone_ending:owes(Sent, Ended)}},
    case Outcome of
        ok -> {ok, S1};
        closed -> {ok, S1};
        Stop -> stop(Stop, Before, S1)
    end.

-spec stop({stop | exit, term()}, Before :: megaphone_c2s:c2s(), #session{}) -> step().
stop({stop, Reason}, Before, S) -> ends({stopped, Reason, Before}, S);
stop({exit, Reason}, _, S) -> {stop, Reason, S}.

%% Takes what is next of the client's, gives the stream what may go there, and answers what is due.
-spec process(#session{}) -> step().
process(#session{phase = {open, Transport}} = S) ->
    case take_pending(S) of
        {Event, S1} ->
            deliver(Event, S1);
        none ->
            case megaphone_transport:next(Transport) of
                {ok, Request, Transport1} -> received(Request, S#session{phase = {open, Transport1}});
                {stop, Reason, Transport1} -> ends({hang_up, Reason}, S#session{phase = {open, Transport1}});
                none -> flush(S)
            end
    end;
process(S) ->
    {ok, S}.

-spec received(megaphone_body:request(), #session{}) -> step().
received(#{els := Els, bytes := Bytes} = Request, #session{host = Host, pending = Pending} = S) ->
    ok = megaphone_stats:add(stanzas_in, length(Els)),
    case megaphone_pending:leave(Bytes, megaphone_stream:events(Request, Host), Pending) of
        {ok, Pending1} -> process(S#session{pending = Pending1});
        flood -> ends({hang_up, too_much_pending}, S)
    end.

-spec flush(#session{}) -> step().
flush(#session{phase = {open, Transport}, pending = Pending} = S) ->
    IsBusy = not megaphone_pending:is_empty(Pending) andalso megaphone_transport:flow(Transport) =:= open,
    S1 = S#session{phase = {open, megaphone_transport:flush(IsBusy, Transport)}},
    %% The answers may have made room.
    case take_pending(S1) of
        none -> {ok, S1};
        {Event, S2} -> deliver(Event, S2)
    end.

%% What the stream is to get now. What is in the mailbox for what it got before goes first: it is the next message.
-spec take_pending(#session{}) -> {megaphone_stream:event(), #session{}} | none.
take_pending(#session{phase = {open, Transport}, pending = Pending, mailbox = Mailbox} = S) ->
    case megaphone_pending:is_empty(Pending) orelse megaphone_mailbox:is_behind(Mailbox) of
        true ->
            none;
        false ->
            case megaphone_pending:take(megaphone_transport:flow(Transport), Pending) of
                none -> none;
                {Event, Pending1} -> {Event, S#session{pending = Pending1}}
            end
    end.

-spec deliver(megaphone_stream:event(), #session{}) -> step().
deliver(Event, #session{c2s = C2s, mailbox = Mailbox} = S) ->
    Before = megaphone_mailbox:length(),
    case stream(megaphone_c2s:event(Event, C2s), S) of
        {ok, S1} -> process(S1#session{mailbox = megaphone_mailbox:asked(Before, megaphone_mailbox:length(), Mailbox)});
        Stop -> Stop
    end.

%%% Time, mailbox and sleep

-spec tick(#session{}) -> step().
tick(#session{phase = {open, Transport}} = S) ->
    case client(megaphone_transport:waiting(who(S), Transport), S) of
        {ok, S1} -> due(S1);
        Stop -> Stop
    end;
tick(S) ->
    due(S).

-spec due(#session{}) -> step().
due(#session{phase = Phase, c2s = C2s} = S) ->
    IsExpired = case Phase of {open, Transport} -> megaphone_transport:is_expired(Transport); _ -> false end,
    case IsExpired orelse megaphone_c2s:due(C2s) =< now_ms() of
        false -> {ok, S};
        true when IsExpired -> ends({hang_up, expired}, S);
        true -> stream(megaphone_c2s:info(timeout, C2s), S)
    end.

%% Every callback ends here: what can be processed is, due answers leave, and one timer covers whatever
%% comes next.
-spec next_state(step()) -> next_state().
next_state({ok, S}) ->
    case process(S) of
        {ok, S1} -> stay(rearm(gauge(S1)));
        Stop -> Stop
    end;
next_state(Stop) ->
    Stop.

%% Nothing changed; after a while without another message the process sleeps.
-spec stay(#session{}) -> next_state().
stay(#session{mailbox = Mailbox} = S) ->
    Length = megaphone_mailbox:length(),
    case megaphone_mailbox:is_too_long(Length, Mailbox) of
        true -> crowded(Length, S);
        false -> {noreply, S, ?SLEEP_AFTER_MS}
    end.

%% What is in the mailbox goes back through the router.
-spec crowded(non_neg_integer(), #session{}) -> next_state().
crowded(Length, #session{phase = {ended, _}} = S) ->
    {stop, {shutdown, {process_limit, {max_queue, Length}}}, S};
crowded(_, S) ->
    next_state(ends({hang_up, mailbox_too_long}, S)).

-spec handled(#session{}) -> #session{}.
handled(#session{mailbox = Mailbox} = S) ->
    case megaphone_mailbox:handled(Mailbox) of
        Mailbox -> S;
        Mailbox1 -> S#session{mailbox = Mailbox1}
    end.

%% A timer that fires too early is cheaper than one that is moved with every message.
-spec rearm(#session{}) -> #session{}.
rearm(#session{phase = Phase, c2s = C2s, timer = Timer} = S) ->
    ClientDue = case Phase of {open, Transport} -> megaphone_transport:due(Transport); _ -> infinity end,
    %% Atoms sort behind numbers: `infinity' is the largest.
    case {min(ClientDue, megaphone_c2s:due(C2s)), Timer} of
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

%%% Ends, and what others are told

-spec ends(megaphone_ending:way(), #session{}) -> step().
ends(Way, S) ->
    {Result, #{phase := Phase, c2s := C2s, pending := Pending}} = megaphone_ending:run(Way, to_ending(S)),
    S1 = gauge(S#session{phase = Phase, c2s = C2s, pending = Pending}),
    case Result of
        ok -> {ok, S1};
        {stop, Reason} -> {stop, Reason, S1}
    end.

-spec to_ending(#session{}) -> megaphone_ending:session().
to_ending(#session{sid = Sid, host = Host, phase = Phase, c2s = C2s, pending = Pending} = S) ->
    #{sid => Sid, host => Host, who => who(S), phase => Phase, c2s => C2s, pending => Pending}.

-spec who(#session{}) -> megaphone_allowance:who().
who(#session{phase = {open, _}, gauged = {0, _, _}}) -> stranger;
who(_) -> user.

-spec gauge(#session{}) -> #session{}.
gauge(#session{gauged = Before, sid = Sid, host = Host, phase = Phase, c2s = C2s} = S) ->
    case megaphone_report:gauges(Phase, C2s) of
        Before ->
            S;
        Now ->
            ok = megaphone_sessions:gauge(Sid, Now),
            element(1, Now) > element(1, Before) andalso logged_in(Sid, Host, C2s),
            S#session{gauged = Now}
    end.

-spec logged_in(megaphone_sid:sid(), binary(), megaphone_c2s:c2s()) -> ok.
logged_in(Sid, Host, C2s) ->
    ok = megaphone_hub:logged_in(self()),
    %% It was used to make ids for the login, and would stay for the session's life.
    _ = erase(rand_seed),
    megaphone_report:logged_in(Sid, Host, C2s).

%% The index, or the hub, is new.
-spec announce(#session{}) -> ok.
announce(#session{sid = Sid, phase = {open, _}, gauged = Gauges, c2s = C2s} = S) ->
    ok = megaphone_sessions:open(Sid, self(), Gauges),
    case {who(S), megaphone_c2s:address(C2s)} of
        {stranger, Address} when Address =/= unknown -> megaphone_hub:stranger(self(), Address);
        _ -> ok
    end;
announce(_) ->
    ok.

-spec now_ms() -> ms().
now_ms() ->
    erlang:monotonic_time(millisecond).
