%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The last answers of a BOSH session: all that is open gets one, and what the client may not have is told.
-module(megaphone_goodbye).

-export([finish/5]).

-type ms() :: integer().
%% What an answer says beside its stanzas (megaphone_answer), of what is to be said, and of the requests that are open.
-type saying() ::
    fun((Say, megaphone_requests:requests()) -> {Say, Received :: megaphone_body:rid() | none, Legacy :: boolean(), Limit :: pos_integer()}).
-type state() ::
    {saying(), megaphone_answer:say(), megaphone_requests:requests(), megaphone_kept:kept(), megaphone_queue:queue()}.

%% @doc `Error' is a <stream:error/> or nothing. What the client may not have and is owed
%% to its user, oldest first, is for the caller to deliver by another way; one that says goodbye wants no more than its last
%% answers have room for (§13), but what they had none for is owed.
-spec finish(megaphone_condition:condition(), Error :: iodata(), ms(), Legacy :: boolean(), state()) ->
    {[megaphone_effects:effect()], [megaphone_queue:owed()], megaphone_ended:ended()}.
finish(client, _, Now, Legacy, {_, _, _, Kept, _} = State) ->
    {Last, {_, _, _, Kept1, Left}} = answer_all(client, [], Now, State),
    %% For whoever asks later, the session is not there.
    Ended = #{kept => megaphone_kept:to_list(Kept1), final => megaphone_condition:failure(Legacy, <<"item-not-found">>)},
    {[{last, A} || A <- megaphone_kept:awaited(Kept)] ++ Last, megaphone_queue:all_owed(Left), Ended};
finish(Condition, Error, Now, Legacy, {Saying, Say, Requests, Kept, Out}) ->
    {Owed, Unsent, Kept1} = megaphone_kept:take_owed(Kept),
    OwedToo = megaphone_queue:all_owed(Out),
    %% Such as why a login failed: the client hears it in front of the stream's end.
    Before = case OwedToo of [] -> Out; _ -> megaphone_queue:new() end,
    State = {Saying, Say, megaphone_requests:reopen(Unsent, Now, Requests), Kept1, Before},
    {Last, {_, _, _, Kept2, _}} = answer_all(Condition, Error, Now, State),
    Final = {megaphone_condition:status(Legacy, Condition), megaphone_answer:final(Condition, Error)},
    {Last, Owed ++ OwedToo, #{kept => megaphone_kept:to_list(Kept2), final => Final}}.

-spec answer_all(megaphone_condition:condition(), iodata(), ms(), state()) -> {[megaphone_effects:effect()], state()}.
answer_all(Condition, Error, Now, {Saying, Say, Requests, Kept, Out}) ->
    Open = megaphone_requests:finish(Now, Requests),
    Last = {terminate, Condition, Error},
    %% The client waits for the answer to its own terminate: that one ends the session (§13).
    Others = case Condition of client -> payload; _ -> Last end,
    Held = megaphone_requests:count_held(Open),
    Whats = [case N of Held -> Last; _ -> Others end || N <- lists:seq(1, Held)],
    Answer = fun(What, {_, S, R, K, O}) ->
        {A, R1, K1, O1} = megaphone_answer:first(What, Saying(S, R), Now, R, K, O),
        {{last, A}, {Saying, nothing, R1, K1, O1}}
    end,
    lists:mapfoldl(Answer, {Saying, Say, Open, Kept, Out}, Whats).
