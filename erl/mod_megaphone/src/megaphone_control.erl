%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What other processes ask of sessions, or tell them to do: list them, end them, enter the index again.
-module(megaphone_control).

-export([stop/1, kill/0, announce/0, living/0, is_session/1, info/1, infos/2, close/1]).

-define(TIMEOUT_MS, 5000).
%% How many sessions do at once what all are told to do, and how long it is waited for at most.
-define(AT_ONCE, 500).
-define(MAX_MS, 60000).

%% @doc Ends the sessions of a virtual host, or all, with `system-shutdown', and waits until they are gone:
%% until then their users' last presence and undelivered messages are on their way. Not longer than a
%% minute, nor where nothing goes on for 5 s. The index has not all: not those whose session has ended, but
%% whose stream may be resumed, nor those that it never knew.
-spec stop(Host :: binary() | all) -> ok.
stop(Host) ->
    Stop = fun(Pid, From) -> Pid ! {megaphone_stop, Host, From} end,
    _ = tell(megaphone_sessions:pids(), Stop),
    _ = tell(living(), Stop),
    ok.

%% @doc Ends what sessions there still are without a word.
-spec kill() -> ok.
kill() ->
    _ = tell(living(), fun(Pid, _) -> exit(Pid, kill) end),
    ok.

%% @doc All sessions that live enter the index; returns how many did not within the time. They will.
-spec announce() -> non_neg_integer().
announce() ->
    tell(living(), fun(Pid, From) -> Pid ! {megaphone_announce, From} end).

%% @doc The index may not know them.
-spec living() -> [pid()].
living() ->
    [Pid || Pid <- processes(), is_session(Pid)].

%% @doc Is this process of this node one?
-spec is_session(pid()) -> boolean().
is_session(Pid) ->
    case proc_lib:initial_call(Pid) of
        {megaphone_session, run, _} -> true;
        _ -> false
    end.

%% @doc Nothing when it is gone.
-spec info(pid()) -> [megaphone_report:info()].
info(Pid) -> ask(Pid, megaphone_info).

%% @doc Of those that tell it within the time, in their order. All are asked at once.
-spec infos([pid()], Ms :: non_neg_integer()) -> [{pid(), megaphone_report:info()}].
infos(Pids, Ms) ->
    Asked = [{ask_for(Pid, megaphone_info), Pid} || Pid <- Pids],
    Until = erlang:monotonic_time(millisecond) + Ms,
    [{Pid, Info} || {Ref, Pid} <- Asked, Info <- answer(Ref, max(0, Until - erlang:monotonic_time(millisecond)))].

%% @doc Ends it with `policy-violation'.
-spec close(pid()) -> ok | error.
close(Pid) ->
    case ask(Pid, megaphone_close) of
        [closed] -> ok;
        [] -> error
    end.

%% gen_server:call would be one of the stream's own calls.
-spec ask(pid(), megaphone_info | megaphone_close) -> [term()].
ask(Pid, Question) -> answer(ask_for(Pid, Question), ?TIMEOUT_MS).

-spec ask_for(pid(), megaphone_info | megaphone_close) -> reference().
ask_for(Pid, Question) ->
    Ref = erlang:monitor(process, Pid),
    Pid ! {Question, {self(), Ref}},
    Ref.

-spec answer(reference(), non_neg_integer()) -> [term()].
answer(Ref, Ms) ->
    receive
        {Ref, Answer} ->
            erlang:demonitor(Ref, [flush]),
            [Answer];
        {'DOWN', Ref, _, _, _} ->
            []
    after Ms ->
        erlang:demonitor(Ref, [flush]),
        []
    end.

-type tell() :: fun((pid(), {pid(), reference()}) -> term()).

%% Each answers, or ends. Returns how many did neither in time; they all were told.
-spec tell([pid()], tell()) -> non_neg_integer().
tell(Pids, Tell) ->
    tell(Pids, Tell, #{}, erlang:monotonic_time(millisecond) + ?MAX_MS).

-spec tell([pid()], tell(), Open :: #{reference() => []}, Until :: integer()) -> non_neg_integer().
tell([], _, Open, _) when Open =:= #{} ->
    0;
tell([Pid | Pids], Tell, Open, Until) when map_size(Open) < ?AT_ONCE ->
    Ref = erlang:monitor(process, Pid),
    _ = Tell(Pid, {self(), Ref}),
    tell(Pids, Tell, Open#{Ref => []}, Until);
tell(Pids, Tell, Open, Until) ->
    Left = max(0, Until - erlang:monotonic_time(millisecond)),
    receive
        {Ref, _} when is_map_key(Ref, Open) ->
            erlang:demonitor(Ref, [flush]),
            tell(Pids, Tell, maps:remove(Ref, Open), Until);
        {'DOWN', Ref, _, _, _} when is_map_key(Ref, Open) ->
            tell(Pids, Tell, maps:remove(Ref, Open), Until)
    after min(Left, ?TIMEOUT_MS) ->
        lists:foreach(fun(Ref) -> erlang:demonitor(Ref, [flush]) end, maps:keys(Open)),
        lists:foreach(fun(Pid) -> Tell(Pid, {self(), make_ref()}) end, Pids),
        map_size(Open) + length(Pids)
    end.
