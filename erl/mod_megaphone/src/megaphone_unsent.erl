%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Answers of one session for which there was no room on the way to their gateway. It is there, but does
%%% not read as fast as all sessions answer: they are tried again, in order, after pauses that double.
-module(megaphone_unsent).

-export([new/0, add/3, due/1, take/2, all/1, repeated/2, closed/2]).

-export_type([unsent/0]).

-type ms() :: integer().
-type answer() :: megaphone_bosh:answer().

%% When to try again, how long the pause before that was, and what; newest first.
-opaque unsent() :: none | {Due :: ms(), Pause :: ms(), [answer()]}.

-define(FIRST_PAUSE, 50).
-define(LONGEST_PAUSE, 5000).

-spec new() -> unsent().
new() -> none.

-spec add(answer(), ms(), unsent()) -> unsent().
add(Answer, _, {Due, Pause, [_ | _] = Answers}) -> {Due, Pause, [Answer | Answers]};
%% It was just tried again, and in vain.
add(Answer, Now, {Due, Pause, []}) when Due > Now -> {Due, Pause, [Answer]};
add(Answer, Now, _) -> {Now + ?FIRST_PAUSE, ?FIRST_PAUSE, [Answer]}.

-spec due(unsent()) -> ms() | infinity.
due({Due, _, [_ | _]}) -> Due;
due(_) -> infinity.

%% @doc What to try again now, oldest first.
-spec take(ms(), unsent()) -> {[answer()], unsent()}.
take(Now, {Due, Pause, [_ | _] = Answers}) when Due =< Now ->
    Longer = min(2 * Pause, ?LONGEST_PAUSE),
    {lists:reverse(Answers), {Now + Longer, Longer, []}};
take(_, Unsent) ->
    {[], Unsent}.

%% @doc All there are, oldest first.
-spec all(unsent()) -> [answer()].
all(none) -> [];
all({_, _, Answers}) -> lists:reverse(Answers).

%% @doc The client repeats this request: its answer goes to another connection.
-spec repeated(megaphone_body:rid(), unsent()) -> unsent().
repeated(Rid, Unsent) -> delete(Rid, 1, Unsent).

%% @doc This connection is gone.
-spec closed(megaphone_bosh:conn(), unsent()) -> unsent().
closed(Conn, Unsent) -> delete(Conn, 2, Unsent).

-spec delete(term(), Position :: pos_integer(), unsent()) -> unsent().
delete(_, _, none) -> none;
delete(Key, Position, {Due, Pause, Answers}) -> {Due, Pause, lists:keydelete(Key, Position, Answers)}.
