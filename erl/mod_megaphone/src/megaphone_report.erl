%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session tells of itself: what it adds to the gauges, what operators see of it, and its two lines in the log.
-module(megaphone_report).

-export([gauges/3, info/1, is_stranger/1, is_silent/2, logged_in/1, not_kept/2, ends/3]).

-export_type([info/0]).

-include_lib("kernel/include/logger.hrl").

-type phase() :: megaphone_ending:phase().
-type who() :: megaphone_allowance:who().
-type session() :: megaphone_ending:session().
%% Session id, user, address, transport, state, requests held, bytes of the process and seconds since the login (-1: there was none).
-type info() :: {megaphone_sid:sid(), binary(), string(), Transport :: string(), State :: string(), non_neg_integer(), non_neg_integer(), integer()}.

%% Those of most sessions are constants, which take no memory.
-spec gauges(Via :: module(), phase(), who()) -> megaphone_sessions:gauges().
gauges(Via, {open, Transport}, Who) ->
    case Via:info(Transport) of
        #{held := 1, paused := false} when Who =:= user -> {1, 0, 1};
        #{held := 0, paused := false} when Who =:= user -> {1, 0, 0};
        #{held := Held, paused := IsPaused} -> {count(Who =:= user), count(IsPaused), Held}
    end;
gauges(_, _, _) ->
    {0, 0, 0}.

-spec count(boolean()) -> 0 | 1.
count(true) -> 1;
count(false) -> 0.

-spec info(session()) -> info().
info(#{sid := Sid, via := Via, host := Host, phase := Phase, who := Who, c2s := Asleep}) ->
    {memory, Memory} = erlang:process_info(self(), memory),
    C2s = megaphone_c2s:wake(Asleep),
    {_, _, Held} = Gauges = gauges(Via, Phase, Who),
    {Sid, megaphone_c2s:user(Host, C2s), megaphone_c2s:ip(C2s), transport(Via:name()), state(Phase, Gauges), Held, Memory, megaphone_c2s:age(C2s)}.

-spec transport(megaphone_socket:transport()) -> string().
transport(http_bind) -> "bosh";
transport(websocket) -> "websocket".

-spec state(phase(), megaphone_sessions:gauges()) -> string().
state({ended, _}, _) -> "ended";
state(_, {_, 1, _}) -> "paused";
state(_, {1, _, _}) -> "established";
state(_, _) -> "opening".

%% @doc It has not logged in, nor ended.
-spec is_stranger(session()) -> boolean().
is_stranger(#{phase := {open, _}, who := Who}) -> Who =:= stranger;
is_stranger(_) -> false.

%% @doc Has the client of one that is open had nothing open for so long?
-spec is_silent(Ms :: pos_integer(), session()) -> boolean().
is_silent(Ms, #{via := Via, phase := {open, Transport}}) ->
    #{idle_from := From} = Via:info(Transport),
    is_integer(From) andalso erlang:monotonic_time(millisecond) - From >= Ms.

-spec logged_in(session()) -> ok.
logged_in(Session) ->
    ?LOG_INFO("Megaphone session ~ts of ~ts from ~ts", name(Session)).

%% @doc It goes on all the same.
-spec not_kept(megaphone_sid:sid(), megaphone_body:rid()) -> ok.
not_kept(Sid, Rid) ->
    ?LOG_DEBUG("Megaphone session ~ts goes on: request ~B is not kept any more", [megaphone_sid:short(Sid), Rid]).

%% @doc Different ends are told apart, where the client is told the same.
-spec ends(megaphone_condition:condition(), megaphone_condition:reason(), session()) -> ok.
ends(Condition, Reason, #{who := Who} = Session) ->
    %% Anyone can begin and end sessions without a login, faster than anyone reads.
    Level = case Who of stranger -> debug; user -> info end,
    ?LOG(Level, "Megaphone session ~ts of ~ts from ~ts ends: ~ts~ts", name(Session) ++ [Condition, detail(Reason)]).

-spec detail(megaphone_condition:reason()) -> iolist().
detail(Reason) when Reason =:= client; is_binary(Reason) -> [];
detail(Reason) -> [" (", atom_to_list(Reason), ")"].

%% As the option `hide_sensitive_log_data' allows.
-spec name(session()) -> [term()].
name(#{sid := Sid, host := Host, c2s := C2s}) ->
    [megaphone_sid:short(Sid), megaphone_c2s:user(Host, C2s), ejabberd_config:may_hide_data(megaphone_c2s:ip(C2s))].
