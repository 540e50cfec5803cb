%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How fast one client asks, and for how long its requests are held (XEP-0124 §11, §12).
%%%
%%% What a new request is:
%%%
%%%                                           | session that holds requests   | polling session (§12)
%%%   with payload, or to pause, restart, end | in time                       | in time
%%%   empty, `polling' or more after the last | in time                       | in time
%%%   empty, and sooner                       | early, if as many are open    | early, if the last was empty, too,
%%%                                           | as may be (§11)               | and all answers since
%%%
%%%   in time: held for `wait', which a polling session has none of
%%%   early: the same, but a poll waits for its time first; it adds to the haste, which time takes off again
%%%   early, and strict, or the haste is a flood's: the session ends
%%%
%%% What a held request that is cut at some age is:
%%%
%%%   sooner than the shortest wait, or at another age than before | the first in a row
%%%   at the same age, more or less                                | the next in a row: the third shortens `wait'
%%%
%%% (megaphone_pace_tests has each row: keep them alike.)
-module(megaphone_pace).

-export([new/2, ask/5, again/2, answered/2, cut/3, wait/1, shift/2]).

-export_type([pace/0]).

-type ms() :: integer().

-record(pace, {
    %% Zero in a polling session.
    wait :: ms(),
    %% When the last new request came, or counts as asked; whether it and the answers since were empty.
    last :: ms(),
    last_empty = false :: boolean(),
    %% Until when what it asked too early would be asked at the rate of a flood.
    haste :: ms(),
    %% The age at which held requests were cut without an answer, and how often in a row.
    cut = {0, 0} :: {ms(), non_neg_integer()}
}).

-opaque pace() :: #pace{}.

%% Held requests cut so many times in a row, within this much of the same age, shorten the wait.
-define(CUTS, 3).
-define(SAME_AGE, 1000).
-define(SHORTEST_WAIT, 5000).
%% A flood is so many times what `polling' allows, and a burst of this many more.
-define(FLOOD, 10).
-define(BURST, 100).

-spec new(Wait :: ms(), ms()) -> pace().
new(Wait, Now) -> #pace{wait = Wait, last = Now, haste = Now}.

%% @doc A new request, and until when it is held. `poll': it is empty, and not the first. `Full': with it there are as
%% many open as may be.
-spec ask(poll | other, Full :: boolean(), ms(), mod_megaphone:limits(), pace()) -> {ok, Due :: ms(), pace()} | flood.
ask(other, _, Now, _, #pace{wait = Wait} = P) ->
    {ok, Now + Wait, P#pace{last = Now, last_empty = false}};
ask(poll, Full, Now, #{polling := Polling} = Limits, #pace{wait = Wait, last = Last, last_empty = LastEmpty} = P) ->
    Unasked = case Wait of 0 -> LastEmpty; _ -> Full end,
    case Unasked andalso Now - Last < Polling * 1000 of
        true -> early(Now, Limits, P);
        false -> {ok, Now + Wait, P#pace{last = Now, last_empty = true}}
    end.

%% A client that asks too early is answered all the same, unless it floods or we are strict.
-spec early(ms(), mod_megaphone:limits(), pace()) -> {ok, ms(), pace()} | flood.
early(_, #{strict := true}, _) ->
    flood;
early(Now, #{polling := Polling}, #pace{wait = Wait, last = Last, haste = Before} = P) ->
    Each = Polling * 1000 div ?FLOOD,
    case max(Before, Now) + Each of
        Haste when Haste - Now > ?BURST * Each ->
            flood;
        Haste ->
            Asked = case Wait of 0 -> min(Last, Now) + Polling * 1000; _ -> Now end,
            {ok, Asked + Wait, P#pace{last = Asked, last_empty = true, haste = Haste}}
    end.

%% @doc Until when a request that came again is held.
-spec again(ms(), pace()) -> Due :: ms().
again(Now, #pace{wait = Wait, last = Last}) -> max(Now, Last) + Wait.

%% @doc Only a poll that brought nothing makes the next one too early (§12).
-spec answered(payload | blank, pace()) -> pace().
answered(payload, #pace{last_empty = true} = P) -> P#pace{last_empty = false};
answered(_, P) -> P.

%% @doc A request that was to be held until `Due' was cut. Something on the way, a proxy most likely, may do that at
%% one age: then answer a little sooner.
-spec cut(Due :: ms(), ms(), pace()) -> pace().
cut(Due, Now, #pace{wait = Wait, cut = {Before, Times}} = P) ->
    case Now - (Due - Wait) of
        Age when Age < ?SHORTEST_WAIT; abs(Age - Before) > ?SAME_AGE ->
            P#pace{cut = {Age, 1}};
        Age when Times + 1 =:= ?CUTS ->
            P#pace{wait = max(?SHORTEST_WAIT, min(Age, Before) - 2 * ?SAME_AGE), cut = {0, 0}};
        _ ->
            P#pace{cut = {Before, Times + 1}}
    end.

%% @doc How long a request is held at most: what the client asked for, or less since its requests get cut.
-spec wait(pace()) -> ms().
wait(#pace{wait = Wait}) -> Wait.

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), pace()) -> pace().
shift(By, #pace{last = Last, haste = Haste} = P) -> P#pace{last = Last + By, haste = Haste + By}.
