%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How a session ends. There are many reasons and few ways; a way is a list of steps (steps/1), and run/2 takes them,
%%% each at most once, whatever comes together: a client's fault while the server stops, a stream that ends in the
%%% middle of its last words. The reason is what the client hears, and is counted and logged, with the word in brackets.
%%%
%%% | what happens                             | reason                           | way         | then the process          |
%%% |------------------------------------------|----------------------------------|-------------|---------------------------|
%%% | the client says `terminate'              | none, it is no error             | `stream'    | goes on: its stream stops it |
%%% | the stream says an error                 | that, or remote-stream-error     | `stream'    | the same                  |
%%% | the stream ends silently                 | remote-connection-failed         | `stream'    | the same, or its stream may be resumed |
%%% | the client is silent, or others need room | item-not-found (expired)        | `hang_up'   | the same, or its stream may be resumed |
%%% | ... its connection is gone               | remote-connection-failed         | `hang_up'   | the same                  |
%%% | ... does not read what waits for it      | policy-violation (too_much_queued) | `hang_up' | the same                  |
%%% | ... errs with its rid or key             | item-not-found (rid_.., wrong_key) | `hang_up' | the same                  |
%%% | ... errs: no XML, or no header of a stream, or a header, out of turn | bad-request | `hang_up' | goes on: its stream stops it |
%%% | ... too much, too often, too early       | policy-violation (which)         | `hang_up'   | the same                  |
%%% | too much waits in the mailbox, or unacknowledged | policy-violation (which) | `hang_up'   | the same                  |
%%% | the operator closes it                   | policy-violation (closed_by_operator) | `hang_up' | the same               |
%%% | the module or the node stops             | system-shutdown                  | `shut_down' | stops                     |
%%% | ejabberd stops the stream's process: `normal' | remote-connection-failed    | `stopped', `terminate' | stops          |
%%% | ... `shutdown'                           | system-shutdown                  | the same    | stops                     |
%%% | ... for any other reason                 | internal-server-error            | the same    | stops                     |
%%% | a fault in what ejabberd does            | internal-server-error            | `terminate' | stops                     |
%%% | a fault in what we do with what it sent  | internal-server-error            | `fault'     | stops                     |
%%% | a fault in what we do after that         | internal-server-error            | `terminate' | stops, with what was done |
%%% | any other fault of ours                  | internal-server-error, who asked at once | `terminate' | stops, as before the message |
%%% | the mailbox is too long once more        | has been told                    | `terminate' | stops                     |
%%% | the process is killed                    | item-not-found, by megaphone_index | none      | -                         |
%%%
%%% (What each way comes to is in steps/1, and row by row in megaphone_ending_tests.)
%%%
%%% From `finish' on it has left the index, and BOSH's late requests are answered (megaphone_ended); but of one that expired nothing
%%% is kept. Its process lives on until its stream ends it: a moment, or much longer where the client may resume the
%%% stream (XEP-0198). Every process ends by `terminate', which gives back through the router what the client may lack
%%% and what came for its user meanwhile. What was in answers to a client that said `terminate' itself is given to nobody (§13).
-module(megaphone_ending).

-export([steps/1, run/2, terminate/2, fault/4, late/3, owes/2, shift/2]).

-export_type([session/0, phase/0, handback/0, way/0]).

-type reason() :: megaphone_condition:reason().
-type condition() :: megaphone_condition:condition().
-type c2s() :: megaphone_c2s:c2s().
-type transport() :: megaphone_transport:transport().
-type event() :: megaphone_stream:event().

%% What goes back through the router when the process ends.
-record(handback, {
    owed :: [megaphone_queue:owed()],
    %% What came for the user since, newest first; or none where that is for the stream to take.
    late :: [tuple()] | none
}).
-opaque handback() :: #handback{}.

%% In a process that refuses its creation request it never is open.
-type phase() :: opening | {open, transport()} | {ended, handback()}.

