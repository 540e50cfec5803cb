%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% One BOSH session as a pure state machine (XEP-0124): rid order and window, held requests, kept
%%% answers, acknowledgements, keys, pause and expiry. It knows no process and no clock but the `now'
%%% it is given, in milliseconds; who drives it delivers payloads and sends the answers it returns.
%%%
%%% A request goes arrive/4 -> next/2 (once all before it came) -> held -> flush/2 -> kept. What it brought is
%%% for megaphone_pending.
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

-record(held, {
    rid :: rid(),
    %% `none' once its connection is gone: the client will repeat it.
    conn :: conn() | none,
    due :: ms(),
    key :: binary() | none
}).

-record(bosh, {
    rid :: rid(),
    waiting = [] :: [{rid(), conn() | none, megaphone_body:request()}],
    held = [] :: [#held{}],
    kept = megaphone_kept:new() :: megaphone_kept:kept(),
    unsent = megaphone_unsent:new() :: megaphone_unsent:unsent(),
    %% What requests brought goes on to the stream by itself: their answers wait for what that brings.
    busy = false :: boolean(),
    out = megaphone_queue:new() :: megaphone_queue:queue(),
    %% Attributes of the session creation response until it is sent (§7.2).
    opening :: [{binary(), binary() | integer()}] | done,
    legacy :: boolean(),
    acks :: boolean(),
    report = none :: none | {rid(), ms()},
    %% It never asked with an empty request while another one was held.
    alone = true :: boolean(),
    key :: binary() | none,
    idle_from :: ms(),
    idle_limit :: ms(),
    paused = false :: boolean(),
    terminating = false :: boolean(),
    %% When the last new request came, and whether it and the answers since were empty (§11, §12).
    last :: ms(),
    last_empty = false :: boolean(),
    %% Until when what it asked too early would be asked at the rate of a flood.
    haste :: ms(),
    %% Zero in a polling session (§12).
    wait :: ms(),
    %% The age at which held requests were cut without an answer, and how often in a row.
    cut = {0, 0} :: {ms(), non_neg_integer()},
    hold :: non_neg_integer(),
    limits :: limits()
}).

-opaque bosh() :: #bosh{}.

%% The version whose rules these are.
-define(VERSION, {1, 11}).
-define(DEFAULT_WAIT, 60).
-define(DEFAULT_HOLD, 1).
%% Answers kept for a client that acknowledges, in multiples of `requests'.
-define(KEPT_FACTOR, 8).
%% Held requests cut so many times in a row, within this much of the same age, shorten the wait.
-define(CUTS, 3).
-define(SAME_AGE, 1000).
-define(SHORTEST_WAIT, 5000).
%% Answers kept beyond `requests' for a client that does not acknowledge.
-define(KEPT_EXTRA, 4).
%% A flood is so many times what `polling' allows, and a burst of this many more.
-define(FLOOD, 10).
-define(BURST, 100).
%% Bytes of stanzas in one answer; a larger stanza goes alone.
-define(ANSWER_BYTES, 131072).
%% So many times the limit of the queue is what all that waits for a client may take, even for one that fetches.
-define(MOST, 64).
-define(LEAST, 1048576).

%%% Life of a session

%% @doc A session from its creation request (§7.1). The request waits for next/2 like any other.
-spec new(megaphone_body:request(), conn(), ms(), {megaphone_sid:sid(), limits()}) -> bosh().
new(#{rid := Rid} = Request, Conn, Now, {Sid, Limits}) ->
    #{wait := MaxWait, hold := MaxHold, inactivity := Inactivity, polling := Polling} = Limits,
    Wait = min(maps:get(wait, Request, ?DEFAULT_WAIT), MaxWait),
    Hold = min(maps:get(hold, Request, ?DEFAULT_HOLD), MaxHold),
    Acks = maps:get(ack, Request, 0) =:= 1,
    Opening =
        [
            {<<"sid">>, Sid},
            {<<"wait">>, Wait},
            {<<"requests">>, Hold + 1},
            {<<"hold">>, Hold},
            {<<"inactivity">>, Inactivity},
            {<<"polling">>, Polling},
            {<<"maxpause">>, maps:get(maxpause, Limits)}
        ] ++
            [{<<"ver">>, format_version(min(V, ?VERSION))} || {ok, V} <- [maps:find(ver, Request)]] ++
            [{<<"ack">>, Rid} || Acks] ++
            [{<<"from">>, To} || {ok, To} <- [maps:find(to, Request)]],
    #bosh{
        rid = Rid - 1,
        waiting = [{Rid, Conn, Request}],
        opening = Opening,
        legacy = not is_map_key(ver, Request),
        acks = Acks,
        key = none,
        idle_from = Now,
        idle_limit = Inactivity * 1000,
        last = Now,
        haste = Now,
        wait = case Hold of 0 -> 0; _ -> Wait * 1000 end,
        hold = Hold,
        limits = Limits
    }.

%% @doc Adds the stream's id to the session creation response, for clients without SASL (XEP-0206 §3).
-spec authid(binary(), bosh()) -> bosh().
authid(_, #bosh{opening = done} = S) -> S;
authid(Id, #bosh{opening = Attrs} = S) -> S#bosh{opening = Attrs ++ [{<<"authid">>, Id}]}.

%% @doc Takes a request from the network. It is refused, answered from what is kept, put in the place
%% of the same request on an older connection, or waits for next/2. `stale': this one is answered with
%% item-not-found, and the session goes on as if it had not come.
-spec arrive(megaphone_body:request(), conn(), ms(), bosh()) ->
    {ok, [answer()], bosh()} | stale | {stop, reason(), bosh()}.
arrive(#{rid := Rid} = Request, Conn, Now, #bosh{rid = Done} = S) when Rid =< Done ->
    repeat(Request, Conn, S#bosh{idle_from = Now}, Now);
arrive(#{rid := Rid} = Request, Conn, Now, #bosh{waiting = Waiting} = S) ->
    case lists:keyfind(Rid, 1, Waiting) of
        {Rid, OldConn, First} ->
            %% What came first counts: a repeat is an exact copy (§14.3).
            Waiting1 = lists:keyreplace(Rid, 1, Waiting, {Rid, Conn, First}),
            {ok, released(Rid, OldConn, Conn), S#bosh{waiting = Waiting1, idle_from = Now}};
        false ->
            arrive_new(Request, Conn, Now, S)
    end.

-spec arrive_new(megaphone_body:request(), conn(), ms(), bosh()) ->
    {ok, [answer()], bosh()} | {stop, reason(), bosh()}.
arrive_new(#{rid := Rid} = Request, Conn, Now, #bosh{waiting = Waiting} = S) ->
    Received = received(S),
    S1 = S#bosh{waiting = lists:keysort(1, [{Rid, Conn, Request} | Waiting]), idle_from = Now},
    Most = requests(S) + extra(Request),
    IsTooMany = is_strict(S) andalso Rid =:= Received + 1 andalso length(live(S)) + length(Waiting) >= Most,
    if
        %% §14.2: beyond the window.
        Rid > Received + Most -> {stop, rid_beyond_window, S1};
        IsTooMany -> {stop, too_many_requests, S1};
        true -> {ok, [], S1}
    end.

%% @doc What became of a request that this connection made: it is open still; it was answered, and gets that answer
%% again, as a repeat would; or nothing is known of it.
-spec held(rid(), conn(), ms(), bosh()) -> {held, bosh()} | {answered, answer(), bosh()} | unknown.
held(Rid, Conn, Now, #bosh{held = Held, waiting = Waiting, kept = Kept, unsent = Unsent} = S) ->
    IsOpen =
        lists:keymember(Conn, #held.conn, Held) orelse lists:keymember(Conn, 2, Waiting) orelse
            lists:keymember(Conn, 2, megaphone_unsent:all(Unsent)),
    %% Who asks has no key, and shows none (§15).
    case not IsOpen andalso megaphone_kept:find(Rid, none, Kept) of
        false ->
            {held, S};
        {Status, Body} ->
            {answered, {Rid, Conn, Status, Body}, S#bosh{kept = megaphone_kept:repeated(Rid, Kept), idle_from = Now}};
        none ->
            unknown
    end.

%% @doc Does more wait for the client than what it sends may add to?
-spec is_full(bosh()) -> boolean().
is_full(#bosh{out = Out, limits = #{queue := Limit}}) -> megaphone_queue:size(Out) > Limit.

%% @doc Does what it sent go on to its stream by itself? Then it is answered no sooner than it must be, for with each
%% answer it may send more.
-spec busy(boolean(), bosh()) -> bosh().
busy(Busy, #bosh{busy = Busy} = S) -> S;
busy(Busy, S) -> S#bosh{busy = Busy}.

%% @doc The next request in rid order (§14.2), now held, whose payload is to be delivered.
-spec next(ms(), bosh()) ->
    {ok, megaphone_body:request(), bosh()} | none | {stop, reason(), bosh()}.
next(Now, #bosh{rid = Done, waiting = [{Rid, Conn, Request} | Waiting]} = S) when Rid =:= Done + 1 ->
    IsEarly = is_early(Request, Now, S),
    Last = last(IsEarly, Now, S),
    Held = #held{rid = Rid, conn = Conn, due = Last + S#bosh.wait, key = megaphone_keys:of_request(Request)},
    S1 = S#bosh{rid = Rid, waiting = Waiting, held = S#bosh.held ++ [Held]},
    case {megaphone_keys:next(Request, S#bosh.key), haste(IsEarly, Now, S)} of
        {error, _} ->
            {stop, wrong_key, S1};
        {_, flood} ->
            {stop, too_frequent, S1};
        {{ok, Key}, Haste} ->
            S2 = S1#bosh{
                key = Key,
                last = Last,
                %% The creation request is no poll.
                last_empty = is_empty(Request) andalso S#bosh.opening =:= done,
                haste = Haste,
                terminating = is_map_key(terminate, Request)
            },
            pause(Request, acknowledge(Request, Now, S2))
    end;
next(_, _) ->
    none.

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

%% @doc The answers that are due now, in the order in which they are to be sent: where one is unsent, those
%% behind it are, too.
-spec flush(ms(), bosh()) -> {[answer()], bosh()}.
flush(Now, #bosh{unsent = Unsent, kept = Kept} = S) ->
    case megaphone_unsent:take(Now, Unsent) of
        {[], _} ->
            flush(Now, S, []);
        {Again, Unsent1} ->
            Kept1 = lists:foldl(fun({Rid, _, _, _}, K) -> megaphone_kept:repeated(Rid, K) end, Kept, Again),
            flush(Now, S#bosh{unsent = Unsent1, kept = Kept1, idle_from = Now}, lists:reverse(Again))
    end.

-spec flush(ms(), bosh(), [answer()]) -> {[answer()], bosh()}.
flush(Now, S, Answers) ->
    case due(Now, S, live(S)) of
        none ->
            {lists:reverse(Answers), S};
        What ->
            {Answer, S1} = answer_first(What, Now, S),
            flush(Now, S1, [Answer | Answers])
    end.

%% @doc The connection of a request went away without an answer.
-spec closed(conn(), ms(), bosh()) -> bosh().
closed(Conn, Now, #bosh{held = Held, waiting = Waiting, unsent = Unsent} = S) ->
    S1 = S#bosh{idle_from = Now, unsent = megaphone_unsent:closed(Conn, Unsent)},
    case lists:keyfind(Conn, #held.conn, Held) of
        #held{due = Due} = H ->
            Held1 = lists:keyreplace(Conn, #held.conn, Held, H#held{conn = none}),
            adapt(Now - (Due - S#bosh.wait), S1#bosh{held = Held1});
        false ->
            Cut = fun({R, C, Request}) -> {R, case C of Conn -> none; _ -> C end, Request} end,
            S1#bosh{waiting = lists:map(Cut, Waiting)}
    end.

%% Something on the way, a proxy most likely, cuts requests at that age: answer a little sooner.
-spec adapt(Age :: ms(), bosh()) -> bosh().
adapt(Age, #bosh{cut = {Before, Times}} = S) when Age >= ?SHORTEST_WAIT, abs(Age - Before) =< ?SAME_AGE ->
    case Times + 1 of
        ?CUTS -> S#bosh{wait = max(?SHORTEST_WAIT, min(Age, Before) - 2 * ?SAME_AGE), cut = {0, 0}};
        More -> S#bosh{cut = {Before, More}}
    end;
adapt(Age, S) ->
    S#bosh{cut = {Age, 1}}.

%% @doc The answer to this rid could not be sent. Until the client has fetched it, no later payload
%% may reach the client first.
-spec lost(rid(), bosh()) -> bosh().
lost(Rid, #bosh{kept = Kept} = S) -> S#bosh{kept = megaphone_kept:lost(Rid, Kept)}.

%% @doc There was no room for this answer on the way to its gateway: flush/2 will give it again.
-spec unsent(answer(), ms(), bosh()) -> bosh().
unsent({Rid, _, _, _} = Answer, Now, #bosh{unsent = Unsent, kept = Kept} = S) ->
    case megaphone_kept:sent_at(Rid, Kept) of
        %% To the older connection of a request that is held: nobody waits there.
        none -> S;
        _ -> lost(Rid, S#bosh{unsent = megaphone_unsent:add(Answer, Now, Unsent)})
    end.

%% @doc Is this request the next one, does it overtake others, or is it a repeat?
-spec kind(rid(), bosh()) -> next | overtaking | repeat.
kind(Rid, #bosh{rid = Done}) when Rid =< Done -> repeat;
kind(Rid, #bosh{waiting = Waiting} = S) ->
    IsNext = Rid =:= received(S) + 1,
    case lists:keymember(Rid, 1, Waiting) of
        true -> repeat;
        false when IsNext -> next;
        false -> overtaking
    end.

%% @doc Does presence wait already, so that more of it joins it?
-spec is_grouping(ms(), bosh()) -> boolean().
is_grouping(Now, #bosh{out = Out}) ->
    Due = megaphone_queue:due(Out),
    Due =/= infinity andalso Due > Now.

%% @doc The client is there until then: it waits for us.
-spec present(Until :: ms(), bosh()) -> bosh().
present(Until, #bosh{idle_from = From} = S) -> S#bosh{idle_from = max(From, Until)}.

-spec paused(bosh()) -> boolean().
paused(#bosh{paused = Paused}) -> Paused.

%% @doc Did the client name no version (§17.1)?
-spec legacy(bosh()) -> boolean().
legacy(#bosh{legacy = Legacy}) -> Legacy.

%% @doc How long a request is held at most: what the client asked for, or less since its requests get cut.
-spec wait(bosh()) -> ms().
wait(#bosh{wait = Wait}) -> Wait.

%% @doc How many requests are held for the client.
-spec held(bosh()) -> non_neg_integer().
held(S) -> length(live(S)).

%% @doc Has the client asked for the end (§13)?
-spec terminating(bosh()) -> boolean().
terminating(#bosh{terminating = Terminating}) -> Terminating.

%% @doc Ends the session: every open request is answered. `Error' is a <stream:error/> or nothing.
-spec finish(condition(), Error :: iodata(), ms(), bosh()) -> {[answer()], ended(), bosh()}.
finish(Condition, Error, Now, #bosh{held = Held, waiting = Waiting, key = Key, unsent = Unsent} = S) ->
    Early = [#held{rid = R, conn = C, due = Now, key = Key} || {R, C, _} <- Waiting],
    S1 = S#bosh{held = Held ++ Early, waiting = [], report = none, unsent = megaphone_unsent:new()},
    {Answers, S2} = finish_all({terminate, Condition, Error}, Now, S1, []),
    {Final, S3} = final(Condition, Error, Now, S2),
    {megaphone_unsent:all(Unsent) ++ Answers, #{kept => megaphone_kept:to_list(S2#bosh.kept), final => Final}, S3}.

%% For whoever asks later, a session that its client ended is not there.
-spec final(condition(), Error :: iodata(), ms(), bosh()) -> {{http_status(), binary()}, bosh()}.
final(client, _, _, #bosh{legacy = Legacy} = S) ->
    {megaphone_condition:failure(Legacy, <<"item-not-found">>), S};
final(Condition, Error, Now, S) ->
    {Status, Attrs, Out, S1} = content({terminate, Condition, Error}, Now, S#bosh{opening = done}),
    {{Status, megaphone_body:write(Attrs, megaphone_queue:payloads(Out))}, S1}.

-spec finish_all(last(), ms(), bosh(), [answer()]) -> {[answer()], bosh()}.
finish_all({terminate, Condition, _} = Last, Now, S, Answers) ->
    case live(S) of
        [] ->
            {lists:reverse(Answers), S};
        [_ | Later] ->
            %% The client waits for the answer to its own terminate: that one ends the session (§13).
            What =
                case Condition =:= client andalso Later =/= [] of
                    true -> payload;
                    false -> Last
                end,
            {Answer, S1} = answer_first(What, Now, S),
            finish_all(Last, Now, S1, [Answer | Answers])
    end.

%% @doc Has the client been away for too long (§10)?
-spec expired(ms(), bosh()) -> boolean().
expired(Now, S) ->
    live(S) =:= [] andalso Now >= idle_deadline(S).

%% @doc For how long the client has had no request open.
-spec idle(ms(), bosh()) -> ms().
idle(Now, #bosh{idle_from = From} = S) ->
    case live(S) =:= [] andalso idle_deadline(S) =/= infinity of
        true -> max(0, Now - From);
        false -> 0
    end.

%% @doc When flush/2 or expired/2 will next have something to say.
-spec deadline(bosh()) -> ms() | infinity.
deadline(#bosh{unsent = Unsent} = S) ->
    Due =
        case live(S) of
            [] ->
                idle_deadline(S);
            Live ->
                case answer_at(S, Live) of
                    now -> S#bosh.idle_from;
                    At -> At
                end
        end,
    %% Atoms sort behind numbers: `infinity' is the largest.
    min(megaphone_unsent:due(Unsent), Due).

%% When the first of these is to be answered. What is due later than one behind it is answered with that one.
-spec answer_at(bosh(), [#held{}]) -> now | ms().
answer_at(S, Live) ->
    Earliest = lists:min([Due || #held{due = Due} <- Live]),
    IsWaiting = S#bosh.busy orelse megaphone_kept:has_lost(S#bosh.kept),
    case is_asked_at_once(S, Live) of
        true -> now;
        false when IsWaiting -> Earliest;
        false -> min(megaphone_queue:due(S#bosh.out), Earliest)
    end.

-spec is_asked_at_once(bosh(), [#held{}]) -> boolean().
is_asked_at_once(#bosh{busy = true}, _) -> false;
is_asked_at_once(#bosh{paused = true}, _) -> true;
is_asked_at_once(#bosh{opening = Opening, report = Report, hold = Hold}, Live) ->
    Opening =/= done orelse Report =/= none orelse length(Live) > max(Hold, 1).

%% @doc Takes what the client may not have and is owed to its user: of its answers, then of what waits
%% for it, oldest first. Whoever takes it delivers it by another way: those answers are kept no longer,
%% and requests whose answers are unsent are open again.
-spec take_owed(bosh()) -> {[megaphone_queue:owed()], bosh()}.
take_owed(#bosh{kept = Kept, held = Held, unsent = Unsent, idle_from = Now} = S) ->
    Open = [#held{rid = R, conn = C, due = Now, key = none} || {R, C, _, _} <- megaphone_unsent:all(Unsent)],
    {Sent, Known} = megaphone_kept:take_owed(Kept),
    {Sent ++ queued(S), S#bosh{
        kept = Known, held = Open ++ Held, unsent = megaphone_unsent:new(), out = megaphone_queue:new()
    }}.

%% @doc What is owed of that which was in no answer.
-spec queued(bosh()) -> [megaphone_queue:owed()].
queued(#bosh{out = Out}) ->
    {Items, _} = megaphone_queue:all(Out),
    megaphone_queue:owed(Items).

%%% Requests

%% A rid that was processed already: held still, answered and kept, or gone (§14.3). Of what is gone the client
%% had the answer: this is an old copy that was on its way for long, or a stranger's.
-spec repeat(megaphone_body:request(), conn(), bosh(), ms()) ->
    {ok, [answer()], bosh()} | stale | {stop, reason(), bosh()}.
repeat(#{rid := Rid} = Request, Conn, #bosh{held = Held, kept = Kept} = S, Now) ->
    Key = megaphone_keys:of_request(Request),
    case {lists:keyfind(Rid, #held.rid, Held), megaphone_kept:find(Rid, Key, Kept)} of
        {#held{key = Key, conn = OldConn} = H, _} ->
            H1 = H#held{conn = Conn, due = max(Now, S#bosh.last) + S#bosh.wait},
            {ok, released(Rid, OldConn, Conn), S#bosh{held = lists:keyreplace(Rid, #held.rid, Held, H1)}};
        {_, {Status, Body}} ->
            S1 = S#bosh{kept = megaphone_kept:repeated(Rid, Kept), unsent = megaphone_unsent:repeated(Rid, S#bosh.unsent)},
            {ok, [{Rid, Conn, Status, Body}], S1};
        {IsHeld, none} ->
            case IsHeld =:= false andalso megaphone_kept:sent_at(Rid, Kept) =:= none of
                true ->
                    stale;
                false ->
                    %% With another key than the first time (§15): the sender may be anyone. Its connection
                    %% waits among the held ones for the end that comes to all.
                    H = #held{rid = Rid, conn = Conn, due = Now, key = Key},
                    {stop, wrong_key, S#bosh{held = lists:keysort(#held.rid, [H | Held])}}
            end
    end.

%% The older connection of a repeated request is let go with nothing in it. It is the same one where the
%% gateway sent the request again.
-spec released(rid(), Older :: conn() | none, conn()) -> [answer()].
released(_, none, _) -> [];
released(_, Conn, Conn) -> [];
released(Rid, Conn, _) -> [{Rid, Conn, 200, megaphone_body:write([], [])}].

%% The highest rid such that all up to it were received.
-spec received(bosh()) -> rid().
received(#bosh{rid = Done, waiting = Waiting}) ->
    lists:foldl(
        fun
            ({Rid, _, _}, Received) when Rid =:= Received + 1 -> Rid;
            (_, Received) -> Received
        end,
        Done,
        Waiting
    ).

%% @doc How many the client may have open.
-spec requests(bosh()) -> pos_integer().
requests(#bosh{hold = Hold}) -> Hold + 1.

-spec live(bosh()) -> [#held{}].
live(#bosh{held = Held}) -> [H || #held{conn = Conn} = H <- Held, Conn =/= none].

%% §11: one more may be open if it pauses or ends the session.
-spec extra(megaphone_body:request()) -> 0 | 1.
extra(Request) ->
    case is_last(Request) of true -> 1; false -> 0 end.

-spec is_last(megaphone_body:request()) -> boolean().
is_last(Request) -> is_map_key(pause, Request) orelse is_map_key(terminate, Request).

-spec is_empty(megaphone_body:request()) -> boolean().
is_empty(#{els := Els} = Request) ->
    Els =:= [] andalso not is_last(Request) andalso not is_map_key(restart, Request).

%% §11: `requests' new ones with no answer between them, the last one empty and within `polling' of
%% the one before; §12: a polling session that asks again too soon after an empty answer.
-spec is_early(megaphone_body:request(), ms(), bosh()) -> boolean().
is_early(Request, Now, #bosh{last = Last, last_empty = LastEmpty, limits = #{polling := Polling}} = S) ->
    is_empty(Request) andalso S#bosh.opening =:= done andalso Now - Last < Polling * 1000 andalso
        case is_polling(S) of
            true -> LastEmpty;
            false -> length(live(S)) + 1 >= requests(S)
        end.

%% When a request counts as asked: a poll that comes too early waits for its time, with its answer.
-spec last(IsEarly :: boolean(), ms(), bosh()) -> ms().
last(true, Now, #bosh{wait = 0, last = Last, limits = #{polling := Polling}}) -> min(Last, Now) + Polling * 1000;
last(_, Now, _) -> Now.

%% A client that asks too early is answered all the same, unless it floods or we are strict.
-spec haste(IsEarly :: boolean(), ms(), bosh()) -> ms() | flood.
haste(false, _, #bosh{haste = Haste}) ->
    Haste;
haste(true, Now, #bosh{haste = Before, limits = #{polling := Polling}} = S) ->
    Each = Polling * 1000 div ?FLOOD,
    Haste = max(Before, Now) + Each,
    case is_strict(S) orelse Haste - Now > ?BURST * Each of
        true -> flood;
        false -> Haste
    end.

-spec is_strict(bosh()) -> boolean().
is_strict(#bosh{limits = #{strict := Strict}}) -> Strict.

-spec is_polling(bosh()) -> boolean().
is_polling(#bosh{wait = Wait}) -> Wait =:= 0.

%% What this request proves of the answers before it. With acks its client says so (§9.2). Without, no
%% more than `requests' may be open (§11), so all answers before those arrived; and as many are kept
%% (§14.3), and some more for a client that goes on with new requests before it repeats a broken one.
-spec acknowledge(megaphone_body:request(), ms(), bosh()) -> bosh().
acknowledge(#{rid := Rid} = Request, Now, #bosh{acks = true, kept = Kept} = S) ->
    Ack = min(maps:get(ack, Request, Rid - 1), Rid - 1),
    Report =
        case megaphone_kept:sent_at(Ack + 1, Kept) of
            At when is_integer(At), is_map_key(ack, Request) -> {Ack + 1, Now - At};
            _ -> none
        end,
    S#bosh{kept = megaphone_kept:drop(Ack, Kept), report = Report};
acknowledge(#{rid := Rid} = Request, _Now, #bosh{kept = Kept, limits = #{queue := Bytes}} = S) ->
    Window = Rid - requests(S),
    Alone = S#bosh.alone andalso is_alone(Request, S),
    {Proved, Oldest} =
        case is_idle(Request, S) of
            true when Alone -> {Rid - 1, Window};
            %% One more may be open, see arrive_new/4.
            _ -> {Window - extra(Request), Window - ?KEPT_EXTRA}
        end,
    Kept1 = megaphone_kept:received(Proved, Kept),
    S#bosh{kept = megaphone_kept:trim(Oldest, {Window, Bytes}, Kept1), alone = Alone}.

%% A client that is to keep one request open asks with an empty one when it has none (§10): it has
%% got all answers before.
-spec is_idle(megaphone_body:request(), bosh()) -> boolean().
is_idle(Request, #bosh{hold = Hold}) -> Hold =< 1 andalso is_empty(Request).

%% It may have more than one open, as some clients do: then an empty one proves no more than another.
-spec is_alone(megaphone_body:request(), bosh()) -> boolean().
is_alone(Request, S) -> not is_empty(Request) orelse length(live(S)) =< 1.

%% §10: a pause lasts until the next request.
-spec pause(megaphone_body:request(), bosh()) ->
    {ok, megaphone_body:request(), bosh()} | {stop, reason(), bosh()}.
pause(#{pause := Pause}, #bosh{limits = #{maxpause := Max}} = S) when Pause > Max ->
    {stop, pause_too_long, S};
pause(#{pause := Pause} = Request, S) ->
    {ok, Request, S#bosh{paused = true, idle_limit = Pause * 1000}};
pause(Request, #bosh{kept = Kept, limits = #{inactivity := Inactivity}} = S) ->
    case megaphone_kept:size(Kept) > ?KEPT_FACTOR * requests(S) of
        true -> {stop, too_much_unacknowledged, S};
        false -> {ok, Request, S#bosh{paused = false, idle_limit = Inactivity * 1000}}
    end.

%% A request that waits for an answer that we have is held up by us: the client is there.
-spec idle_deadline(bosh()) -> ms() | infinity.
idle_deadline(#bosh{unsent = Unsent, idle_from = From, idle_limit = Limit}) ->
    case megaphone_unsent:due(Unsent) of
        infinity -> From + Limit;
        _ -> infinity
    end.

%%% Answers

-spec due(ms(), bosh(), [#held{}]) -> payload | empty | none.
due(_, _, []) ->
    none;
due(Now, #bosh{paused = Paused, kept = Kept} = S, Live) ->
    case answer_at(S, Live) of
        At when is_integer(At), At > Now -> none;
        _ ->
            case Paused orelse megaphone_kept:has_lost(Kept) of
                true -> empty;
                false -> payload_if_proved(S)
            end
    end.

%% Where the client may lack more than the limit, it is made to ask again at once, which proves more.
-spec payload_if_proved(bosh()) -> payload | empty.
payload_if_proved(#bosh{kept = Kept, limits = #{queue := Limit}}) ->
    case megaphone_kept:unproved(Kept) > Limit of
        true -> empty;
        false -> payload
    end.

%% Answers the first request that has a connection. Those before it whose connection is gone get
%% empty answers, kept for their repeats: so the answers stay in rid order (§8).
-spec answer_first(payload | empty | last(), ms(), bosh()) -> {answer(), bosh()}.
answer_first(What, Now, #bosh{held = [#held{rid = Rid, conn = none, key = Key} | Held]} = S) ->
    Body = megaphone_body:write(ack_attribute(Rid, S), []),
    Kept = megaphone_kept:add({Rid, Key}, 200, {blank, Body}, [], Now, S#bosh.kept),
    answer_first(What, Now, S#bosh{held = Held, kept = Kept});
answer_first(What, Now, #bosh{held = [#held{rid = Rid, conn = Conn, key = Key} | Held]} = S) ->
    {Status, Attrs, Items, S1} = content(What, Now, S),
    Body = megaphone_body:write(Attrs ++ ack_attribute(Rid, S) ++ report_attributes(S), megaphone_queue:payloads(Items)),
    Content = case Items of [] -> blank; _ -> payload end,
    {{Rid, Conn, Status, Body}, S1#bosh{
        held = Held,
        kept = megaphone_kept:add({Rid, Key}, Status, {Content, Body}, megaphone_queue:owed(Items), Now, S#bosh.kept),
        report = none,
        opening = done,
        idle_from = Now,
        %% Only a poll that brought nothing makes the next one too early (§12).
        last_empty = S#bosh.last_empty andalso Content =:= blank
    }}.

-spec content(payload | empty | last(), ms(), bosh()) ->
    {http_status(), [{binary(), binary() | integer()}], [megaphone_queue:item()], bosh()}.
content(empty, _, S) ->
    {200, [], [], S};
content(payload, Now, S) ->
    {Declared, Out, S1} = take_out(Now, S),
    {200, opening_attributes(S) ++ Declared, Out, S1};
content({terminate, Condition, Error}, Now, S) ->
    {Declared, Out, S1} = take_out(Now, S),
    {Declared1, Out1} = case Error of [] -> {Declared, Out}; _ -> {stream_attribute(true), Out ++ [{Error, none}]} end,
    Attrs = opening_attributes(S) ++ megaphone_condition:attributes(Condition) ++ Declared1,
    {status(Condition, S), Attrs, Out1, S1}.

%% What waits for the client, as much as one answer takes, and the attribute that its prefix needs.
-spec take_out(ms(), bosh()) -> {[{binary(), binary()}], [megaphone_queue:item()], bosh()}.
take_out(Now, #bosh{out = Out, limits = #{queue := Limit}} = S) ->
    {Items, UsesStream, Rest} = megaphone_queue:take(min(?ANSWER_BYTES, Limit), Now, Out),
    {stream_attribute(UsesStream), Items, S#bosh{out = Rest}}.

-spec opening_attributes(bosh()) -> [{binary(), binary() | integer()}].
opening_attributes(#bosh{opening = done}) ->
    [];
opening_attributes(#bosh{opening = Attrs}) ->
    %% XEP-0206 §2, §5: the version of XMPP, and that `restart' is understood.
    Attrs ++
        [
            {<<"xmlns:xmpp">>, <<"urn:xmpp:xbosh">>},
            {<<"xmpp:version">>, <<"1.0">>},
            {<<"xmpp:restartlogic">>, <<"true">>}
        ].

-spec stream_attribute(boolean()) -> [{binary(), binary()}].
stream_attribute(true) -> [{<<"xmlns:stream">>, <<"http://etherx.jabber.org/streams">>}];
stream_attribute(false) -> [].

%% §9.1: left out where it would be the rid of the request answered.
-spec ack_attribute(rid(), bosh()) -> [{binary(), rid()}].
ack_attribute(Rid, #bosh{acks = true, opening = done} = S) ->
    case received(S) of
        Rid -> [];
        Received -> [{<<"ack">>, Received}]
    end;
ack_attribute(_, _) ->
    [].

-spec report_attributes(bosh()) -> [{binary(), integer()}].
report_attributes(#bosh{report = none}) -> [];
report_attributes(#bosh{report = {Rid, Ms}}) -> [{<<"report">>, Rid}, {<<"time">>, Ms}].

-spec status(condition(), bosh()) -> http_status().
status(Condition, #bosh{legacy = Legacy}) -> megaphone_condition:status(Legacy, Condition).

-spec format_version({non_neg_integer(), non_neg_integer()}) -> binary().
format_version({Major, Minor}) ->
    <<(integer_to_binary(Major))/binary, $., (integer_to_binary(Minor))/binary>>.
