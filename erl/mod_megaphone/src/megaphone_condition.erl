%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How an answer tells that a session ends, or that there is none (XEP-0124 §17).
-module(megaphone_condition).

-export([attributes/1, status/2, failure/2]).

-export_type([condition/0]).

%% §17.2. `client' is no error: the client asked for the end.
-type condition() :: client | binary().

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
