%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What this node's sessions did since the module's start, in counters; and what they are, in gauges, which
%%% are counted when they are asked for.
-module(megaphone_stats).

-export([create/0, add/2, login/1, all/0]).

-export_type([name/0]).

-type name() ::
    sessions_opened
    | sessions_refused
    | refused_unauthenticated
    | refused_address
    | refused_processes
    | refused_memory
    | refused_stopping
    | sessions_expired
    | logins_failed
    | requests
    | requests_repeated
    | requests_overtaken
    | waits_adapted
    | answers
    | answers_delayed
    | answers_lost
    | answers_dropped
    | stanzas_in
    | stanzas_out
    | bytes_in
    | bytes_out
    | presences_grouped
    | stanzas_handed_back
    | handbacks_failed
    | sessions_failed
    | sessions_moved
    | sessions_arrived
    | moves_failed
    | requests_passed
    | events_told
    | events_dropped
    | {terminated, megaphone_condition:condition()}
    | {login_ms, pos_integer() | infinity | sum}.

-define(NAMES, [
    sessions_opened,
    sessions_refused,
    refused_unauthenticated,
    refused_address,
    refused_processes,
    refused_memory,
    refused_stopping,
    sessions_expired,
    logins_failed,
    requests,
    requests_repeated,
    requests_overtaken,
    waits_adapted,
    answers,
    answers_delayed,
    answers_lost,
    answers_dropped,
    stanzas_in,
    stanzas_out,
    bytes_in,
    bytes_out,
    presences_grouped,
    stanzas_handed_back,
    handbacks_failed,
    sessions_failed,
    sessions_moved,
    sessions_arrived,
    moves_failed,
    requests_passed,
    events_told,
    events_dropped
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

%% Upper bounds of how long a login took.
-define(LOGINS, [50, 100, 250, 500, 1000, 2500, 5000, 10000, infinity]).

%% @doc All at zero, or as they are: sessions that live count on. Every callback of every session writes
%% here: no table, no process.
-spec create() -> ok.
create() ->
    Names = ?NAMES ++ [{terminated, Condition} || Condition <- ?CONDITIONS] ++
        [{login_ms, Bound} || Bound <- [sum | ?LOGINS]],
    Index = maps:from_list(lists:zip(Names, lists:seq(1, length(Names)))),
    case persistent_term:get(?MODULE, none) of
        {_, Index} -> ok;
        _ -> persistent_term:put(?MODULE, {counters:new(length(Names), [write_concurrency]), Index})
    end.

-spec add(name(), integer()) -> ok.
add(_, 0) ->
    ok;
add(Name, N) ->
    {Counters, Index} = persistent_term:get(?MODULE),
    counters:add(Counters, map_get(Name, Index), N).

%% @doc One that took so long. An atom is more than any integer.
-spec login(Milliseconds :: non_neg_integer()) -> ok.
login(Milliseconds) ->
    [Bound | _] = [B || B <- ?LOGINS, Milliseconds =< B],
    ok = add({login_ms, Bound}, 1),
    add({login_ms, sum}, Milliseconds).

%% @doc Every counter by its name, those of conditions under `terminated', of logins by their upper bound under
%% `login_ms'; and the sessions there are.
-spec all() -> #{atom() => integer() | #{binary() => integer()}}.
all() ->
    {Counters, Index} = persistent_term:get(?MODULE),
    Get = fun(Name) -> counters:get(Counters, map_get(Name, Index)) end,
    Terminated = maps:from_list([{name(C), Get({terminated, C})} || C <- ?CONDITIONS]),
    Logins = maps:from_list([{bound(B), Get({login_ms, B})} || B <- [sum | ?LOGINS]]),
    Rest = maps:from_list([{Name, Get(Name)} || Name <- ?NAMES]),
    {Established, Paused, Held} = megaphone_sessions:gauges(),
    Rest#{
        terminated => Terminated,
        login_ms => Logins,
        sessions => megaphone_sessions:count(),
        sessions_resumable => megaphone_resumable:count(),
        sessions_websocket => megaphone_sessions:websockets(),
        sessions_unauthenticated => megaphone_admission:count(),
        sessions_established => Established,
        sessions_paused => Paused,
        requests_held => Held,
        forwarders => map_size(megaphone_forwarders:pids()),
        draining => case megaphone_cluster:state() of in_service -> 0; _ -> 1 end
    }.

-spec name(megaphone_condition:condition()) -> binary().
name(client) -> <<"client">>;
name(Condition) -> Condition.

-spec bound(pos_integer() | infinity | sum) -> binary().
bound(Bound) when is_atom(Bound) -> atom_to_binary(Bound);
bound(Bound) -> integer_to_binary(Bound).
