%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Owns the tables, so that they outlive whoever fills them, and lets the oldest messages of the ring go: after a third of
%%% `ring_seconds', and whenever all of them take more than `ring_bytes'.
-module(megaphone_comet_keeper).
-behaviour(gen_server).

-export([start_link/0, life/0, linger_seconds/0, idle_rows/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TICK_MS, 250).

-record(keeper, {
    %% Between two rotations, and when the last was.
    period_ms :: pos_integer(),
    rotated_at :: integer(),
    most_bytes :: non_neg_integer()
}).

-spec start_link() -> {ok, pid()} | {error, term()} | ignore.
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc All numbers that this node gives out are larger.
-spec life() -> pos_integer().
life() -> persistent_term:get({?MODULE, life}).

%% @doc So long an id without a listener is kept open.
-spec linger_seconds() -> non_neg_integer().
linger_seconds() -> setting(ring_seconds).

%% @doc No more ids are kept so.
-spec idle_rows() -> non_neg_integer().
idle_rows() -> setting(idle_rows).

-spec setting(atom()) -> non_neg_integer().
setting(Name) ->
    {ok, Value} = application:get_env(megaphone_comet, Name),
    Value.

-spec init([]) -> {ok, #keeper{}}.
init([]) ->
    Seconds = setting(ring_seconds),
    ok = megaphone_comet_stats:create(),
    ok = megaphone_comet_table:create(),
    ok = megaphone_comet_logins:create(),
    ok = megaphone_comet_behind:create(),
    ok = megaphone_comet_ring:create(case Seconds of 0 -> 0; _ -> setting(ring_count) end, setting(ring_message_bytes)),
    ok = persistent_term:put({?MODULE, life}, erlang:system_time(microsecond)),
    _ = erlang:send_after(?TICK_MS, self(), tick),
    {ok, #keeper{period_ms = max(1000, Seconds * 1000 div 3), rotated_at = now_ms(), most_bytes = setting(ring_bytes)}}.

-spec handle_call(term(), {pid(), term()}, #keeper{}) -> {reply, {error, unknown_request}, #keeper{}}.
handle_call(_, _, K) -> {reply, {error, unknown_request}, K}.

-spec handle_cast(term(), #keeper{}) -> {noreply, #keeper{}}.
handle_cast(_, K) -> {noreply, K}.

-spec handle_info(term(), #keeper{}) -> {noreply, #keeper{}}.
handle_info(tick, #keeper{period_ms = Period, rotated_at = At, most_bytes = Most} = K) ->
    _ = erlang:send_after(?TICK_MS, self(), tick),
    case now_ms() - At >= Period orelse megaphone_comet_ring:bytes() > Most of
        true -> ok = megaphone_comet_ring:rotate(), {noreply, K#keeper{rotated_at = now_ms()}};
        false -> {noreply, K}
    end;
handle_info(_, K) ->
    {noreply, K}.

-spec now_ms() -> integer().
now_ms() -> erlang:monotonic_time(millisecond).
