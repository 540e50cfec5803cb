%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One BOSH session as a pure state machine (XEP-0124): events go in, with the time in milliseconds, and effects come out,
%%% to be carried out in their order. It knows no process, no socket and no clock.
%%%
%%%   event                               | effects
%%%   arrive: a request came              | `answer' it again, or the older connection of it; `refuse', `stop'
%%%   refuse: what came is no request     | `refuse', `stop'
%%%   asked: does a connection wait?      | `answer' it again, `repeat'
%%%   closed: a connection is gone        | `count'
%%%   release: a connection is to be free | (the next flush answers it, with what there is)
%%%   next: what the client sent may go on| `deliver' the next request in rid order, or `stop'
%%%   enqueue: the stream sent something  | `count', `stop'
%%%   flush: something is due             | `answer' what is
%%%   undelivered: an answer did not leave| (the next flush may have it again)
%%%   finish: the session ends            | `last' answers to all that is open
%%%
%%% The life of a request is in megaphone_requests, that of an answer in megaphone_kept. What a request proves of answers is in
%%% megaphone_proof, what waits for the client in megaphone_queue, how an answer is written in megaphone_answer.
-module(megaphone_bosh).

-export([new/4, authid/2, arrive/4, refuse/3, asked/4, closed/3, release/3, next/2, enqueue/4, flush/3, undelivered/3, present/2, finish/4]).
-export([kind/2, flow/1, deadline/1, is_expired/2, requests/1, info/1, conns/1, shift/3]).

-export_type([bosh/0, info/0]).

-type conn() :: megaphone_requests:conn().
-type ms() :: integer().
-type rid() :: megaphone_body:rid().
-type answer() :: megaphone_kept:answer().
-type effect() :: megaphone_effects:effect().
%% Requests held; is the client away as it asked to (§10); has it asked for the end (§13); since when it has had no request
%% open, if it has none.
-type info() :: #{held := non_neg_integer(), paused := boolean(), terminating := boolean(), idle_from := ms() | none}.

-record(bosh, {
    requests :: megaphone_requests:requests(),
    kept = megaphone_kept:new() :: megaphone_kept:kept(),
    proof :: megaphone_proof:proof(),
    out = megaphone_queue:new() :: megaphone_queue:queue(),
    say :: megaphone_answer:say(),
    %% What requests brought goes on to the stream by itself: their answers wait for what that brings.
    busy = false :: boolean(),
    terminating = false :: boolean(),
    %% For how long the client asked to be away (§10); since when it has had nothing open.
    pause = none :: none | ms(),
    idle_from :: ms(),
    apart = megaphone_apart:new() :: megaphone_apart:apart(),
    legacy :: boolean(),
    hold :: non_neg_integer(),
    limits :: mod_megaphone:limits()
}).

-opaque bosh() :: #bosh{}.

