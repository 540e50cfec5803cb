%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The sessions of this node page by page, for operators at a gateway, which calls this through `rex': in a process of its own,
%%% that looks at a bounded number of sessions, wherever in the table they are and however many there are.
-module(megaphone_listing).

-export([page/4, close/1]).

-export_type([row/0]).

%% What names it here, user, address, transport, state, requests held, bytes of the process, seconds since the login (-1: not yet).
-type row() ::
    {Id :: binary(), User :: binary(), Address :: binary(), Transport :: binary(), State :: binary(), non_neg_integer(), non_neg_integer(), integer()}.
-type next() :: non_neg_integer() | none.

%% How many sessions are asked at once, and how long they have. Those that are busy for longer are left out.
-define(AT_ONCE, 100).
-define(TIMEOUT_MS, 2000).
%% Of a page's time, after which no more are asked: who asks does not wait long, however many are busy.
-define(ASKING_MS, 500).

%% @doc The sessions of this node whose user or address begins with `Search', from a place on, where the first is 0: so many, or a
%% few more, or fewer where so many were looked at, or it takes too long; the place of the next ones; and how many were looked at. A
%% whole address of a user of a host here is looked up instead.
-spec page(Search :: binary(), From :: non_neg_integer(), Wanted :: pos_integer(), AtMost :: pos_integer()) ->
    {[row()], next(), LookedAt :: non_neg_integer()}.
page(Search, From, Wanted, AtMost) ->
    case user(Search) of
        none ->
            page(Search, From, Wanted, AtMost, {[], 0}, erlang:monotonic_time(millisecond) + ?ASKING_MS);
        {User, Server} ->
            Sids = ejabberd_sm:get_session_sids(User, Server),
            Pids = lists:sublist([Pid || {_, Pid} <- Sids, node(Pid) =:= node(), megaphone_control:is_session(Pid)], AtMost),
            {rows(Search, Pids), none, length(Pids)}
    end.

-spec page(binary(), non_neg_integer(), integer(), integer(), {[row()], non_neg_integer()}, Until :: integer()) ->
    {[row()], next(), non_neg_integer()}.
page(Search, From, Wanted, AtMost, {Rows, LookedAt}, Until) ->
    {Pids, Next} = megaphone_sessions:page(From, lists:min([Wanted, AtMost, ?AT_ONCE])),
    Found = rows(Search, Pids),
    {Rows1, LookedAt1} = {Rows ++ Found, LookedAt + length(Pids)},
    %% An empty stretch counts, too.
    {Wanted1, AtMost1} = {Wanted - length(Found), AtMost - max(1, length(Pids))},
    case Next =:= none orelse Wanted1 =< 0 orelse AtMost1 =< 0 orelse erlang:monotonic_time(millisecond) >= Until of
        true -> {Rows1, Next, LookedAt1};
        false -> page(Search, Next, Wanted1, AtMost1, {Rows1, LookedAt1}, Until)
    end.

%% @doc Ends a session of this node, by what a row names it.
-spec close(Id :: binary()) -> ok | error.
close(Id) ->
    case [Pid || Pid <- pids(Id), megaphone_control:is_session(Pid), Info <- megaphone_control:info(Pid), id(Pid, Info) =:= Id] of
        [Pid] -> megaphone_control:close(Pid);
        [] -> error
    end.

-spec rows(binary(), [pid()]) -> [row()].
rows(Search, Pids) ->
    Lower = string:lowercase(Search),
    [row(Pid, Info) || {Pid, Info} <- megaphone_control:infos(Pids, ?TIMEOUT_MS), is_sought(Search, Lower, Info)].

-spec is_sought(binary(), binary(), megaphone_report:info()) -> boolean().
is_sought(Search, Lower, {_, User, Address, _, _, _, _, _}) ->
    begins(User, Search) orelse begins(User, Lower) orelse begins(list_to_binary(Address), Lower).

-spec begins(binary(), binary()) -> boolean().
begins(Text, Prefix) -> binary:longest_common_prefix([Text, Prefix]) =:= byte_size(Prefix).

-spec row(pid(), megaphone_report:info()) -> row().
row(Pid, {_, User, Address, Transport, State, Held, Memory, Age} = Info) ->
    {id(Pid, Info), User, list_to_binary(Address), list_to_binary(Transport), list_to_binary(State), Held, Memory, Age}.

%% The process, and enough of the sid that no later process of that number is taken for it; who has all of a sid has the session.
-spec id(pid(), megaphone_report:info()) -> binary().
id(Pid, Info) -> iolist_to_binary([string:trim(pid_to_list(Pid), both, "<>"), $-, megaphone_sid:short(element(1, Info))]).

-spec pids(binary()) -> [pid()].
pids(Id) ->
    try list_to_pid([$< | binary_to_list(hd(binary:split(Id, <<"-">>)))] ++ ">") of
        Pid when node(Pid) =:= node() -> [Pid];
        _ -> []
    catch
        error:badarg -> []
    end.

%% Of a host that is served here.
-spec user(Search :: binary()) -> {User :: binary(), Server :: binary()} | none.
user(Search) ->
    try jid:tolower(jid:decode(Search)) of
        {User, Server, _} when User =/= <<>> ->
            case ejabberd_router:is_my_host(Server) of
                true -> {User, Server};
                false -> none
            end;
        _ ->
            none
    catch
        %% It is no address, as what somebody begins to type.
        error:_ -> none
    end.