%% What of a session has to do with its end.
-type session() :: #{
    sid := megaphone_sid:sid(),
    via := module(),
    host := binary(),
    who := megaphone_allowance:who(),
    phase := phase(),
    c2s := c2s(),
    pending := megaphone_pending:pending()
}.

-type way() ::
    {hang_up, reason()}
    %% The stream's last word; how it was before that.
    | {stream, condition(), Error :: iodata(), Before :: c2s()}
    | shut_down
    | {stopped, ProcessReason :: term(), Before :: c2s()}
    %% Of ours, with what the stream sent.
    | {fault, Sent :: [megaphone_socket:event()]}
    | {terminate, ProcessReason :: term(), c2s()}.

-type step() ::
    %% The client is told, late requests will be, and what it may lack is noted.
    {finish, reason(), Error :: iodata()}
    %% The same; but if the client may resume the stream, it is not told that this is over.
    | {drop, reason()}
    %% The stream gets what the client was told that we have, and only waited for it to fetch more. With stream management
    %% (XEP-0198) none: the client was not told that the stream has it, and sends it again when it resumes that.
    | last_words
    | closed
    | {last_word, condition()}
    %% The stream has ended: of those words, as it would have sent them, what changes nothing in it. What is for the
    %% server itself, and other presence, would be undone by the end at once.
    | {say, Before :: c2s()}
    | {owe, Sent :: [megaphone_socket:event()]}
    | flush
    | hand_back
    | {stop, ProcessReason :: term()}.

-type result() :: {ok | {stop, ProcessReason :: term()}, session()}.

-spec steps(way()) -> [step()].
steps({hang_up, Reason}) ->
    case megaphone_condition:is_final(Reason) of
        true -> [{finish, Reason, []}, last_words, {last_word, megaphone_condition:of_reason(Reason)}];
        false -> [{drop, Reason}, last_words, closed]
    end;
steps({stream, <<"remote-connection-failed">> = Condition, [], Before}) -> [{drop, Condition}, {say, Before}];
steps({stream, Condition, Error, Before}) -> [{finish, Condition, Error}, {say, Before}];
%% The hook by which a stream ends its process may be gone by now.
steps(shut_down) -> [last_words, {last_word, <<"system-shutdown">>}, {finish, <<"system-shutdown">>, []}, {stop, normal}];
steps({stopped, Reason, Before}) -> [{say, Before}, flush, {stop, Reason}];
steps({fault, Sent}) -> [{finish, <<"internal-server-error">>, []}, {owe, Sent}, {stop, {shutdown, fault}}];
steps({terminate, Reason, Before}) -> [{finish, condition(Reason), []}, {say, Before}, hand_back].

%% For which reason a process ends.
-spec condition(term()) -> condition().
condition(normal) -> <<"remote-connection-failed">>;
condition({shutdown, fault}) -> <<"internal-server-error">>;
condition(shutdown) -> <<"system-shutdown">>;
condition({shutdown, _}) -> <<"system-shutdown">>;
condition(_) -> <<"internal-server-error">>.

