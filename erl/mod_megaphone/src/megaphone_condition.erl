%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How an answer tells that a session ends, or that there is none (XEP-0124 §17).
-module(megaphone_condition).

-export([of_reason/1, is_final/1, attributes/1, status/2, failure/2]).

-export_type([condition/0, reason/0]).

%% §17.2. `client' is no error: the client asked for the end.
-type condition() :: client | binary().
%% Why a session ends: more than the condition says, for the log.
-type reason() ::
    condition()
    | expired
    | rid_beyond_window
    | wrong_key
    | body_too_large
    | closed_by_operator
    | mailbox_too_long
    | pause_too_long
    | too_frequent
    | too_many_requests
    | too_much_ahead
    | too_much_pending
    | too_much_queued
    | too_much_unacknowledged.

%% @doc What the client is told.
-spec of_reason(reason()) -> condition().
of_reason(Reason) when Reason =:= client; is_binary(Reason) -> Reason;
of_reason(Reason) when Reason =:= expired; Reason =:= rid_beyond_window; Reason =:= wrong_key ->
    <<"item-not-found">>;
of_reason(_) ->
    <<"policy-violation">>.

%% @doc Is the stream over with it? Otherwise its client may resume it (XEP-0198): it is only that nothing reaches that now.
-spec is_final(reason()) -> boolean().
is_final(too_much_queued) -> false;
is_final(Reason) -> not lists:member(of_reason(Reason), [<<"item-not-found">>, <<"remote-connection-failed">>]).

-spec attributes(condition()) -> [{binary(), binary()}].
attributes(client) -> [{<<"type">>, <<"terminate">>}];
attributes(Condition) -> [{<<"type">>, <<"terminate">>}, {<<"condition">>, Condition}].

%% @doc A client that names no version hears of some conditions by HTTP status (§17.1).
-spec status(Legacy :: boolean(), condition()) -> megaphone_kept:http_status().
status(true, <<"bad-request">>) -> 400;
status(true, <<"policy-violation">>) -> 403;
status(true, <<"item-not-found">>) -> 404;
status(_, _) -> 200.

%% @doc The answer to a request that belongs to no session.
-spec failure(Legacy :: boolean(), condition()) -> {megaphone_kept:http_status(), binary()}.
failure(Legacy, Condition) ->
    {status(Legacy, Condition), megaphone_body:write(attributes(Condition), [])}.
