%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One session as a value: on one side the transport that reaches its client, on the other its XMPP stream, and between them
%%% what the client sent and the stream has not got yet. Of its process it reads how long the mailbox is. How it ends is
%%% megaphone_ending's.
%%%
%%%   opening  the first step of its process, which opens it (open/4) or refuses: nothing else finds it so but its end
%%%   open     the client hears what the stream sends
%%%   ended    the client was told, and will be if it asks late; its process lives on until its stream stops it, which
%%%            the client may resume (XEP-0198)
%%%
%%%                             | open      | ended
%%%   the client's message      | transport | late
%%%   the client's fault        | ended     | late
%%%   a stanza for the user     | stream    | owed
%%%   ... who may resume        | stream    | stream
%%%   another message, or call  | stream    | stream
%%%   the stream sent           | transport | owed
%%%   out of the stream's turn  | ended     | ·
%%%   the stream's last word    | ended     | ·
%%%   the stream is closed      | ended     | ·
%%%   the stream stopped        | stops     | stops
%%%   a fault with what it sent | stops     | ·
%%%   the client is away        | ended     | ·
%%%   the stream's time came    | stream    | stream
%%%   hang up                   | ended     | ·
%%%   shut down                 | stops     | stops
%%%
%%% (·: nothing changes. The test reads this table.) Transport, stream: it is for that side. Late: for what the transport is
%%% without a session. Owed: it goes back through the router when the process ends. Stops: the process does, and tells the client first, if the session is open.
%%%
%%% What is done returns a step: it goes on, or its process is to stop. A step of which more may follow ends in settle/1.
-module(megaphone_bridge).

-export([new/2, open/4, opened/3, settle/1, ends/2, terminate/2]).
-export([client/2, stream/2, call/3, cast/2, hear/2, due/1, tick/1]).
-export([handled/1, excess/1, sleep/1, sid/1, who/1, gauges/1, parts/1]).
-export([moves/1, moved/2]).

-export_type([bridge/0, step/0]).

-type ms() :: integer().
-type c2s() :: megaphone_c2s:c2s().
-type transport() :: megaphone_transport:transport().

-record(bridge, {
    sid :: megaphone_sid:sid(),
    %% The transport's module.
    via :: module(),
    %% Virtual host; empty until the client named it.
    host = <<>> :: binary(),
    phase = opening :: megaphone_ending:phase(),
    c2s = megaphone_c2s:none() :: c2s(),
    pending = megaphone_pending:new() :: megaphone_pending:pending(),
    mailbox = megaphone_mailbox:new() :: megaphone_mailbox:mailbox(),
    who = stranger :: megaphone_allowance:who()
}).
-opaque bridge() :: #bridge{}.

-type step() :: {ok, bridge()} | {stop, ProcessReason :: term(), bridge()}.
%% @doc One whose transport is this module's.
-spec new(megaphone_sid:sid(), module()) -> bridge().
new(Sid, Via) -> #bridge{sid = Sid, via = Via}.

