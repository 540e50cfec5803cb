%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Who subscribed to whom, in Mnesia, in both directions. What is sent to those who subscribed to an id goes through megaphone_router.
-module(megaphone_subscriptions).

-export([add/2, remove/2, subscribers/1, subscriptions/1, send/2, send/3, load/1, load/2]).
-export([create_tables/0]).

-include_lib("kernel/include/logger.hrl").

-type id() :: megaphone_comet_id:id().
-type canonical() :: megaphone_comet_id:canonical().

%% {Id, its subscribers}, and {Subscriber, to which ids}.
-define(SUBSCRIBERS, megaphone_subscribers).
-define(SUBSCRIPTIONS, ?MODULE).
-define(WAIT_MS, 5000).

%% @doc On disc where Mnesia's schema is. A node whose Mnesia joins others gets a copy of theirs.
-spec create_tables() -> ok | {error, term()}.
create_tables() ->
    Copies = case mnesia:table_info(schema, storage_type) of disc_copies -> disc_copies; _ -> ram_copies end,
    case [Error || Table <- [?SUBSCRIBERS, ?SUBSCRIPTIONS], {error, _} = Error <- [megaphone_comet_members:create_table(Table, Copies)]] of
        [] ->
            case mnesia:wait_for_tables([?SUBSCRIBERS, ?SUBSCRIPTIONS], ?WAIT_MS) of
                ok -> ok;
                %% They are large, or another node had them last: until then who subscribed is not known, and the rest works.
                {timeout, _} -> ?LOG_WARNING("megaphone_comet: Mnesia has not loaded the subscriptions yet");
                {error, _} = Error -> Error
            end;
        [Error | _] ->
            Error
    end.

-spec add(Subscriber :: id(), id()) -> ok | {error, term()}.
add(Subscriber, Id) -> both(add, megaphone_comet_id:canonical(Subscriber), megaphone_comet_id:canonical(Id)).

-spec remove(Subscriber :: id(), id()) -> ok | {error, term()}.
remove(Subscriber, Id) -> both(remove, megaphone_comet_id:canonical(Subscriber), megaphone_comet_id:canonical(Id)).

-spec both(add | remove, canonical(), canonical()) -> ok | {error, term()}.
both(Change, Subscriber, Id) ->
    Done = mnesia:transaction(fun() ->
        _ = megaphone_comet_members:Change(?SUBSCRIBERS, Id, Subscriber),
        megaphone_comet_members:Change(?SUBSCRIPTIONS, Subscriber, Id)
    end),
    case Done of
        {atomic, _} -> ok;
        {aborted, Reason} -> {error, Reason}
    end.

-spec subscribers(id()) -> [canonical()].
subscribers(Id) -> megaphone_comet_members:read(?SUBSCRIBERS, megaphone_comet_id:canonical(Id)).

-spec subscriptions(Subscriber :: id()) -> [canonical()].
subscriptions(Subscriber) -> megaphone_comet_members:read(?SUBSCRIPTIONS, megaphone_comet_id:canonical(Subscriber)).

%% @doc To all who subscribed to this id and are there.
-spec send(id(), term()) -> ok.
send(Id, Msg) -> megaphone_router:send_all(subscribers(Id), Msg).

-spec send(id(), term(), map()) -> ok.
send(Id, Msg, Meta) -> megaphone_router:send_all(subscribers(Id), Msg, Meta).

%% @doc Lines of SUBSCRIBER and ID with blanks in between; empty ones and those that begin with # are left out. What is there stays.
-spec load(file:name_all()) -> {ok, Edges :: non_neg_integer()} | {error, term()}.
load(File) -> load(File, fun(_, _, _) -> ok end).

-spec load(file:name_all(), megaphone_comet_edges:progress()) -> {ok, Edges :: non_neg_integer()} | {error, term()}.
load(File, Progress) -> megaphone_comet_edges:load(File, fun store/1, Progress).

-spec store([{Subscriber :: canonical(), canonical()}]) -> ok.
store(Edges) ->
    Forth = fun() -> each(?SUBSCRIPTIONS, lists:sort(Edges)) end,
    Back = fun() -> each(?SUBSCRIBERS, lists:sort([{Id, Subscriber} || {Subscriber, Id} <- Edges])) end,
    ok = mnesia:activity(async_dirty, Forth),
    ok = mnesia:activity(async_dirty, Back).

-spec each(atom(), [{canonical(), canonical()}]) -> ok.
each(_, []) -> ok;
each(Table, [{Id, _} | _] = Pairs) ->
    {Members, Rest} = same(Id, Pairs, []),
    ok = megaphone_comet_members:add_many(Table, Id, Members),
    each(Table, Rest).

-spec same(canonical(), [{canonical(), canonical()}], [canonical()]) -> {[canonical()], [{canonical(), canonical()}]}.
same(Id, [{Id, Member} | Pairs], Members) -> same(Id, Pairs, [Member | Members]);
same(_, Pairs, Members) -> {Members, Pairs}.
