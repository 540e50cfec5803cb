%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One BOSH session as a pure state machine (XEP-0124). It knows no process and no clock but the `now' it is given, in
%%% milliseconds; who drives it delivers payloads and sends the answers it returns.
%%%
%%% A request goes arrive/4 -> next/2 (once all before it came) -> flush/2, and its answer is kept for repeats. Each has its life
%%% in a module of its own: requests in megaphone_requests, answers in megaphone_kept. What a request proves of answers
%%% is in megaphone_proof, how fast it may come in megaphone_pace, what is to go out in megaphone_queue.
-module(megaphone_bosh).

-export([new/4, authid/2, arrive/4, held/4, next/2, is_full/1, busy/2, enqueue/4, flush/2]).
-export([closed/3, lost/2, unsent/3, finish/4, expired/2, deadline/1, take_owed/1, queued/1]).
-export([kind/2, requests/1, present/2, is_grouping/2, terminating/1, held/1, idle/2, paused/1, legacy/1, wait/1]).

-export_type([bosh/0, conn/0, answer/0, limits/0, ended/0]).

-type conn() :: pid().
-type ms() :: integer().
-type rid() :: megaphone_body:rid().
%% What goes back to the client of one request.
-type answer() :: {rid(), conn(), http_status(), Body :: binary()}.
-type http_status() :: megaphone_kept:http_status().
-type condition() :: megaphone_condition:condition().
-type reason() :: megaphone_condition:reason().
%% How a request is answered at the session's end.
-type last() :: {terminate, condition(), Error :: iodata()}.
%% Seconds; `queue' is the bytes that wait for a client before what it sends waits, too, `group' the
%% milliseconds that presence may wait for more of its kind. `strict': who asks too early is ended (§11).
-type limits() :: #{
    wait := non_neg_integer(),
    hold := pos_integer(),
    inactivity := pos_integer(),
    maxpause := non_neg_integer(),
    polling := non_neg_integer(),
    queue := pos_integer(),
    group := non_neg_integer(),
    strict := boolean()
}.
%% What outlives the session: answers for repeats of its last requests, and one for any other.
-type ended() :: #{kept := [{rid(), http_status(), binary()}], final := {http_status(), binary()}}.

-record(bosh, {
    requests :: megaphone_requests:requests(),
    kept = megaphone_kept:new() :: megaphone_kept:kept(),
    proof :: megaphone_proof:proof(),
    pace :: megaphone_pace:pace(),
    out = megaphone_queue:new() :: megaphone_queue:queue(),
    say :: megaphone_answer:say(),
    %% What requests brought goes on to the stream by itself: their answers wait for what that brings.
    busy = false :: boolean(),
    terminating = false :: boolean(),
    %% For how long the client asked to be away (§10).
    pause = none :: none | ms(),
    idle_from :: ms(),
    key = none :: binary() | none,
    legacy :: boolean(),
    hold :: non_neg_integer(),
    limits :: limits()
}).

-opaque bosh() :: #bosh{}.

-define(DEFAULT_WAIT, 60).
-define(DEFAULT_HOLD, 1).
%% Answers kept for a client that acknowledges, in multiples of `requests'.
-define(KEPT_FACTOR, 8).
%% Bytes of stanzas in one answer; a larger stanza goes alone.
-define(ANSWER_BYTES, 131072).
%% So many times the limit of the queue is what all that waits for a client may take, even for one that fetches.
-define(MOST, 64).
-define(LEAST, 1048576).

%%% Requests

