%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the protocol between a client and its session (megaphone_bosh) wants done: it decides, and knows no process; this
%%% carries it out, and decides only what waits where there is no room (without_room/1).
-module(megaphone_effects).

-export([carry_out/2, without_room/1]).

-export_type([effect/0, undelivered/0, rest/0]).

-type conn() :: megaphone_requests:conn().
-type answer() :: megaphone_kept:answer().
-type effect() ::
    %% If it does not leave, the protocol is to be told; of those behind it, too, where there was no room for it.
    {answer, answer()}
    %% These are not tried again by the session.
    | {last, answer()}
    | {refuse, conn(), megaphone_kept:http_status(), Body :: binary()}
    %% Nothing is known of this connection's request: it is to be sent again.
    | {repeat, conn()}
    | {count, stanzas_out | presences_grouped | waits_adapted}
    | rest().
%% What only the session can do, which is the last of all: a request goes on to the stream in its turn; the session is to end.
-type rest() :: {deliver, megaphone_body:request()} | {stop, megaphone_condition:reason()}.
%% `gone': there is no way to its gateway; `busy': there is no room on it.
-type undelivered() :: {gone | busy, megaphone_body:rid(), conn()}.
-type headers() :: [{binary(), binary()}].

%% @doc In their order. Returns the answers that did not leave, in order, and what is left to do.
-spec carry_out([effect()], headers()) -> {[undelivered()], [rest()]}.
carry_out([], _) -> {[], []};
carry_out(Effects, Headers) -> carry_out(Effects, Headers, []).

-spec carry_out([effect()], headers(), [undelivered()]) -> {[undelivered()], [rest()]}.
carry_out([{answer, {Rid, ConnId, Status, Body}} | Effects] = All, Headers, Undelivered) ->
    case megaphone_gateway:answer(ConnId, Status, Headers, Body) of
        ok ->
            ok = count_answer(Body),
            carry_out(Effects, Headers, Undelivered);
        gone ->
            ok = megaphone_stats:add(answers_lost, 1),
            carry_out(Effects, Headers, [{gone, Rid, ConnId} | Undelivered]);
        busy ->
            {Delayed, Others} = without_room(All),
            ok = megaphone_stats:add(answers_delayed, length(Delayed)),
            carry_out(Others, Headers, lists:reverse(Delayed, Undelivered))
    end;
carry_out([{last, {_, ConnId, Status, Body}} | Effects], Headers, Undelivered) ->
    ok = count_answer(Body),
    ok = megaphone_gateway:last_answer(ConnId, Status, Headers, Body),
    carry_out(Effects, Headers, Undelivered);
carry_out([{refuse, ConnId, Status, Body} | Effects], Headers, Undelivered) ->
    ok = megaphone_gateway:last_answer(ConnId, Status, Headers, Body),
    carry_out(Effects, Headers, Undelivered);
carry_out([{repeat, ConnId} | Effects], Headers, Undelivered) ->
    ok = megaphone_gateway:repeat(ConnId),
    carry_out(Effects, Headers, Undelivered);
carry_out([{count, Counter} | Effects], Headers, Undelivered) ->
    ok = megaphone_stats:add(Counter, 1),
    carry_out(Effects, Headers, Undelivered);
carry_out(Rest, _, Undelivered) ->
    {lists:reverse(Undelivered), Rest}.

%% @doc There is no room for the first of these: an answer behind it would overtake it, but all else goes on.
-spec without_room([effect()]) -> {[undelivered()], [effect()]}.
without_room(Effects) ->
    {Answers, Others} = lists:partition(fun(Effect) -> element(1, Effect) =:= answer end, Effects),
    {[{busy, Rid, ConnId} || {answer, {Rid, ConnId, _, _}} <- Answers], Others}.

-spec count_answer(binary()) -> ok.
count_answer(Body) ->
    ok = megaphone_stats:add(answers, 1),
    megaphone_stats:add(bytes_out, byte_size(Body)).
