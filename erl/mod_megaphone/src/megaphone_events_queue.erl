%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Events that wait to be told, as a pure value: numbered, bounded by count and bytes, told in batches, one at a time, so that they
%%% arrive in order. What does not fit is dropped, and so is, where each is told at most once, a batch that failed: the next event
%%% says how many before it were. Numbers count those, too: each is that of the event before it, plus `dropped', plus one.
%%%
%%%           | event   | taken | failed | time
%%%   idle    | sending | ·     | ·      | ·
%%%   sending | ·       | idle  | paused | ·
%%%   paused  | ·       | ·     | ·      | idle
%%%
%%% (·: nothing changes. The test reads this table.) Idle with events that wait goes on to sending at once. Time: the pause is over;
%%% pauses double, until a batch is taken.
-module(megaphone_events_queue).

-export([new/2, limits/2, add/2, lost/2, next/1, taken/2, failed/2, time/1, delivery/1, told/1, dropped/1, phase/1]).

-export_type([queue/0, limits/0, line/0]).

-type delivery() :: at_most_once | at_least_once.
-type limits() :: #{delivery := delivery(), count := pos_integer(), bytes := pos_integer()}.
-type number_of() :: pos_integer().
%% `Dropped' is how many before it were.
-type line() :: {number_of(), Dropped :: non_neg_integer(), Event :: binary()}.

-define(BATCH_COUNT, 500).
-define(BATCH_BYTES, 262144).
%% Of memory, for each that waits.
-define(EACH_BYTES, 100).
-define(PAUSE_MS, 500).
-define(MOST_DOUBLINGS, 7).

-record(queue, {
    limits :: limits(),
    phase = idle :: idle | sending | paused,
    %% What is sent, or was and failed and is sent again; and what comes behind it.
    batch = [] :: [line()],
    waiting = queue:new() :: queue:queue(line()),
    %% Of both.
    count = 0 :: non_neg_integer(),
    bytes = 0 :: non_neg_integer(),
    %% Of the event that came last.
    number :: non_neg_integer(),
    %% Dropped before what goes next, and before what comes next.
    ahead = 0 :: non_neg_integer(),
    behind = 0 :: non_neg_integer(),
    %% In all.
    told = 0 :: non_neg_integer(),
    dropped = 0 :: non_neg_integer(),
    fails = 0 :: non_neg_integer()
}).
-opaque queue() :: #queue{}.

%% @doc The first event gets the number behind this one.
-spec new(limits(), non_neg_integer()) -> queue().
new(Limits, Number) -> #queue{limits = Limits, number = Number}.

%% @doc What is there stays.
-spec limits(limits(), queue()) -> queue().
limits(Limits, Q) -> Q#queue{limits = Limits}.

-spec add(Event :: binary(), queue()) -> queue().
add(Event, #queue{limits = #{count := Most, bytes := MostBytes}, count = Count, bytes = Bytes, number = Number, behind = Behind} = Q) ->
    More = size_of(Event),
    case Count < Most andalso Bytes + More =< MostBytes of
        true ->
            Line = {Number + 1, Behind, Event},
            Q#queue{waiting = queue:in(Line, Q#queue.waiting), count = Count + 1, bytes = Bytes + More, number = Number + 1, behind = 0};
        false ->
            lost(1, Q)
    end.

%% @doc So many events did not get this far.
-spec lost(non_neg_integer(), queue()) -> queue().
lost(N, #queue{number = Number, behind = Behind, dropped = Dropped} = Q) ->
    Q#queue{number = Number + N, behind = Behind + N, dropped = Dropped + N}.

%% @doc What is to be sent now.
-spec next(queue()) -> {send, [line(), ...], queue()} | {none, queue()}.
next(#queue{phase = idle, batch = [], waiting = Waiting, ahead = Ahead} = Q) ->
    case batch(Waiting, 0, 0) of
        {[], _} -> {none, Q};
        {[{Number, Dropped, Event} | Lines], Rest} ->
            Batch = [{Number, Ahead + Dropped, Event} | Lines],
            {send, Batch, Q#queue{phase = sending, batch = Batch, waiting = Rest, ahead = 0}}
    end;
next(#queue{phase = idle, batch = Batch} = Q) ->
    {send, Batch, Q#queue{phase = sending}};
next(Q) ->
    {none, Q}.

-spec batch(queue:queue(line()), non_neg_integer(), non_neg_integer()) -> {[line()], queue:queue(line())}.
batch(Waiting, Count, Bytes) ->
    case queue:out(Waiting) of
        {{value, {_, _, Event} = Line}, Rest} when Count =:= 0; Count < ?BATCH_COUNT, Bytes + byte_size(Event) =< ?BATCH_BYTES ->
            {Lines, Left} = batch(Rest, Count + 1, Bytes + byte_size(Event)),
            {[Line | Lines], Left};
        _ ->
            {[], Waiting}
    end.

%% @doc Who is told has all up to this number.
-spec taken(number_of(), queue()) -> queue().
taken(Number, #queue{phase = sending, batch = Batch} = Q) ->
    case lists:last(Batch) of
        {Number, _, _} -> without_batch(Q#queue{phase = idle, fails = 0, told = Q#queue.told + length(Batch)});
        %% Of a batch that was given up.
        _ -> Q
    end;
taken(_, Q) ->
    Q.

%% @doc The batch that ends with this number did not arrive, or that is not known. How long to wait.
-spec failed(number_of(), queue()) -> {PauseMs :: pos_integer(), queue()} | {none, queue()}.
failed(Number, #queue{phase = sending, batch = Batch, fails = Fails, limits = #{delivery := Delivery}} = Q) ->
    case {lists:last(Batch), Delivery} of
        {{Number, _, _}, at_least_once} -> {pause(Fails), Q#queue{phase = paused, fails = Fails + 1}};
        {{Number, _, _}, at_most_once} -> {pause(Fails), given_up(Q#queue{phase = paused, fails = Fails + 1})};
        _ -> {none, Q}
    end;
failed(_, Q) ->
    {none, Q}.

-spec pause(non_neg_integer()) -> pos_integer().
pause(Fails) -> ?PAUSE_MS bsl min(Fails, ?MOST_DOUBLINGS).

-spec given_up(queue()) -> queue().
given_up(#queue{batch = Batch, ahead = Ahead, dropped = Dropped} = Q) ->
    Before = lists:sum([D || {_, D, _} <- Batch]),
    without_batch(Q#queue{ahead = Ahead + Before + length(Batch), dropped = Dropped + length(Batch)}).

-spec without_batch(queue()) -> queue().
without_batch(#queue{batch = Batch, count = Count, bytes = Bytes} = Q) ->
    Gone = lists:sum([size_of(Event) || {_, _, Event} <- Batch]),
    Q#queue{batch = [], count = Count - length(Batch), bytes = Bytes - Gone}.

%% @doc The pause is over.
-spec time(queue()) -> queue().
time(#queue{phase = paused} = Q) -> Q#queue{phase = idle};
time(Q) -> Q.

-spec delivery(queue()) -> delivery().
delivery(#queue{limits = #{delivery := Delivery}}) -> Delivery.

%% @doc In all.
-spec told(queue()) -> non_neg_integer().
told(#queue{told = Told}) -> Told.

%% @doc In all.
-spec dropped(queue()) -> non_neg_integer().
dropped(#queue{dropped = Dropped}) -> Dropped.

-spec phase(queue()) -> idle | sending | paused.
phase(#queue{phase = Phase}) -> Phase.

-spec size_of(binary()) -> pos_integer().
size_of(Event) -> byte_size(Event) + ?EACH_BYTES.
