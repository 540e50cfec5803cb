%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Which process serves a sid, and for a while after its end what a late request is answered: a
%%% client that lost the last answer, or had no request open when the session ended, still learns it.
-module(megaphone_sessions).

-export([create_tables/0, open/2, close/1, close/4, forget/1, find/1, pids/0, some/1, count/0, sweep/0]).

-define(SESSIONS, megaphone_sessions).
-define(ENDED, megaphone_ended).
%% Ends beyond this many are forgotten at once: late requests then get `item-not-found'.
-define(MAX_ENDED, 20000).

%% @doc The tables belong to the calling process.
-spec create_tables() -> ok.
create_tables() ->
    Options = [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}],
    _ = ets:new(?SESSIONS, Options),
    _ = ets:new(?ENDED, Options),
    ok.

-spec open(megaphone_sid:sid(), pid()) -> ok.
open(Sid, Pid) ->
    true = ets:insert(?SESSIONS, {Sid, Pid}),
    ok.

%% @doc Ends without a word: later requests find no session.
-spec close(megaphone_sid:sid()) -> ok.
close(Sid) ->
    true = ets:delete(?SESSIONS, Sid),
    ok.

%% @doc Ends, and keeps the last answers for this many seconds. Those who never logged in leave half of the room to
%% those who did.
-spec close(megaphone_sid:sid(), megaphone_bosh:ended(), pos_integer(), user | stranger) -> ok.
close(Sid, Ended, Seconds, Who) ->
    Room = case Who of user -> ?MAX_ENDED; stranger -> ?MAX_ENDED div 2 end,
    case ets:info(?ENDED, size) < Room of
        true -> true = ets:insert(?ENDED, {Sid, now_seconds() + Seconds, Ended});
        false -> true
    end,
    close(Sid).

%% @doc Drops the last answers, too.
-spec forget(megaphone_sid:sid()) -> ok.
forget(Sid) ->
    true = ets:delete(?ENDED, Sid),
    ok.

-spec find(megaphone_sid:sid()) -> {ok, pid()} | {ended, megaphone_bosh:ended()} | none.
find(Sid) ->
    case ets:lookup(?SESSIONS, Sid) of
        [{_, Pid}] ->
            {ok, Pid};
        [] ->
            case ets:lookup(?ENDED, Sid) of
                [{_, _, Ended}] -> {ended, Ended};
                [] -> none
            end
    end.

-spec pids() -> [pid()].
pids() ->
    ets:select(?SESSIONS, [{{'_', '$1'}, [], ['$1']}]).

%% @doc Up to so many of the processes.
-spec some(pos_integer()) -> [pid()].
some(N) ->
    case ets:select(?SESSIONS, [{{'_', '$1'}, [], ['$1']}], N) of
        {Pids, _} -> Pids;
        '$end_of_table' -> []
    end.

-spec count() -> non_neg_integer().
count() ->
    ets:info(?SESSIONS, size).

%% @doc Forgets the ends whose time is over.
-spec sweep() -> non_neg_integer().
sweep() ->
    ets:select_delete(?ENDED, [{{'_', '$1', '_'}, [{'<', '$1', now_seconds()}], [true]}]).

-spec now_seconds() -> integer().
now_seconds() ->
    erlang:monotonic_time(second).