%% @doc With what came by `ConnId' of a client.
-spec open(ConnId :: pid(), megaphone_transport:what(), megaphone_opening:client(), bridge()) -> step().
open(ConnId, What, Client, #bridge{sid = Sid, via = Via} = B) ->
    case Via:open(ConnId, What, Sid) of
        {First, Host, Transport} ->
            B1 = opened(Host, Transport, B#bridge{mailbox = megaphone_mailbox:configured()}),
            case stream(megaphone_c2s:start(Client, Via:name()), B1) of
                {ok, B2} when First =:= ok -> begun(ConnId, What, settle(B2));
                {ok, B2} -> ends({hang_up, First}, B2);
                Stop -> Stop
            end;
        refused ->
            {stop, normal, B}
    end.

%% @doc With a transport, and no stream yet.
-spec opened(Host :: binary(), transport(), bridge()) -> bridge().
opened(Host, Transport, B) -> B#bridge{host = Host, phase = {open, Transport}}.

-spec begun(pid(), megaphone_transport:what(), step()) -> step().
begun(ConnId, What, {ok, #bridge{via = Via, phase = {open, Transport}} = B}) ->
    transport(Via:begun(ConnId, What, Transport), B);
begun(_, _, Step) ->
    Step.

%%% The client's side

%% @doc A message that is the transport's.
-spec client(tuple(), bridge()) -> step().
client(Message, #bridge{sid = Sid, via = Via, phase = {open, Transport}, who = Who} = B) ->
    transport(Via:hear(Message, Sid, Who, Transport), B);
client(Message, #bridge{sid = Sid, via = Via} = B) ->
    ok = Via:late(Message, Sid),
    {ok, B}.

-spec transport(megaphone_transport:step(), bridge()) -> step().
transport({ok, Transport}, B) -> {ok, B#bridge{phase = {open, Transport}}};
transport({stop, Reason, Transport}, B) -> ends({hang_up, Reason}, B#bridge{phase = {open, Transport}}).

%%% The stream's side

-spec call(term(), {pid(), term()}, bridge()) -> step().
call(Call, From, #bridge{c2s = C2s} = B) -> stream(megaphone_c2s:call(Call, From, C2s), B).

-spec cast(term(), bridge()) -> step().
cast(Cast, #bridge{c2s = C2s} = B) -> stream(megaphone_c2s:cast(Cast, C2s), B).

%% @doc A message that is the stream's.
-spec hear(term(), bridge()) -> step().
hear({route, Stanza} = Info, #bridge{phase = {ended, Ended}, c2s = C2s} = B) ->
    case megaphone_ending:late(Stanza, Ended, C2s) of
        {ok, Ended1} -> {ok, B#bridge{phase = {ended, Ended1}}};
        stream -> stream(megaphone_c2s:info(Info, C2s), B)
    end;
hear(Info, #bridge{c2s = C2s} = B) ->
    stream(megaphone_c2s:info(Info, C2s), B).

%% @doc What a callback did; where the stream ended by it, how that was before.
-spec stream(megaphone_c2s:result(), bridge()) -> step().
stream({ok, [], C2s}, B) ->
    {ok, B#bridge{c2s = C2s, who = who(C2s, B)}};
stream({unexpected, _, _}, B) ->
    ends({hang_up, <<"bad-request">>}, B);
stream({Outcome, Sent, C2s}, #bridge{via = Via, phase = {open, Transport}, c2s = Before} = B) ->
    B1 = B#bridge{c2s = C2s, who = who(C2s, B)},
    try Via:sent(Sent, Transport) of
        {ended, Condition, Error, Rest, Transport1} ->
            case ends({stream, Condition, Error, Before}, B1#bridge{phase = {open, Transport1}}) of
                {ok, B2} -> stream({Outcome, Rest, C2s}, B2);
                Stop -> Stop
            end;
        {ok, Transport1} when Outcome =:= closed ->
            ends({stream, <<"remote-connection-failed">>, [], Before}, B1#bridge{phase = {open, Transport1}});
        Step when Outcome =:= ok; Outcome =:= closed ->
            transport(Step, B1);
        Step ->
            stop(Outcome, Before, B1#bridge{phase = {open, element(tuple_size(Step), Step)}})
    catch
        Class:Reason:Stack ->
            ok = megaphone_fault:ends(Class, Reason, Stack),
            ends({fault, Sent}, B1)
    end;
stream({Outcome, Sent, C2s}, #bridge{phase = {ended, Ended}, c2s = Before} = B) ->
    stop(Outcome, Before, B#bridge{c2s = C2s, phase = {ended, megaphone_ending:owes(Sent, Ended)}}).

-spec stop(ok | closed | {stop | exit, ProcessReason :: term()}, Before :: c2s(), bridge()) -> step().
stop({stop, Reason}, Before, B) -> ends({stopped, Reason, Before}, B);
stop({exit, Reason}, _, B) -> {stop, Reason, B};
stop(_, _, B) -> {ok, B}.

%% Once it has logged in, it has.
-spec who(c2s(), bridge()) -> megaphone_allowance:who().
who(C2s, #bridge{who = stranger}) -> case megaphone_c2s:is_established(C2s) of true -> user; false -> stranger end;
who(_, _) -> user.

%%% Between them

%% @doc Takes what is next of the client's, gives the stream what may go there, and answers what is due. A fault at one of
%% these undoes none of those before it: what was said is not said again, and who logged in is logged out.
-spec settle(bridge()) -> step().
settle(#bridge{phase = {open, _}} = B) ->
    try advance(B) of
        {more, B1} -> settle(B1);
        Step -> Step
    catch
        Class:Reason:Stack -> {stop, megaphone_ending:fault(Class, Reason, Stack, none), B}
    end;
settle(B) ->
    {ok, B}.

%% By one; `more' may follow.
-spec advance(bridge()) -> step() | {more, bridge()}.
advance(#bridge{host = Host, via = Via, phase = {open, Transport}} = B) ->
    case take_pending(B) of
        {Event, B1} ->
            deliver(Event, B1);
        none ->
            case Via:next(Host, Transport) of
                {ok, Bytes, Events, Transport1} -> leave(Bytes, Events, B#bridge{phase = {open, Transport1}});
                none -> flush(B);
                {host, Own, Transport1} -> {more, opened(Own, Transport1, B)};
                Stop -> transport(Stop, B)
            end
    end.

-spec leave(Bytes :: pos_integer(), [megaphone_stream:event()], bridge()) -> step() | {more, bridge()}.
leave(Bytes, Events, #bridge{pending = Pending} = B) ->
    case megaphone_pending:leave(Bytes, Events, Pending) of
        {ok, Pending1} -> {more, B#bridge{pending = Pending1}};
        flood -> ends({hang_up, too_much_pending}, B)
    end.

-spec flush(bridge()) -> step() | {more, bridge()}.
flush(#bridge{via = Via, phase = {open, Transport}, who = Who, pending = Pending} = B) ->
    %% There is more for the stream, and only the mailbox keeps it back.
    IsBusy = not megaphone_pending:is_empty(Pending) andalso Via:flow(Who, Transport) =:= open,
    case transport(Via:flush(IsBusy, Pending, Transport), B) of
        %% What left may have made room.
        {ok, #bridge{phase = {open, _}} = B1} -> case take_pending(B1) of none -> {ok, B1}; _ -> {more, B1} end;
        Step -> Step
    end.

%% What the stream is to get now. What is in the mailbox for what it got before goes first: it is the next message.
-spec take_pending(bridge()) -> {megaphone_stream:event(), bridge()} | none.
take_pending(#bridge{via = Via, phase = {open, Transport}, who = Who, pending = Pending, mailbox = Mailbox} = B) ->
    IsLeft = megaphone_pending:is_empty(Pending) orelse megaphone_mailbox:is_behind(Mailbox),
    case IsLeft orelse megaphone_pending:take(Via:flow(Who, Transport), Pending) of
        {Event, Pending1} -> {Event, B#bridge{pending = Pending1}};
        _ -> none
    end.

-spec deliver(megaphone_stream:event(), bridge()) -> step() | {more, bridge()}.
deliver(Event, #bridge{c2s = C2s, mailbox = Mailbox} = B) ->
    Before = megaphone_mailbox:length(),
    case stream(megaphone_c2s:event(Event, C2s), B) of
        {ok, B1} -> {more, B1#bridge{mailbox = megaphone_mailbox:asked(Before, megaphone_mailbox:length(), Mailbox)}};
        Stop -> Stop
    end.

%%% Time and end

%% @doc When tick/1 will next have something to do.
-spec due(bridge()) -> ms() | infinity.
%% Atoms sort behind numbers: `infinity' is the largest.
due(#bridge{via = Via, phase = {open, Transport}, c2s = C2s}) -> min(Via:due(Transport), megaphone_c2s:due(C2s));
due(#bridge{c2s = C2s}) -> megaphone_c2s:due(C2s).

-spec tick(bridge()) -> step().
tick(#bridge{sid = Sid, via = Via, phase = {open, Transport}, who = Who} = B) ->
    case transport(Via:wait(Sid, Who, Transport), B) of {ok, B1} -> expire(B1); Stop -> Stop end;
tick(B) ->
    expire(B).

-spec expire(bridge()) -> step().
expire(#bridge{via = Via, phase = Phase, c2s = C2s} = B) ->
    IsExpired = case Phase of {open, Transport} -> Via:is_expired(Transport); _ -> false end,
    case IsExpired orelse megaphone_c2s:due(C2s) =< erlang:monotonic_time(millisecond) of
        false -> {ok, B};
        true when IsExpired -> ends({hang_up, expired}, B);
        true -> stream(megaphone_c2s:info(timeout, C2s), B)
    end.

%% After a fault its process ends, with what was done until then.
-spec ends(megaphone_ending:way(), bridge()) -> step().
ends(Way, B) ->
    try megaphone_ending:run(Way, parts(B)) of
        {Result, #{phase := Phase, c2s := C2s, pending := Pending}} ->
            B1 = B#bridge{phase = Phase, c2s = C2s, pending = Pending},
            case Result of ok -> {ok, B1}; {stop, Reason} -> {stop, Reason, B1} end
    catch
        Class:Reason:Stack -> {stop, megaphone_ending:fault(Class, Reason, Stack, none), B}
    end.

%% @doc Its process ends.
-spec terminate(ProcessReason :: term(), bridge()) -> ok.
terminate(Reason, B) -> megaphone_ending:terminate(Reason, parts(B)).

%%% What it is like

%% @doc A message of its process' mailbox less.
-spec handled(bridge()) -> bridge().
handled(#bridge{mailbox = Mailbox} = B) ->
    case megaphone_mailbox:handled(Mailbox) of Mailbox -> B; Mailbox1 -> B#bridge{mailbox = Mailbox1} end.

%% @doc The length of its process' mailbox, where that is too long.
-spec excess(bridge()) -> pos_integer() | none.
excess(#bridge{mailbox = Mailbox}) ->
    Length = megaphone_mailbox:length(),
    case megaphone_mailbox:is_too_long(Length, Mailbox) of true -> Length; false -> none end.

-spec sleep(bridge()) -> bridge().
sleep(#bridge{host = Host, c2s = C2s} = B) -> B#bridge{c2s = megaphone_c2s:sleep(Host, C2s)}.

-spec sid(bridge()) -> megaphone_sid:sid().
sid(#bridge{sid = Sid}) -> Sid.

-spec who(bridge()) -> megaphone_allowance:who().
who(#bridge{who = Who}) -> Who.

-spec gauges(bridge()) -> megaphone_sessions:gauges().
gauges(#bridge{via = Via, phase = Phase, who = Who}) -> megaphone_report:gauges(Via, Phase, Who).

%% @doc For what ends it, or tells of it.
-spec parts(bridge()) -> megaphone_ending:session().
parts(#bridge{sid = Sid, via = Via, host = Host, who = Who, phase = Phase, c2s = C2s, pending = Pending}) ->
    #{sid => Sid, via => Via, host => Host, who => Who, phase => Phase, c2s => C2s, pending => Pending}.

%% @doc As it goes to another process (megaphone_export).
-spec moves(bridge()) -> {megaphone_ending:session(), megaphone_mailbox:mailbox()}.
moves(#bridge{mailbox = Mailbox} = B) -> {parts(B), Mailbox}.

%% @doc There.
-spec moved(megaphone_ending:session(), megaphone_mailbox:mailbox()) -> bridge().
moved(#{sid := Sid, via := Via, host := Host, who := Who, phase := Phase, c2s := C2s, pending := Pending}, Mailbox) ->
    #bridge{sid = Sid, via = Via, host = Host, who = Who, phase = Phase, c2s = C2s, pending = Pending, mailbox = Mailbox}.
