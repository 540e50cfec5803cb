%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Counters of this node's sessions since the module's start. Gauges count what is, the rest what was.
-module(megaphone_stats).

-export([create/0, add/2, gauge/2, all/0]).

-export_type([name/0, gauges/0]).

-type name() ::
    sessions_opened
    | sessions_refused
    | refused_unauthenticated
    | refused_address
    | refused_processes
    | refused_memory
    | sessions_established
    | sessions_paused
    | sessions_expired
    | requests_held
    | requests
    | requests_repeated
    | requests_overtaken
    | waits_adapted
    | answers
    | answers_delayed
    | answers_lost
    | stanzas_in
    | stanzas_out
    | bytes_in
    | bytes_out
    | presences_grouped
    | stanzas_handed_back
    | {terminated, megaphone_condition:condition()}.

%% What a session adds to the gauges: established (0 or 1), paused (0 or 1), requests held.
-type gauges() :: {0..1, 0..1, non_neg_integer()}.

-define(NAMES, [
    sessions_opened,
    sessions_refused,
    refused_unauthenticated,
    refused_address,
    refused_processes,
    refused_memory,
    sessions_established,
    sessions_paused,
    sessions_expired,
    requests_held,
    requests,
    requests_repeated,
    requests_overtaken,
    waits_adapted,
    answers,
    answers_delayed,
    answers_lost,
    stanzas_in,
    stanzas_out,
    bytes_in,
    bytes_out,
    presences_grouped,
    stanzas_handed_back
]).
-define(CONDITIONS, [
    client,
    <<"bad-request">>,
    <<"host-gone">>,
    <<"host-unknown">>,
    <<"improper-addressing">>,
    <<"internal-server-error">>,
    <<"item-not-found">>,
    <<"policy-violation">>,
    <<"remote-connection-failed">>,
    <<"remote-stream-error">>,
    <<"system-shutdown">>
]).

%% @doc All at zero. Every callback of every session writes here: no table, no process.
-spec create() -> ok.
create() ->
    Names = ?NAMES ++ [{terminated, Condition} || Condition <- ?CONDITIONS],
    Numbered = lists:zip(Names, lists:seq(1, length(Names))),
    persistent_term:put(?MODULE, {counters:new(length(Names), [write_concurrency]), maps:from_list(Numbered)}).

-spec add(name(), integer()) -> ok.
add(_, 0) ->
    ok;
add(Name, N) ->
    {Counters, Index} = persistent_term:get(?MODULE),
    counters:add(Counters, map_get(Name, Index), N).

%% @doc A session adds something else than before.
-spec gauge(Before :: gauges(), Now :: gauges()) -> ok.
gauge({Established, Paused, Held}, {NowEstablished, NowPaused, NowHeld}) ->
    ok = add(sessions_established, NowEstablished - Established),
    ok = add(sessions_paused, NowPaused - Paused),
    ok = add(requests_held, NowHeld - Held).

%% @doc Every counter by its name, those of conditions under `terminated'; and the sessions there are.
-spec all() -> #{atom() => integer() | #{binary() => integer()}}.
all() ->
    {Counters, Index} = persistent_term:get(?MODULE),
    Get = fun(Name) -> counters:get(Counters, map_get(Name, Index)) end,
    Terminated = maps:from_list([{name(C), Get({terminated, C})} || C <- ?CONDITIONS]),
    Rest = maps:from_list([{Name, Get(Name)} || Name <- ?NAMES]),
    Rest#{
        terminated => Terminated,
        sessions => megaphone_sessions:count(),
        sessions_unauthenticated => megaphone_admission:count()
    }.

-spec name(megaphone_condition:condition()) -> binary().
name(client) -> <<"client">>;
name(Condition) -> Condition.