%% @doc A session from its creation request (§7.1). The request waits for next/2 like any other.
-spec new(megaphone_body:request(), conn(), ms(), {megaphone_sid:sid(), limits()}) -> bosh().
new(Request, Conn, Now, {Sid, #{wait := MaxWait, hold := MaxHold} = Limits}) ->
    Wait = min(maps:get(wait, Request, ?DEFAULT_WAIT), MaxWait),
    Hold = min(maps:get(hold, Request, ?DEFAULT_HOLD), MaxHold),
    #bosh{
        requests = megaphone_requests:new(Request, Conn),
        proof = megaphone_proof:new(Request),
        pace = megaphone_pace:new(case Hold of 0 -> 0; _ -> Wait * 1000 end, Now),
        say = megaphone_answer:creation(Request, Sid, {Wait, Hold}, Limits),
        idle_from = Now,
        legacy = not is_map_key(ver, Request),
        hold = Hold,
        limits = Limits
    }.

%% @doc Adds the stream's id to the session creation response.
-spec authid(binary(), bosh()) -> bosh().
authid(Id, #bosh{say = Say} = S) -> S#bosh{say = megaphone_answer:authid(Id, Say)}.

%% @doc Takes a request from the network. It is refused, answered from what is kept, put in the place
%% of the same request on an older connection, or waits for next/2. `stale': this one is answered with
%% item-not-found, and the session goes on as if it had not come.
-spec arrive(megaphone_body:request(), conn(), ms(), bosh()) ->
    {ok, [answer()], bosh()} | stale | {stop, reason(), bosh()}.
arrive(#{rid := Rid} = Request, Conn, Now, #bosh{requests = Requests, pace = Pace} = S) ->
    Key = megaphone_keys:of_request(Request),
    case megaphone_requests:again(Rid, Key, Conn, megaphone_pace:again(Now, Pace), Requests) of
        {ok, Older, Requests1} -> {ok, released(Rid, Older, Conn), S#bosh{requests = Requests1, idle_from = Now}};
        other_key -> stranger(Rid, Conn, Now, S);
        none ->
            case megaphone_requests:kind(Rid, Requests) of
                repeat -> repeat(Rid, Key, Conn, Now, S);
                _ -> arrive_new(Request, Conn, S#bosh{idle_from = Now})
            end
    end.

-spec arrive_new(megaphone_body:request(), conn(), bosh()) -> {ok, [], bosh()} | {stop, reason(), bosh()}.
arrive_new(#{rid := Rid} = Request, Conn, #bosh{requests = Requests, limits = #{strict := Strict}} = S) ->
    Received = megaphone_requests:received(Requests),
    S1 = S#bosh{requests = megaphone_requests:arrive(Request, Conn, Requests)},
    Most = requests(S) + megaphone_body:extra(Request),
    Open = megaphone_requests:held(Requests) + megaphone_requests:waiting(Requests),
    if
        %% §14.2: beyond the window.
        Rid > Received + Most -> {stop, rid_beyond_window, S1};
        Strict, Rid =:= Received + 1, Open >= Most -> {stop, too_many_requests, S1};
        true -> {ok, [], S1}
    end.

%% One that was answered (§14.3). Of what is not kept the client had the answer: this is an old copy that was on its way
%% for long, or a stranger's.
-spec repeat(rid(), Key :: binary() | none, conn(), ms(), bosh()) -> {ok, [answer()], bosh()} | stale | {stop, reason(), bosh()}.
repeat(Rid, Key, Conn, Now, #bosh{kept = Kept} = S) ->
    case megaphone_kept:copy(Rid, Key, Kept) of
        {Status, Body, Kept1} -> {ok, [{Rid, Conn, Status, Body}], S#bosh{kept = Kept1, idle_from = Now}};
        other_key -> stranger(Rid, Conn, Now, S);
        none -> stale
    end.

%% With another key than the first time (§15): the sender may be anyone. It is answered as all others are.
-spec stranger(rid(), conn(), ms(), bosh()) -> {stop, reason(), bosh()}.
stranger(Rid, Conn, Now, #bosh{requests = Requests} = S) ->
    {stop, wrong_key, S#bosh{requests = megaphone_requests:reopen([{Rid, Conn}], Now, Requests)}}.

%% The older connection of a repeated request is let go with nothing in it. It is the same one where the
%% gateway sent the request again.
-spec released(rid(), Older :: conn() | none, conn()) -> [answer()].
released(_, none, _) -> [];
released(_, Conn, Conn) -> [];
released(Rid, Conn, _) -> [{Rid, Conn, 200, megaphone_body:write([], [])}].

%% @doc What became of a request that this connection made: it is open still; it was answered, and gets that answer
%% again, as a repeat would; or nothing is known of it.
-spec held(rid(), conn(), ms(), bosh()) -> {held, bosh()} | {answered, answer(), bosh()} | unknown.
held(Rid, Conn, Now, #bosh{requests = Requests, kept = Kept} = S) ->
    case megaphone_requests:is_open(Conn, Requests) orelse megaphone_kept:is_awaited(Conn, Kept) of
        true ->
            {held, S};
        false ->
            %% Who asks has no key, and shows none (§15).
            case megaphone_kept:copy(Rid, none, Kept) of
                {Status, Body, Kept1} -> {answered, {Rid, Conn, Status, Body}, S#bosh{kept = Kept1, idle_from = Now}};
                _ -> unknown
            end
    end.

%% @doc The next request in rid order (§14.2), now held, whose payload is to be delivered.
-spec next(ms(), bosh()) ->
    {ok, megaphone_body:request(), bosh()} | none | {stop, reason(), bosh()}.
next(Now, #bosh{requests = Requests, key = Key, pace = Pace, limits = Limits} = S) ->
    case megaphone_requests:turn(Requests) of
        none ->
            none;
        Request ->
            %% The creation request is no poll.
            Ask = case megaphone_body:is_empty(Request) andalso not is_new(S) of true -> poll; false -> other end,
            IsFull = Ask =:= poll andalso megaphone_requests:held(Requests) + 1 >= requests(S),
            case {megaphone_keys:next(Request, Key), megaphone_pace:ask(Ask, IsFull, Now, Limits, Pace)} of
                {error, _} -> {stop, wrong_key, hold(Request, Now, S)};
                {_, flood} -> {stop, too_frequent, hold(Request, Now, S)};
                {{ok, Key1}, {ok, Due, Pace1}} -> accept(Request, Now, hold(Request, Due, S#bosh{key = Key1, pace = Pace1}))
            end
    end.

-spec hold(megaphone_body:request(), Due :: ms(), bosh()) -> bosh().
hold(#{rid := Rid} = Request, Due, #bosh{requests = Requests} = S) ->
    S#bosh{
        requests = megaphone_requests:hold(Rid, Due, megaphone_keys:of_request(Request), Requests),
        terminating = is_map_key(terminate, Request)
    }.

%% §10: a pause lasts until the next request.
-spec accept(megaphone_body:request(), ms(), bosh()) -> {ok, megaphone_body:request(), bosh()} | {stop, reason(), bosh()}.
accept(Request, Now, S) ->
    #bosh{kept = Kept, limits = #{maxpause := Max}} = S1 = prove(Request, Now, S),
    case Request of
        #{pause := Pause} when Pause > Max ->
            {stop, pause_too_long, S1};
        #{pause := Pause} ->
            {ok, Request, S1#bosh{pause = Pause * 1000}};
        _ ->
            case megaphone_kept:size(Kept) > ?KEPT_FACTOR * requests(S) of
                true -> {stop, too_much_unacknowledged, S1};
                false when S1#bosh.pause =:= none -> {ok, Request, S1};
                false -> {ok, Request, S1#bosh{pause = none}}
            end
    end.

-spec prove(megaphone_body:request(), ms(), bosh()) -> bosh().
prove(Request, Now, #bosh{requests = Requests, kept = Kept, proof = Proof, hold = Hold, limits = #{queue := Bytes}} = S) ->
    case megaphone_proof:of_request(Request, megaphone_requests:held(Requests), Hold, Proof) of
        {{acknowledged, Rid}, _} ->
            S#bosh{kept = megaphone_kept:acknowledged(Rid, Kept), say = report(Request, Rid + 1, Now, S)};
        {{received, Proved, Oldest, Window}, Proof1} ->
            Kept1 = megaphone_kept:trim(Oldest, {Window, Bytes}, megaphone_kept:received(Proved, Kept)),
            S#bosh{kept = Kept1, proof = Proof1}
    end.

%% The client says that it does not have this answer (§9.2).
-spec report(megaphone_body:request(), rid(), ms(), bosh()) -> megaphone_answer:say().
report(Request, Missed, Now, #bosh{kept = Kept, say = Say}) ->
    case megaphone_kept:sent_at(Missed, Kept) of
        At when is_integer(At), is_map_key(ack, Request) -> {report, Missed, Now - At};
        _ -> case Say of {report, _, _} -> nothing; _ -> Say end
    end.

%% @doc Is this request the next one, does it overtake others, or is it a repeat?
-spec kind(rid(), bosh()) -> next | overtaking | repeat.
kind(Rid, #bosh{requests = Requests}) -> megaphone_requests:kind(Rid, Requests).

%% @doc How many the client may have open.
-spec requests(bosh()) -> pos_integer().
requests(#bosh{hold = Hold}) -> Hold + 1.

%%% What is for the client

%% @doc Does more wait for the client than what it sends may add to?
-spec is_full(bosh()) -> boolean().
is_full(#bosh{out = Out, limits = #{queue := Limit}}) -> megaphone_queue:size(Out) > Limit.

%% @doc Does what it sent go on to its stream by itself? Then it is answered no sooner than it must be, for with each
%% answer it may send more.
-spec busy(boolean(), bosh()) -> bosh().
busy(Busy, #bosh{busy = Busy} = S) -> S;
busy(Busy, S) -> S#bosh{busy = Busy}.

%% @doc Adds a payload for the client. Where more than the limit waits and it has fetched nothing for as
%% long as a session without it lives, or where more waits than any client may leave, the session ends.
-spec enqueue(megaphone_queue:item(), megaphone_queue:kind(), ms(), bosh()) ->
    {ok, bosh()} | {stop, reason(), bosh()}.
enqueue(Item, Kind, Now, #bosh{out = Out, limits = #{group := Group} = Limits} = S) ->
    Out1 = megaphone_queue:add(Item, Kind, Now, Group, Out),
    case is_too_slow(Now, Out1, Limits) of
        true -> {stop, too_much_queued, S#bosh{out = Out1}};
        false -> {ok, S#bosh{out = Out1}}
    end.

-spec is_too_slow(ms(), megaphone_queue:queue(), limits()) -> boolean().
is_too_slow(Now, Out, #{queue := Limit, inactivity := Inactivity}) ->
    Size = megaphone_queue:size(Out),
    Size > Limit andalso
        (megaphone_queue:memory(Out) > max(?LEAST, ?MOST * Limit) orelse
            Now - megaphone_queue:since(Out) >= Inactivity * 1000).

%% @doc Does presence wait already, so that more of it joins it?
-spec is_grouping(ms(), bosh()) -> boolean().
is_grouping(Now, #bosh{out = Out}) ->
    Due = megaphone_queue:due(Out),
    Due =/= infinity andalso Due > Now.

%% @doc What is owed of that which was in no answer.
-spec queued(bosh()) -> [megaphone_queue:owed()].
queued(#bosh{out = Out}) ->
    {Items, _} = megaphone_queue:all(Out),
    megaphone_queue:owed(Items).

%% @doc Takes what the client may not have and is owed to its user: of its answers, then of what waits
%% for it, oldest first. Whoever takes it delivers it by another way: those answers are kept no longer,
%% and requests whose answers are unsent are open again.
-spec take_owed(bosh()) -> {[megaphone_queue:owed()], bosh()}.
take_owed(#bosh{requests = Requests, kept = Kept, idle_from = Now} = S) ->
    Unsent = [{Rid, Conn} || {Rid, Conn, _, _} <- megaphone_kept:awaited(Kept)],
    {Sent, Known} = megaphone_kept:take_owed(Kept),
    {Sent ++ queued(S), S#bosh{
        kept = Known, requests = megaphone_requests:reopen(Unsent, Now, Requests), out = megaphone_queue:new()
    }}.

%%% Answers

%% @doc The answers that are due now, in the order in which they are to be sent: where one is unsent, those
%% behind it are, too.
-spec flush(ms(), bosh()) -> {[answer()], bosh()}.
flush(Now, #bosh{kept = Kept} = S) ->
    case megaphone_kept:retry(Now, Kept) of
        {[], _} -> flush(Now, S, []);
        {Again, Kept1} -> flush(Now, S#bosh{kept = Kept1, idle_from = Now}, lists:reverse(Again))
    end.

-spec flush(ms(), bosh(), [answer()]) -> {[answer()], bosh()}.
flush(Now, S, Answers) ->
    case due(Now, S) of
        none ->
            {lists:reverse(Answers), S};
        What ->
            {Answer, S1} = answer(What, Now, S),
            flush(Now, S1, [Answer | Answers])
    end.

-spec due(ms(), bosh()) -> payload | empty | none.
due(Now, #bosh{pause = Pause, kept = Kept, limits = #{queue := Limit}} = S) ->
    case answer_at(S) of
        none -> none;
        At when is_integer(At), At > Now -> none;
        _ ->
            %% Where the client may lack more than the limit, it is made to ask again at once, which proves more.
            IsEmpty = Pause =/= none orelse megaphone_kept:has_lost(Kept) orelse megaphone_kept:unproved(Kept) > Limit,
            case IsEmpty of true -> empty; false -> payload end
    end.

%% When the first of the held requests is to be answered, if there are any.
-spec answer_at(bosh()) -> now | ms() | none.
answer_at(#bosh{requests = Requests, busy = Busy, kept = Kept, out = Out} = S) ->
    case megaphone_requests:due(Requests) of
        none -> none;
        Earliest when Busy -> Earliest;
        Earliest ->
            case is_asked_at_once(S) of
                true -> now;
                false -> case megaphone_kept:has_lost(Kept) of true -> Earliest; false -> min(megaphone_queue:due(Out), Earliest) end
            end
    end.

-spec is_asked_at_once(bosh()) -> boolean().
is_asked_at_once(#bosh{pause = Pause, say = Say, requests = Requests, hold = Hold}) ->
    Pause =/= none orelse Say =/= nothing orelse megaphone_requests:held(Requests) > max(Hold, 1).

%% Answers the first request that has a connection. Those before it whose connection is gone get
%% empty answers, kept for their repeats.
-spec answer(payload | empty | last(), ms(), bosh()) -> {answer(), bosh()}.
answer(What, Now, #bosh{requests = Requests, kept = Kept, pace = Pace, say = Say} = S) ->
    {Cut, {Rid, Conn, Key}, Requests1} = megaphone_requests:answer(Requests),
    Kept1 = lists:foldl(fun(Id, K) -> megaphone_kept:add(Id, 200, {blank, blank(Id, S)}, [], Now, K) end, Kept, Cut),
    {Status, {_, _, Items} = Content, Out} = content(What, Now, S),
    Body = megaphone_answer:write(Say, ack(Rid, S), Content),
    Kind = case Items of [] -> blank; _ -> payload end,
    {{Rid, Conn, Status, Body}, S#bosh{
        requests = Requests1,
        kept = megaphone_kept:add({Rid, Key}, Status, {Kind, Body}, megaphone_queue:owed(Items), Now, Kept1),
        pace = megaphone_pace:answered(Kind, Pace),
        out = Out,
        say = nothing,
        idle_from = Now
    }}.

-spec blank({rid(), Key :: binary() | none}, bosh()) -> binary().
blank({Rid, _}, S) -> megaphone_answer:write(nothing, ack(Rid, S), {none, false, []}).

%% What waits for the client, as much as one answer takes.
-spec content(payload | empty | last(), ms(), bosh()) -> {http_status(), megaphone_answer:content(), megaphone_queue:queue()}.
content(empty, _, #bosh{out = Out}) ->
    {200, {none, false, []}, Out};
content(payload, Now, S) ->
    {Items, UsesStream, Rest} = take_out(Now, S),
    {200, {none, UsesStream, Items}, Rest};
content({terminate, Condition, Error}, Now, #bosh{legacy = Legacy} = S) ->
    {Items, UsesStream, Rest} = take_out(Now, S),
    Last = case Error of [] -> {Condition, UsesStream, Items}; _ -> {Condition, true, Items ++ [{Error, none}]} end,
    {megaphone_condition:status(Legacy, Condition), Last, Rest}.

-spec take_out(ms(), bosh()) -> {[megaphone_queue:item()], UsesStream :: boolean(), megaphone_queue:queue()}.
take_out(Now, #bosh{out = Out, limits = #{queue := Limit}}) ->
    megaphone_queue:take(min(?ANSWER_BYTES, Limit), Now, Out).

%% §9.1: left out where it would be the rid of the request answered.
-spec ack(rid(), bosh()) -> rid() | none.
ack(Rid, #bosh{proof = acks, requests = Requests} = S) ->
    case is_new(S) orelse megaphone_requests:received(Requests) of
        Received when is_integer(Received), Received =/= Rid -> Received;
        _ -> none
    end;
ack(_, _) ->
    none.

%% Its creation was not answered yet.
-spec is_new(bosh()) -> boolean().
is_new(#bosh{say = {creation, _}}) -> true;
is_new(_) -> false.

%% @doc The connection of a request went away without an answer.
-spec closed(conn(), ms(), bosh()) -> bosh().
closed(Conn, Now, #bosh{requests = Requests, kept = Kept, pace = Pace} = S) ->
    S1 = S#bosh{idle_from = Now, kept = megaphone_kept:closed(Conn, Kept)},
    case megaphone_requests:closed(Conn, Requests) of
        {held, Due, Requests1} -> S1#bosh{requests = Requests1, pace = megaphone_pace:cut(Due, Now, Pace)};
        {waiting, Requests1} -> S1#bosh{requests = Requests1};
        none -> S1
    end.

%% @doc The answer to this rid could not be sent. Until the client has fetched it, no later payload
%% may reach the client first.
-spec lost(rid(), bosh()) -> bosh().
lost(Rid, #bosh{kept = Kept} = S) -> S#bosh{kept = megaphone_kept:lost(Rid, Kept)}.

%% @doc There was no room for this answer on the way to its gateway: flush/2 will give it again. (Where the request is
%% held, this is the older connection of it: nobody waits there.)
-spec unsent(answer(), ms(), bosh()) -> bosh().
unsent({Rid, Conn, _, _}, Now, #bosh{kept = Kept} = S) -> S#bosh{kept = megaphone_kept:unsent(Rid, Conn, Now, Kept)}.

%%% The end

%% @doc Ends the session: every open request is answered. `Error' is a <stream:error/> or nothing.
-spec finish(condition(), Error :: iodata(), ms(), bosh()) -> {[answer()], ended(), bosh()}.
finish(Condition, Error, Now, #bosh{requests = Requests, kept = Kept, key = Key, say = Say} = S) ->
    S1 = S#bosh{
        requests = megaphone_requests:finish(Key, Now, Requests),
        say = case Say of {report, _, _} -> nothing; _ -> Say end
    },
    {Answers, #bosh{kept = Kept1} = S2} = finish_all({terminate, Condition, Error}, Now, S1, []),
    {Final, S3} = final(Condition, Error, Now, S2),
    {megaphone_kept:awaited(Kept) ++ Answers, #{kept => megaphone_kept:to_list(Kept1), final => Final}, S3}.

%% For whoever asks later, a session that its client ended is not there.
-spec final(condition(), Error :: iodata(), ms(), bosh()) -> {{http_status(), binary()}, bosh()}.
final(client, _, _, #bosh{legacy = Legacy} = S) ->
    {megaphone_condition:failure(Legacy, <<"item-not-found">>), S};
final(Condition, Error, Now, S) ->
    {Status, Content, Out} = content({terminate, Condition, Error}, Now, S),
    {{Status, megaphone_answer:write(nothing, none, Content)}, S#bosh{out = Out}}.

-spec finish_all(last(), ms(), bosh(), [answer()]) -> {[answer()], bosh()}.
finish_all({terminate, Condition, _} = Last, Now, S, Answers) ->
    case held(S) of
        0 ->
            {lists:reverse(Answers), S};
        Held ->
            %% The client waits for the answer to its own terminate: that one ends the session (§13).
            What = case Condition =:= client andalso Held > 1 of true -> payload; false -> Last end,
            {Answer, S1} = answer(What, Now, S),
            finish_all(Last, Now, S1, [Answer | Answers])
    end.

%%% Time

%% @doc Has the client been away for too long (§10)?
-spec expired(ms(), bosh()) -> boolean().
expired(Now, S) ->
    held(S) =:= 0 andalso Now >= idle_deadline(S).

%% @doc For how long the client has had no request open.
-spec idle(ms(), bosh()) -> ms().
idle(Now, #bosh{idle_from = From} = S) ->
    case held(S) =:= 0 andalso idle_deadline(S) =/= infinity of
        true -> max(0, Now - From);
        false -> 0
    end.

%% @doc When flush/2 or expired/2 will next have something to say.
-spec deadline(bosh()) -> ms() | infinity.
deadline(#bosh{kept = Kept, idle_from = From} = S) ->
    Due =
        case answer_at(S) of
            none -> idle_deadline(S);
            now -> From;
            At -> At
        end,
    %% Atoms sort behind numbers: `infinity' is the largest.
    min(megaphone_kept:due(Kept), Due).

%% A request that waits for an answer that we have is held up by us: the client is there.
-spec idle_deadline(bosh()) -> ms() | infinity.
idle_deadline(#bosh{kept = Kept, idle_from = From, pause = Pause, limits = #{inactivity := Inactivity}}) ->
    case {megaphone_kept:due(Kept), Pause} of
        {infinity, none} -> From + Inactivity * 1000;
        {infinity, _} -> From + Pause;
        _ -> infinity
    end.

%% @doc The client is there until then: it waits for us.
-spec present(Until :: ms(), bosh()) -> bosh().
present(Until, #bosh{idle_from = From} = S) -> S#bosh{idle_from = max(From, Until)}.

-spec paused(bosh()) -> boolean().
paused(#bosh{pause = Pause}) -> Pause =/= none.

%% @doc Did the client name no version (§17.1)?
-spec legacy(bosh()) -> boolean().
legacy(#bosh{legacy = Legacy}) -> Legacy.

%% @doc How long a request is held at most: what the client asked for, or less since its requests get cut.
-spec wait(bosh()) -> ms().
wait(#bosh{pace = Pace}) -> megaphone_pace:wait(Pace).

%% @doc How many requests are held for the client.
-spec held(bosh()) -> non_neg_integer().
held(#bosh{requests = Requests}) -> megaphone_requests:held(Requests).

%% @doc Has the client asked for the end (§13)?
-spec terminating(bosh()) -> boolean().
terminating(#bosh{terminating = Terminating}) -> Terminating.
