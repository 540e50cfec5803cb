%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% ejabberd's stream as a library. `xmpp_stream_in' is a set of gen_server callbacks; here a session's process calls
%%% them: what happens goes in as a call, a cast, a message or a stream event, and what the stream sent meanwhile comes
%%% out as values, collected from its socket (megaphone_socket). Nothing here knows how the client is reached.
%%%
%%% | the callback        | outcome                                 | the stream kept            |
%%% |---------------------|-----------------------------------------|----------------------------|
%%% | returns             | `ok'                                    | its new state              |
%%% | ... disconnected    | `closed': it has ended, or is resumable | its new state              |
%%% | ... resumed         | the same: it goes on in another process | its new state              |
%%% | is not called       | `unexpected': the event is out of turn  | the same                   |
%%% | stops               | `{stop, Reason}'                        | its new state              |
%%% | exits in good order | `{exit, Reason}': so it may end, too    | that from before           |
%%% | fails               | `{exit, {shutdown, fault}}', logged     | that from before           |
%%%
%%% In good order: `normal', `shutdown' or `{shutdown, _}'; any other exit is a failure.
-module(megaphone_c2s).

-export([none/0, max_bytes/0, start/2, new/1, run/2, call/3, cast/2, info/2, event/2, last_word/2, say/2, terminate/2]).
-export([due/1, sleep/2, wake/1, stream/1, is_established/1, counts/1, waits/1, is_resumed/1, takes_late/1, user/2, ip/1, address/1, age/1]).
-export([is_pending/1, export/1, import/1]).

-export_type([c2s/0, result/0, exported/0]).

-type stream() :: xmpp_stream_in:state().
-type ms() :: integer().

-record(c2s, {
    stream :: stream(),
    %% When it is to hear of a timeout.
    due = infinity :: ms() | infinity
}).

%% How often a stream is looked for that is to be resumed, and the pause between.
-define(RESUMES, 3).
-define(RESUME_MS, 100).

%% None where the session ended before a stream began; packed while the process sleeps.
-opaque c2s() :: none | binary() | #c2s{}.

-type outcome() :: ok | closed | unexpected | {stop | exit, Reason :: term()}.
-type result() :: {outcome(), Sent :: [megaphone_socket:event()], c2s()}.
%% When it is to hear of a timeout: in so many milliseconds.
-type exported() :: {stream(), ms() | infinity}.

-spec none() -> c2s().
none() -> none.

%% @doc The most that its client may send at once, as ejabberd's configuration has it.
-spec max_bytes() -> pos_integer() | infinity.
max_bytes() -> proplists:get_value(max_stanza_size, ejabberd_c2s_config:get_c2s_limits(), infinity).

%% @doc A stream for a client. That of one who came by HTTPS is encrypted, though not by ejabberd: so it may log in by SASL2
%% (XEP-0388), where the release knows that.
-spec start(megaphone_opening:client(), megaphone_socket:transport()) -> result().
start({Peer, IsSecure}, Transport) ->
    Options = [{allow_unencrypted_sasl2, IsSecure} | ejabberd_c2s_config:get_c2s_limits()],
    {ok, Stream, _} = xmpp_stream_in:init([ejabberd_c2s, {megaphone_socket, megaphone_socket:new(Peer, Transport)}, Options]),
    run(fun accept/1, new(Stream)).

-spec new(stream()) -> c2s().
new(Stream) -> #c2s{stream = Stream}.

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

-spec call(term(), {pid(), term()}, c2s()) -> result().
call({resume_session, _} = Call, From, C2s) ->
    case is_resumed(C2s) of
        %% It would go on in two processes. Who asks hears when this one ends, and asks the other.
        true -> {ok, [], C2s};
        false -> called(Call, From, C2s)
    end;
call(Call, From, C2s) ->
    called(Call, From, C2s).

-spec called(term(), {pid(), term()}, c2s()) -> result().
called(Call, From, C2s) -> run(fun(Stream) -> xmpp_stream_in:handle_call(Call, From, Stream) end, C2s).

-spec cast(term(), c2s()) -> result().
cast(Cast, C2s) -> run(fun(Stream) -> xmpp_stream_in:handle_cast(Cast, Stream) end, C2s).