%% Answers kept for a client that acknowledges, in multiples of `requests'.
-define(KEPT_FACTOR, 8).

%% @doc A session from its creation request (§7.1). The request waits for next/2 like any other.
-spec new(megaphone_body:request(), conn(), ms(), {megaphone_sid:sid(), mod_megaphone:limits()}) -> bosh().
new(Request, Conn, Now, {Sid, Limits}) ->
    {Wait, Hold} = Agreed = megaphone_opening:agreed(Request, Limits),
    #bosh{
        requests = megaphone_requests:new(Request, Conn, case Hold of 0 -> 0; _ -> Wait * 1000 end, Now),
        proof = megaphone_proof:new(Request),
        say = megaphone_answer:creation(Request, Sid, Agreed, Limits),
        idle_from = Now,
        legacy = not is_map_key(ver, Request),
        hold = Hold,
        limits = Limits
    }.

%% @doc The stream's id, for the session creation response.
-spec authid(binary(), bosh()) -> bosh().
authid(Id, #bosh{say = Say} = B) -> B#bosh{say = megaphone_answer:authid(Id, Say)}.

%%% What the client sends

-spec arrive(megaphone_body:request(), conn(), ms(), bosh()) -> {[effect()], bosh()}.
arrive(#{rid := Rid} = Request, Conn, Now, #bosh{requests = Requests, apart = Apart, hold = Hold, limits = Limits} = B) ->
    case megaphone_requests:arrive(Request, Conn, Now, {requests(B), Limits}, Requests) of
        {new, Requests1} -> {[], B#bosh{requests = Requests1, idle_from = Now, apart = megaphone_apart:came(Rid, Hold, Now, Apart)}};
        {again, Older, Requests1} ->
            %% That connection is let go, with nothing.
            LetGo = [{answer, {Rid, Older, 200, megaphone_answer:blank(none, none)}} || Older =/= none],
            {LetGo, B#bosh{requests = Requests1, idle_from = Now}};
        answered -> repeat(Request, Conn, Now, B);
        {stop, Reason, Requests1} -> {[{stop, Reason}], B#bosh{requests = Requests1}}
    end.

%% §14.3. Of what is not kept the client had the answer: this is an old copy that was on its way for long, or a
%% stranger's. The session goes on as if it had not come.
-spec repeat(megaphone_body:request(), conn(), ms(), bosh()) -> {[effect()], bosh()}.
repeat(#{rid := Rid} = Request, Conn, Now, #bosh{requests = Requests, legacy = Legacy} = B) ->
    case copy(Rid, megaphone_keys:of_request(Request), Conn, Now, B) of
        none ->
            {Status, Body} = megaphone_condition:failure(Legacy, <<"item-not-found">>),
            {[{refuse, Conn, Status, Body}], B};
        %% §15: the sender may be anyone.
        other_key -> {[{stop, wrong_key}], B#bosh{requests = megaphone_requests:reopen([{Rid, Conn}], Now, Requests)}};
        Copy -> Copy
    end.

-spec copy(rid(), Key :: binary() | none, conn(), ms(), bosh()) -> {[effect()], bosh()} | other_key | none.
copy(Rid, Key, Conn, Now, #bosh{kept = Kept} = B) ->
    case megaphone_kept:copy(Rid, Key, Kept) of
        {Status, Body, Kept1} -> {[{answer, {Rid, Conn, Status, Body}}], B#bosh{kept = Kept1, idle_from = Now}};
        Unknown -> Unknown
    end.

%% @doc What came has no rid to be answered by: it gets the condition at once, the others after it.
-spec refuse(conn(), megaphone_condition:reason(), bosh()) -> {[effect()], bosh()}.
refuse(Conn, Reason, #bosh{legacy = Legacy} = B) ->
    {Status, Body} = megaphone_condition:failure(Legacy, megaphone_condition:of_reason(Reason)),
    {[{refuse, Conn, Status, Body}, {stop, Reason}], B}.

%% @doc A connection waits for the answer to this request. It was answered, and gets that answer again, as a repeat would;
%% it waits here, too; or nothing is known of it.
-spec asked(rid(), conn(), ms(), bosh()) -> {[effect()], bosh()}.
asked(Rid, Conn, Now, #bosh{requests = Requests, kept = Kept} = B) ->
    IsHere = megaphone_requests:is_open(Conn, Requests) orelse megaphone_kept:is_awaited(Conn, Kept),
    %% Who asks has no key, and shows none (§15).
    case IsHere orelse copy(Rid, none, Conn, Now, B) of
        true -> {[], B};
        {_, _} = Copy -> Copy;
        _ -> {[{repeat, Conn}], B}
    end.

%% @doc The connection of a request went away without an answer.
-spec closed(conn(), ms(), bosh()) -> {[effect()], bosh()}.
closed(Conn, Now, #bosh{requests = Requests, kept = Kept} = B) ->
    Requests1 = megaphone_requests:closed(Conn, Now, Requests),
    Adapted = megaphone_requests:wait(Requests1) < megaphone_requests:wait(Requests),
    {[{count, waits_adapted} || Adapted], B#bosh{requests = Requests1, idle_from = Now, kept = megaphone_kept:closed(Conn, Kept)}}.

%% @doc The gateway of this connection does not want to hold it any longer: it is as if its wait were over.
-spec release(conn(), ms(), bosh()) -> bosh().
release(Conn, Now, #bosh{requests = Requests} = B) -> B#bosh{requests = megaphone_requests:release(Conn, Now, Requests)}.

%% @doc What the client sent next may go on, if there is anything.
-spec next(ms(), bosh()) -> {[effect()], bosh()}.
next(Now, #bosh{requests = Requests, say = Say, limits = Limits} = B) ->
    IsCreation = case Say of {creation, _} -> true; _ -> false end,
    case megaphone_requests:next(IsCreation, Now, {requests(B), Limits}, Requests) of
        none -> {[], B};
        {ok, Request, Requests1} -> accept(Request, Now, B#bosh{requests = Requests1});
        {stop, Reason, Requests1} -> {[{stop, Reason}], B#bosh{requests = Requests1}}
    end.

-spec accept(megaphone_body:request(), ms(), bosh()) -> {[effect()], bosh()}.
accept(Request, Now, #bosh{kept = Kept, proof = Proof, say = Say, hold = Hold, limits = #{maxpause := Max, queue := Bytes}} = B) ->
    {Missed, Kept1, Proof1} = megaphone_proof:of_request(Request, count_held(B), {Hold, Bytes}, Kept, Proof),
    %% What comes behind its goodbye takes nothing back.
    IsLast = B#bosh.terminating orelse is_map_key(terminate, Request),
    B1 = B#bosh{kept = Kept1, proof = Proof1, say = megaphone_answer:report(Missed, Now, Say), terminating = IsLast, pause = none},
    IsBehind = megaphone_kept:size(Kept1) > ?KEPT_FACTOR * requests(B),
    case Request of
        #{pause := Pause} when Pause > Max -> {[{stop, pause_too_long}], B1};
        %% §10: it lasts until the next request.
        #{pause := Pause} -> {[{deliver, Request}], B1#bosh{pause = Pause * 1000}};
        _ when IsBehind -> {[{stop, too_much_unacknowledged}], B1};
        _ -> {[{deliver, Request}], B1}
    end.

%%% What is for the client

%% @doc A payload for it. It is to be slow for a time, but not for ever, and not without bounds.
-spec enqueue(megaphone_queue:item(), megaphone_queue:kind(), ms(), bosh()) -> {[effect()], bosh()}.
enqueue(Item, Kind, Now, #bosh{out = Out, limits = #{group := Group, queue := Limit, inactivity := Inactivity}} = B) ->
    Out1 = megaphone_queue:add(Item, Kind, Now, Group, Out),
    Grouped = [{count, presences_grouped} || Kind =:= presence, megaphone_queue:is_grouping(Now, Out)],
    Ends = [{stop, too_much_queued} || megaphone_queue:is_too_slow(Now, Limit, Inactivity * 1000, Out1)],
    {[{count, stanzas_out} | Grouped ++ Ends], B#bosh{out = Out1}}.

%% @doc What is due leaves, in order. `Busy': what the client sent goes on to its stream by itself. Then it is answered no
%% sooner than it must be, for with each answer it may send more.
-spec flush(Busy :: boolean(), ms(), bosh()) -> {[effect()], bosh()}.
flush(Busy, Now, #bosh{kept = Kept} = B) ->
    case megaphone_kept:retry(Now, Kept) of
        {[], Kept} when B#bosh.busy =:= Busy -> answer_due(Now, B, []);
        {[], Kept1} -> answer_due(Now, B#bosh{busy = Busy, kept = Kept1}, []);
        {Again, Kept1} -> answer_due(Now, B#bosh{busy = Busy, kept = Kept1, idle_from = Now}, [{answer, A} || A <- lists:reverse(Again)])
    end.

-spec answer_due(ms(), bosh(), [effect()]) -> {[effect()], bosh()}.
answer_due(Now, #bosh{pause = Pause, kept = Kept, limits = #{queue := Limit}} = B, Before) ->
    case answer_at(B) of
        At when At =:= none; is_integer(At), At > Now ->
            {lists:reverse(Before), B};
        _ ->
            %% Where the client may lack more than the limit, it is made to ask again at once, which proves more.
            IsEmpty = Pause =/= none orelse megaphone_kept:has_lost(Kept) orelse megaphone_kept:unproved(Kept) > Limit,
            {Answer, B1} = answer(case IsEmpty of true -> empty; false -> payload end, Now, B),
            answer_due(Now, B1, [{answer, Answer} | Before])
    end.

%% When the first of the held requests is to be answered, if there are any.
-spec answer_at(bosh()) -> now | ms() | none.
answer_at(#bosh{requests = Requests, busy = Busy, pause = Pause, say = Say, kept = Kept, out = Out, apart = Apart, hold = Hold}) ->
    case {megaphone_requests:due(Requests), megaphone_requests:count_held(Requests)} of
        {none, _} -> none;
        {Due, _} when Busy -> Due;
        {_, _} when Pause =/= none; Say =/= nothing -> now;
        {Due, Held} ->
            Ready = case megaphone_kept:has_lost(Kept) of true -> infinity; false -> megaphone_queue:due(Out) end,
            case {Ready, megaphone_apart:not_before(megaphone_requests:first(Requests), Apart)} of
                {_, At} when Held > Hold, Held > 1, (At =:= none orelse Ready =:= infinity) -> now;
                {_, At} when Held > Hold, Held > 1 -> At;
                {_, At} when At =:= none; Ready =:= infinity -> min(Ready, Due);
                {_, At} -> max(min(Ready, Due), At)
            end
    end.

%% Of the first held request.
-spec answer(megaphone_answer:what(), ms(), bosh()) -> {answer(), bosh()}.
answer(What, Now, #bosh{requests = Requests, kept = Kept, out = Out, say = Say, legacy = Legacy, limits = #{queue := Limit}} = B) ->
    {{Rid, Conn, _, _} = Answer, Requests1, Kept1, Out1} = megaphone_answer:first(What, {Say, received(B), Legacy, Limit}, Now, Requests, Kept, Out),
    Apart = case Out1 of Out -> B#bosh.apart; _ -> megaphone_apart:answered(Rid, Conn, Now) end,
    {Answer, B#bosh{requests = Requests1, kept = Kept1, out = Out1, say = nothing, idle_from = Now, apart = Apart}}.

%% What we have of a client that acknowledges (§9.1); its first answer says so in another way.
-spec received(bosh()) -> rid() | none.
received(#bosh{say = {creation, _}}) -> none;
received(#bosh{proof = acks, requests = Requests}) -> megaphone_requests:received(Requests);
received(_) -> none.

%% @doc An answer did not leave. Until the client has fetched it, no later payload may reach it first; or flush/3 will give
%% it again. (Where the request is held, this is the older connection of it: nobody waits there.)
-spec undelivered(megaphone_effects:undelivered(), ms(), bosh()) -> bosh().
undelivered({gone, Rid, _}, _, #bosh{kept = Kept} = B) -> B#bosh{kept = megaphone_kept:gone(Rid, Kept)};
undelivered({busy, Rid, Conn}, Now, #bosh{kept = Kept} = B) -> B#bosh{kept = megaphone_kept:busy(Rid, Conn, Now, Kept)}.

%%% The end

%% @doc Every open request is answered.
-spec finish(megaphone_condition:condition(), Error :: iodata(), ms(), bosh()) ->
    {[effect()], [megaphone_queue:owed()], megaphone_ended:ended()}.
finish(Condition, Error, Now, #bosh{requests = Requests, kept = Kept, out = Out, say = Say, legacy = Legacy, limits = #{queue := Limit}} = B) ->
    Saying = fun(Says, Open) -> {Says, received(B#bosh{say = Says, requests = Open}), Legacy, Limit} end,
    megaphone_goodbye:finish(Condition, Error, Now, Legacy, {Saying, megaphone_answer:report(none, Now, Say), Requests, Kept, Out}).

%% @doc When flush/3 or is_expired/2 will next have something to say.
-spec deadline(bosh()) -> ms() | infinity.
deadline(#bosh{kept = Kept, idle_from = From} = B) ->
    Due = case answer_at(B) of none -> idle_deadline(B); now -> From; At -> At end,
    %% Atoms sort behind numbers: `infinity' is the largest.
    min(megaphone_kept:due(Kept), Due).

%% A request that waits for an answer that we have is held up by us: the client is there.
-spec idle_deadline(bosh()) -> ms() | infinity.
idle_deadline(#bosh{kept = Kept, idle_from = From, pause = Pause, limits = #{inactivity := Inactivity}}) ->
    case megaphone_kept:due(Kept) of
        infinity when Pause =:= none -> From + Inactivity * 1000;
        infinity -> From + Pause;
        _ -> infinity
    end.

%% @doc Has the client been away for too long (§10)?
-spec is_expired(ms(), bosh()) -> boolean().
is_expired(Now, B) -> count_held(B) =:= 0 andalso Now >= idle_deadline(B).

%% @doc The client is there until then: it waits for us.
-spec present(Until :: ms(), bosh()) -> bosh().
present(Until, #bosh{idle_from = From} = B) -> B#bosh{idle_from = max(From, Until)}.

%% @doc Is this request the next one, does it overtake others, or is it a repeat?
-spec kind(rid(), bosh()) -> next | overtaking | repeat.
kind(Rid, #bosh{requests = Requests}) -> megaphone_requests:kind(Rid, Requests).

%% @doc May what it sends go on, or does too much wait for it?
-spec flow(bosh()) -> megaphone_pending:flow().
flow(#bosh{out = Out, terminating = Terminating, limits = #{queue := Limit}}) ->
    case megaphone_queue:is_full(Limit, Out) of
        false -> open;
        true when Terminating -> leaving;
        true -> full
    end.

%% @doc How many the client may have open.
-spec requests(bosh()) -> pos_integer().
requests(#bosh{hold = Hold}) -> Hold + 1.

-spec count_held(bosh()) -> non_neg_integer().
count_held(#bosh{requests = Requests}) -> megaphone_requests:count_held(Requests).

%% @doc What it is like, for whoever reports it or needs its room.
-spec info(bosh()) -> info().
info(#bosh{pause = Pause, terminating = Terminating, idle_from = From} = B) ->
    Held = count_held(B),
    IsIdle = Held =:= 0 andalso idle_deadline(B) =/= infinity,
    #{held => Held, paused => Pause =/= none, terminating => Terminating, idle_from => case IsIdle of true -> From; false -> none end}.

%% @doc All that wait for an answer.
-spec conns(bosh()) -> [conn()].
conns(#bosh{requests = Requests, kept = Kept}) ->
    megaphone_requests:conns(Requests) ++ [Conn || {_, Conn, _, _} <- megaphone_kept:awaited(Kept)].

%% @doc The same on a clock that is so much ahead, with limits as another node has them.
-spec shift(ms(), fun((Limits) -> Limits), bosh()) -> bosh().
shift(By, Own, #bosh{requests = Requests, kept = Kept, out = Out, idle_from = From, apart = Apart, limits = Limits} = B) ->
    B#bosh{
        requests = megaphone_requests:shift(By, Requests),
        kept = megaphone_kept:shift(By, Kept),
        out = megaphone_queue:shift(By, Out),
        idle_from = From + By,
        limits = Own(Limits),
        apart = megaphone_apart:shift(By, Apart)
    }.
