%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The last answers of ended sessions, kept for a while: a client that lost the last one, or had no request open when its
%%% session ended, still learns of the end by its next request. Bounded in number and in bytes; what does not fit is forgotten
%%% at once, and later requests of such a session get `item-not-found'.
-module(megaphone_ended).

-export([create_table/0, put/3, forget/1, request/3, asked/3, find/1, bytes/0, sweep/0]).

-export_type([ended/0]).

%% Answers for repeats of the session's last requests, newest first, and one for any other.
-type ended() :: #{
    kept := [{megaphone_body:rid(), megaphone_kept:http_status(), Body :: binary()}],
    final := {megaphone_kept:http_status(), Body :: binary()}
}.

-define(ENDED, megaphone_ended).
-define(SECONDS, 60).
-define(MAX_ENTRIES, 20000).
-define(MAX_ENTRY_BYTES, 262144).
-define(MAX_BYTES, 67108864).

%% @doc The table belongs to the calling process.
-spec create_table() -> ok.
create_table() ->
    _ = ets:new(?ENDED, [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}]),
    %% Of all entries, as one that is written by all who put.
    true = ets:insert(?ENDED, {bytes, 0}),
    ok.

%% @doc Those who never logged in leave half of the room to those who did.
-spec put(megaphone_sid:sid(), ended(), user | stranger) -> ok.
put(Sid, #{kept := Kept, final := {_, Body}} = Ended, Who) ->
    Share = case Who of user -> 1; stranger -> 2 end,
    {Newest, Bytes} = newest(Kept, byte_size(Body), []),
    if_there(fun() ->
        case ets:update_counter(?ENDED, bytes, Bytes) =< ?MAX_BYTES div Share andalso ets:info(?ENDED, size) =< ?MAX_ENTRIES div Share of
            true when Bytes =< ?MAX_ENTRY_BYTES ->
                ets:insert(?ENDED, {Sid, now_seconds() + ?SECONDS, Bytes, Ended#{kept := Newest}});
            _ ->
                ets:update_counter(?ENDED, bytes, -Bytes)
        end
    end).

%% The last answers are those that are asked for.
-spec newest([Answer], Bytes :: non_neg_integer(), [Answer]) -> {[Answer], Bytes :: non_neg_integer()} when
    Answer :: {megaphone_body:rid(), megaphone_kept:http_status(), binary()}.
newest([{_, _, Body} = Answer | Older], Bytes, Newer) when Bytes + byte_size(Body) =< ?MAX_ENTRY_BYTES ->
    newest(Older, Bytes + byte_size(Body), [Answer | Newer]);
newest(_, Bytes, Newer) ->
    {lists:reverse(Newer), Bytes}.

%% @doc Later requests find no trace of the session.
-spec forget(megaphone_sid:sid()) -> ok.
forget(Sid) ->
    if_there(fun() ->
        %% Only one gets it.
        case ets:take(?ENDED, Sid) of
            [{_, _, Bytes, _}] -> ets:update_counter(?ENDED, bytes, -Bytes);
            [] -> ok
        end
    end).

%% @doc Answers a request whose session has ended: a repeat with what is kept, any other with the end.
-spec request(megaphone_sid:sid(), ConnId :: pid(), Body :: binary()) -> ok.
request(Sid, ConnId, Body) ->
    asked(Sid, ConnId, megaphone_peek:rid(Body)).

%% @doc The same for a request of which only the rid is known.
-spec asked(megaphone_sid:sid(), ConnId :: pid(), megaphone_body:rid() | none) -> ok.
asked(Sid, ConnId, Rid) ->
    {Status, Answer} = answer(Rid, find(Sid)),
    megaphone_gateway:last_answer(ConnId, Status, [], Answer).

-spec answer(megaphone_body:rid() | none, {ended, ended()} | none) -> {megaphone_kept:http_status(), binary()}.
answer(Rid, {ended, #{kept := Kept, final := Final}}) ->
    case lists:keyfind(Rid, 1, Kept) of
        {_, Status, Body} -> {Status, Body};
        false -> Final
    end;
answer(_, none) ->
    megaphone_condition:failure(false, <<"item-not-found">>).

-spec find(megaphone_sid:sid()) -> {ended, ended()} | none.
find(Sid) ->
    try ets:lookup(?ENDED, Sid) of
        [{_, _, _, Ended}] -> {ended, Ended};
        [] -> none
    catch
        error:badarg -> none
    end.

%% @doc Of all answers kept.
-spec bytes() -> integer().
bytes() ->
    ets:lookup_element(?ENDED, bytes, 2).

%% @doc Forgets those whose time is over.
-spec sweep() -> ok.
sweep() ->
    Expired = ets:select(?ENDED, [{{'$1', '$2', '_', '_'}, [{'<', '$2', now_seconds()}], ['$1']}]),
    lists:foreach(fun forget/1, Expired),
    %% Who was killed between counting and putting left a wrong sum; it is set right unless it just changed.
    Counted = bytes(),
    Sum = lists:sum(ets:select(?ENDED, [{{'_', '_', '$1', '_'}, [], ['$1']}])),
    _ = ets:select_replace(?ENDED, [{{bytes, Counted}, [], [{{bytes, Sum}}]}]),
    ok.

%% There is no table while its owner is restarted: then nothing is kept.
-spec if_there(fun(() -> term())) -> ok.
if_there(Fun) ->
    try Fun() of
        _ -> ok
    catch
        error:badarg -> ok
    end.

-spec now_seconds() -> integer().
now_seconds() ->
    erlang:monotonic_time(second).
