%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What is said when no session may begin: 503 to the client, which may try again; to its gateway that this node is
%%% full, so that others get what comes next; and to the operator, in one line a minute however many are refused.
-module(megaphone_refusals).

-export([new/0, refuse/4, tick/2]).

-export_type([refusals/0, refusal/0]).

-include_lib("kernel/include/logger.hrl").

-type seconds() :: integer().
-type refusal() :: megaphone_admission:refusal() | stopping.

-record(refusals, {
    %% Gateways that heard since the last tick that this node is full.
    told = #{} :: #{node() => []},
    %% Since the last line in the log, by reason.
    unlogged = #{} :: #{refusal() => pos_integer()},
    silent_until :: seconds() | undefined
}).
-opaque refusals() :: #refusals{}.

%% For so long a gateway sends no creations here; as many seconds later its clients may try again.
-define(FULL_SECONDS, 2).
-define(SILENT_SECONDS, 60).

-spec new() -> refusals().
new() -> #refusals{}.

-spec refuse(ConnId :: pid(), refusal(), seconds(), refusals()) -> refusals().
refuse(ConnId, Reason, Now, #refusals{unlogged = Unlogged} = R) ->
    ok = megaphone_stats:add(counter(Reason), 1),
    Headers = [{<<"content-type">>, <<"text/plain; charset=utf-8">>}, {<<"retry-after">>, integer_to_binary(?FULL_SECONDS)}],
    ok = megaphone_gateway:last_answer(ConnId, 503, Headers, <<"No more sessions can begin here now.\n">>),
    Counted = Unlogged#{Reason => maps:get(Reason, Unlogged, 0) + 1},
    log(Now, tell(node(ConnId), Reason, R#refusals{unlogged = Counted})).

%% @doc Once a second.
-spec tick(seconds(), refusals()) -> refusals().
tick(Now, R) ->
    log(Now, R#refusals{told = #{}}).

%% Where one address has its share, others are welcome.
-spec tell(node(), refusal(), refusals()) -> refusals().
tell(_, address, R) ->
    R;
tell(Gateway, _, #refusals{told = Told} = R) when is_map_key(Gateway, Told) ->
    R;
tell(Gateway, _, #refusals{told = Told} = R) ->
    ok = megaphone_gateway:full(Gateway, ?FULL_SECONDS),
    R#refusals{told = Told#{Gateway => []}}.

-spec log(seconds(), refusals()) -> refusals().
log(_, #refusals{unlogged = Unlogged} = R) when map_size(Unlogged) =:= 0 ->
    R;
log(Now, #refusals{silent_until = Until} = R) when Until =/= undefined, Now < Until ->
    R;
log(Now, #refusals{unlogged = Unlogged} = R) ->
    Told = lists:join("; ", [io_lib:format("~ts: ~b", [text(Reason), N]) || {Reason, N} <- maps:to_list(Unlogged)]),
    ?LOG_WARNING("Megaphone refuses new sessions (~ts)", [Told]),
    R#refusals{unlogged = #{}, silent_until = Now + ?SILENT_SECONDS}.

-spec counter(refusal()) -> megaphone_stats:name().
counter(strangers) -> refused_unauthenticated;
counter(address) -> refused_address;
counter(processes) -> refused_processes;
counter(memory) -> refused_memory;
counter(stopping) -> refused_stopping.

-spec text(refusal()) -> string().
text(strangers) -> "max_unauthenticated have not logged in";
text(address) -> "max_unauthenticated_per_address have not logged in from their address";
text(processes) -> "nine tenths of this node's processes (+P) are in use";
text(memory) -> "this node uses max_memory";
text(stopping) -> "this node stops, is being emptied, or has no weight".