%% @doc Ends the session in this way; `stop': its process is to end.
-spec run(way(), session()) -> result().
run({hang_up, _}, #{phase := {ended, _}} = Session) ->
    {ok, Session};
run(Way, #{c2s := C2s} = Session) ->
    lists:foldl(fun step/2, {ok, Session#{c2s := megaphone_c2s:wake(C2s)}}, steps(Way)).

%% @doc For which reason a session's process ends after a fault of ours. Who asked hears of it: the state from before
%% the callback, with which it ends, does not know them.
-spec fault(error | exit | throw, term(), list(), Asker :: {Via :: module(), ConnId :: pid()} | none) -> {shutdown, fault}.
fault(Class, Reason, Stack, Asker) ->
    ok = megaphone_fault:ends(Class, Reason, Stack),
    ok = case Asker of none -> ok; {Via, ConnId} -> Via:failed(ConnId) end,
    {shutdown, fault}.

%% @doc The process ends. Whatever happens here, the user's contacts are to hear that the user is gone.
-spec terminate(ProcessReason :: term(), session()) -> ok.
terminate(Reason, #{sid := Sid, via := Via, c2s := Asleep} = Session) ->
    C2s = megaphone_c2s:wake(Asleep),
    try
        _ = run({terminate, Reason, C2s}, Session#{c2s := C2s}),
        ok
    catch
        Class:Fault:Stack ->
            ok = megaphone_stats:add(handbacks_failed, 1),
            megaphone_fault:log("ends without handing back", Class, Fault, Stack)
    after
        ok = megaphone_sessions:close(Sid),
        try
            megaphone_c2s:terminate(case Reason of {shutdown, fault} -> fault; _ -> Reason end, C2s)
        after
            ok = Via:rest(Sid)
        end
    end.

%% Where the stream ended meanwhile, it hears no more.
-spec step(step(), result()) -> result().
step({finish, Reason, Error}, {Result, Session}) ->
    {Result, finish(Reason, Error, false, Session)};
step({drop, Reason}, {Result, #{c2s := C2s} = Session}) ->
    {Result, finish(Reason, [], megaphone_c2s:waits(C2s), Session)};
step(last_words, {ok, #{pending := Pending, c2s := C2s} = Session}) ->
    Words = [Word || not megaphone_c2s:counts(C2s), Word <- megaphone_pending:last_words(Pending)],
    Tell = fun(Word, {ok, S}) -> tell(Word, S); (_, Stop) -> Stop end,
    lists:foldl(Tell, {ok, Session#{pending := megaphone_pending:new()}}, Words);
step(closed, {ok, Session}) ->
    tell(closed, Session);
step({last_word, Condition}, {ok, #{c2s := C2s} = Session}) ->
    told(megaphone_c2s:last_word(Condition, C2s), Session);
step({say, Before}, {Result, #{pending := Pending} = Session}) ->
    Words = [Word || Word <- megaphone_pending:last_words(Pending), megaphone_pending:is_stateless(Word)],
    IsHeard = megaphone_c2s:is_established(Before) andalso not megaphone_c2s:counts(Before),
    Sent = lists:append([megaphone_c2s:say(Word, Before) || Word <- Words, IsHeard]),
    {Result, absorb(Sent, Session#{pending := megaphone_pending:new()})};
step({owe, Sent}, {Result, Session}) ->
    {Result, absorb(Sent, Session)};
step(flush, {Result, #{via := Via, phase := {open, Transport}, pending := Pending} = Session}) ->
    Step = Via:flush(false, Pending, Transport),
    {Result, Session#{phase := {open, element(tuple_size(Step), Step)}}};
step(flush, Result) ->
    Result;
step(hand_back, {_, #{phase := {ended, Back}, c2s := C2s}} = Result) ->
    ok = hand_back(Back, C2s),
    Result;
step(hand_back, Result) ->
    Result;
step({stop, Reason}, {ok, Session}) ->
    {{stop, Reason}, Session};
step(_, {{stop, _}, _} = Stop) ->
    Stop.

-spec tell(event() | closed, session()) -> result().
tell(Event, #{c2s := C2s} = Session) ->
    told(megaphone_c2s:event(Event, C2s), Session).

-spec told(megaphone_c2s:result(), session()) -> result().
told({Outcome, Sent, C2s}, Session) ->
    Result = case Outcome of {_, Reason} -> {stop, Reason}; _ -> ok end,
    {Result, absorb(Sent, Session#{c2s := C2s})}.

%% What the stream sent while it heard its last words.
-spec absorb([megaphone_socket:event()], session()) -> session().
absorb(Sent, #{via := Via, phase := {open, Transport}} = Session) ->
    case Via:sent(Sent, Transport) of
        {ended, Condition, Error, Rest, Transport1} ->
            absorb(Rest, finish(Condition, Error, false, Session#{phase := {open, Transport1}}));
        {ok, Transport1} ->
            Session#{phase := {open, Transport1}};
        %% It ends anyway.
        {stop, _, Transport1} ->
            Session#{phase := {open, Transport1}}
    end;
absorb(Sent, #{phase := {ended, Back}} = Session) ->
    Session#{phase := {ended, owes(Sent, Back)}};
absorb(_, Session) ->
    Session.

-spec finish(reason(), iodata(), IsResumable :: boolean(), session()) -> session().
finish(Reason, Error, IsResumable, #{sid := Sid, via := Via, who := Who, phase := {open, Transport}, c2s := C2s} = Session) ->
    Condition = actual(megaphone_condition:of_reason(Reason), Via, Transport),
    ok = megaphone_stats:add({terminated, Condition}, 1),
    ok = megaphone_report:ends(Condition, Reason, Session),
    For = case Reason of
        %% §10: silently; to the client the session exists no more.
        expired -> ok = megaphone_stats:add(sessions_expired, 1), nobody;
        _ -> Who
    end,
    Told = case Condition of client -> client; _ when IsResumable -> resumable; _ -> Condition end,
    Owed = Via:finish(Told, Error, For, Sid, Transport),
    ok = megaphone_sessions:close(Sid),
    ok = megaphone_moved:leave(Sid),
    Late = case megaphone_c2s:takes_late(C2s) of true -> none; false -> [] end,
    Session#{phase := {ended, #handback{owed = Owed, late = Late}}};
finish(_, _, _, Session) ->
    Session.

%% A stream that closes after the client's own `terminate' is no failure.
-spec actual(condition(), module(), transport()) -> condition().
actual(<<"remote-connection-failed">> = Condition, Via, Transport) ->
    case Via:info(Transport) of
        #{terminating := true} -> client;
        #{} -> Condition
    end;