%% @doc A message; `timeout' where it is due/1.
-spec info(term(), c2s()) -> result().
info(Info, C2s) -> run(fun(Stream) -> xmpp_stream_in:handle_info(Info, Stream) end, C2s).

%% @doc What its client sent, or that its connection is closed.
-spec event(megaphone_stream:event() | closed, c2s()) -> result().
event(Event, C2s) ->
    case is_in_turn(Event, C2s) of
        true -> say_event(Event, C2s, ?RESUMES);
        false -> {unexpected, [], C2s}
    end.

%% A client that gave up a resumption (XEP-0198), and tries again, may ask for a process that is about to end: the stream goes on
%% in the one of its first try, which is found next.
-spec say_event(megaphone_stream:event() | closed, c2s(), Tries :: non_neg_integer()) -> result().
say_event({xmlstreamelement, {xmlel, <<"resume">>, _, _}} = Event, C2s, Tries) when Tries > 0 ->
    case info({'$gen_event', Event}, C2s) of
        {ok, [{xmlstreamelement, {xmlel, <<"failed">>, _, _}}], #c2s{stream = #{user := User, lserver := Server}} = C2s1} = Result ->
            case ejabberd_sm:get_user_resources(User, Server) of
                [] ->
                    Result;
                _ ->
                    ok = timer:sleep(?RESUME_MS),
                    say_event(Event, C2s1, Tries - 1)
            end;
        Result ->
            Result
    end;
say_event(Event, C2s, _) ->
    info({'$gen_event', Event}, C2s).

%% A header where one is due, and nothing else there: over TCP the parser sees to that, and the stream would put what is out
%% of turn into the log, with all that is in it.
-spec is_in_turn(megaphone_stream:event() | closed, c2s()) -> boolean().
is_in_turn({xmlstreamstart, _, _}, #c2s{stream = #{stream_state := State}}) -> State =:= wait_for_stream;
is_in_turn({xmlstreamstart, _, _}, C2s) -> not is_binary(C2s);
is_in_turn({xmlstreamelement, _}, #c2s{stream = #{stream_state := wait_for_stream}}) -> false;
is_in_turn(_, _) -> true.

%% @doc Its last word is this error: nobody may resume it then (XEP-0198).
-spec last_word(megaphone_condition:condition(), c2s()) -> result().
last_word(Condition, C2s) -> cast({send, stream_error(Condition)}, C2s).

-spec stream_error(megaphone_condition:condition()) -> tuple().
stream_error(<<"system-shutdown">>) -> xmpp:serr_system_shutdown();
stream_error(<<"policy-violation">>) -> xmpp:serr_policy_violation();
stream_error(_) -> xmpp:serr_bad_format().

%% @doc A callback of the stream.
-spec run(fun((stream()) -> tuple()), c2s()) -> result().
run(_, none) ->
    {ok, [], none};
run(Callback, Asleep) ->
    #c2s{stream = Before} = C2s = wake(Asleep),
    try Callback(Before) of
        {noreply, Stream, infinity} ->
            {outcome(Stream), megaphone_socket:collect(), C2s#c2s{stream = Stream, due = infinity}};
        {noreply, Stream, Timeout} ->
            {outcome(Stream), megaphone_socket:collect(), C2s#c2s{stream = Stream, due = now_ms() + Timeout}};
        {stop, Reason, Stream} ->
            {{stop, Reason}, megaphone_socket:collect(), C2s#c2s{stream = Stream}}
    catch
        exit:Reason when Reason =:= normal; Reason =:= shutdown ->
            {{exit, Reason}, megaphone_socket:collect(), C2s};
        exit:{shutdown, _} = Reason ->
            {{exit, Reason}, megaphone_socket:collect(), C2s};
        Class:Reason:Stack ->
            ok = megaphone_fault:ends(Class, Reason, Stack),
            {{exit, {shutdown, fault}}, megaphone_socket:collect(), C2s}
    end.

-spec outcome(stream()) -> ok | closed.
outcome(#{stream_state := disconnected}) -> closed;
%% The client knows what it said up to now as heard (XEP-0198), and says the rest by its new connection.
outcome(#{mgmt_state := resumed}) -> closed;
outcome(_) -> ok.

%% @doc What it would send for this event, which changes nothing in it.
-spec say(megaphone_stream:event(), c2s()) -> [megaphone_socket:event()].
say(Event, C2s) ->
    try
        _ = xmpp_stream_in:handle_info({'$gen_event', Event}, stream(C2s)),
        ok
    catch
        exit:_ -> ok;
        Class:Reason:Stack -> megaphone_fault:log("loses a client's last word", Class, Reason, Stack)
    end,
    megaphone_socket:collect().

%% @doc Its process ends.
-spec terminate(term(), c2s()) -> ok.
terminate(_, none) ->
    ok;
terminate(Reason, C2s) ->
    Stream = stream(C2s),
    _ = xmpp_stream_in:terminate(Reason, Stream),
    megaphone_handback:terminated(Reason, Stream).

-spec due(c2s()) -> ms() | infinity.
due(#c2s{due = Due}) -> Due;
due(_) -> infinity.

%% @doc Most of an idle session is the stream's state, of which nothing is needed to hold a request.
-spec sleep(Host :: binary(), c2s()) -> c2s().
sleep(Host, #c2s{stream = #{stream_state := established} = Stream, due = infinity}) -> megaphone_pack:pack(Host, Stream);
sleep(_, C2s) -> C2s.

-spec wake(c2s()) -> c2s().
wake(Packed) when is_binary(Packed) -> #c2s{stream = megaphone_pack:unpack(Packed)};
wake(C2s) -> C2s.

%% @doc Of one that there is.
-spec stream(c2s()) -> stream().
stream(C2s) ->
    #c2s{stream = Stream} = wake(C2s),
    Stream.

-spec is_established(c2s()) -> boolean().
is_established(#c2s{stream = #{stream_state := established}}) -> true;
is_established(C2s) -> is_binary(C2s).

%% @doc Does its client hear how many of its stanzas were heard (XEP-0198), and send the rest again?
-spec counts(c2s()) -> boolean().
counts(none) -> false;
counts(C2s) -> megaphone_handback:is_resumable(stream(C2s)).

%% @doc Does it wait for its client to resume it (XEP-0198), or will it once its connection is closed?
-spec waits(c2s()) -> boolean().
waits(none) ->
    false;
waits(C2s) ->
    case stream(C2s) of
        #{mgmt_state := pending} -> true;
        #{mgmt_state := active, mgmt_timeout := Timeout, stream_state := State} -> Timeout > 0 andalso State =/= disconnected;
        _ -> false
    end.

%% @doc Did its client resume it (XEP-0198), so that it goes on in another process?
-spec is_resumed(c2s()) -> boolean().
is_resumed(none) -> false;
is_resumed(C2s) -> case stream(C2s) of #{mgmt_state := resumed} -> true; _ -> false end.

%% @doc Does what comes for its user after its connection was closed go to the stream? Its process lives on for a moment,
%% or until the client resumes it (XEP-0198), which takes that over.
-spec takes_late(c2s()) -> boolean().
takes_late(none) ->
    true;
takes_late(C2s) ->
    Stream = stream(C2s),
    not is_map_key(jid, Stream) orelse megaphone_handback:is_resumable(Stream).

%% @doc The user's full JID, or words for someone who has not logged in.
-spec user(Host :: binary(), c2s()) -> binary().
user(<<>>, none) ->
    <<"someone">>;
user(Host, none) ->
    <<"someone at ", Host/binary>>;
user(Host, C2s) ->
    case stream(C2s) of
        #{jid := Jid} -> jid:encode(Jid);
        _ -> user(Host, none)
    end.

-spec ip(c2s()) -> string().
ip(C2s) ->
    case address(C2s) of
        unknown -> "unknown";
        Address -> inet:ntoa(Address)
    end.

-spec address(c2s()) -> inet:ip_address() | unknown.
address(none) ->
    unknown;
address(C2s) ->
    case stream(C2s) of
        #{ip := {Address, _}} -> Address;
        _ -> unknown
    end.

%% @doc Seconds since ejabberd made it known to others, which is in its name there; -1 before.
-spec age(c2s()) -> integer().
age(none) ->
    -1;
age(C2s) ->
    case stream(C2s) of
        #{stream_state := established, sid := {Time, _}} -> max(0, timer:now_diff(erlang:timestamp(), Time) div 1_000_000);
        _ -> -1
    end.

%% @doc Has its client gone, and may it come back (XEP-0198)?
-spec is_pending(c2s()) -> boolean().
is_pending(none) -> false;
is_pending(C2s) -> case stream(C2s) of #{mgmt_state := pending} -> true; _ -> false end.

%% @doc As it moves to another node.
-spec export(c2s()) -> exported().
export(C2s) ->
    Due = case due(C2s) of infinity -> infinity; At -> At - now_ms() end,
    {megaphone_passage:export(stream(C2s)), Due}.

%% @doc There, with what it says to its socket.
-spec import(exported()) -> {[megaphone_socket:event()], c2s()}.
import({Exported, Left}) ->
    C2s = new(megaphone_passage:import(Exported)),
    Due = case Left of infinity -> infinity; _ -> Left + now_ms() end,
    {megaphone_socket:collect(), C2s#c2s{due = Due}}.

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