actual(Condition, _, _) ->
    Condition.

%% @doc What comes for the user of an ended session is not to be lost; `stream': that takes it. One that goes on in another process
%% has told that all it had.
-spec late(Stanza :: tuple(), handback(), c2s()) -> {ok, handback()} | stream.
late(Stanza, #handback{late = none} = Back, C2s) ->
    case megaphone_c2s:is_resumed(C2s) of
        true -> {ok, Back#handback{late = [Stanza]}};
        false -> stream
    end;
late(Stanza, #handback{late = Late} = Back, _) ->
    {ok, Back#handback{late = [Stanza | Late]}}.

%% @doc What its stream sent meanwhile.
-spec owes([megaphone_socket:event()], handback()) -> handback().
owes(Sent, #handback{owed = Owed} = Back) ->
    case [{erlang:monotonic_time(millisecond), Stanza} || {owed, _, Stanza} <- Sent] of
        [] -> Back;
        More -> Back#handback{owed = Owed ++ More}
    end.

%% @doc The same on a clock that is so much ahead.
-spec shift(integer(), handback()) -> handback().
shift(By, #handback{owed = Owed} = Back) -> Back#handback{owed = megaphone_queue:shift_owed(By, Owed)}.

-spec hand_back(handback(), c2s()) -> ok.
hand_back(Back, C2s) ->
    case megaphone_c2s:is_resumed(C2s) of
        true ->
            ok = megaphone_handover:settle(megaphone_c2s:stream(C2s)),
            requeue(Back, C2s);
        false when Back =:= #handback{owed = [], late = none} ->
            ok;
        false ->
            requeue(Back, C2s)
    end.

-spec requeue(handback(), c2s()) -> ok.
requeue(#handback{owed = Owed, late = Late}, C2s) ->
    Oldest = case Late of none -> []; _ -> lists:reverse(Late) end,
    {Done, Failed} = megaphone_handback:requeue(Owed, Oldest, megaphone_c2s:stream(C2s)),
    ok = megaphone_stats:add(handbacks_failed, Failed),
    megaphone_stats:add(stanzas_handed_back, Done).
