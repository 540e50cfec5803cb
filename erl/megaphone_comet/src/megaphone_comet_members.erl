%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% A set of ids for each id, in a table of Mnesia's. A small set is one row, {Table, Id, {Buckets, Size}, Members}; a larger one grows
%%% by buckets, one at a time (linear hashing), in rows {Table, {Id, Bucket}, none, Members}. So one more costs the same with ten members
%%% and with a million. To be called inside a `mnesia:activity/2', but for `read/2'.
-module(megaphone_comet_members).

-export([create_table/2, read/2, add/3, add_many/3, remove/3]).

-type id() :: megaphone_comet_id:canonical().
-type table() :: atom().

%% A bucket has so many members, more or less.
-define(FULL, 64).
%% How often the rows of an id that changes are read before they are locked.
-define(TRIES, 5).
%% What is hashed to.
-define(RANGE, 1 bsl 27).

-spec create_table(table(), ram_copies | disc_copies) -> ok | {error, term()}.
create_table(Table, Copies) ->
    case mnesia:create_table(Table, [{Copies, [node()]}, {attributes, [id, size, members]}]) of
        {atomic, ok} -> ok;
        {aborted, {already_exists, Table}} -> copy(Table, Copies, mnesia:add_table_copy(Table, node(), Copies));
        {aborted, Reason} -> {error, Reason}
    end.

-spec copy(table(), ram_copies | disc_copies, {atomic, ok} | {aborted, term()}) -> ok | {error, term()}.
copy(_, _, {atomic, ok}) -> ok;
copy(Table, _, {aborted, {already_exists, Table, _}}) -> ok;
copy(_, _, {aborted, Reason}) -> {error, Reason}.

%% @doc All members, from this node's copy, as of now.
-spec read(table(), id()) -> [id()].
read(Table, Id) -> read(Table, Id, ?TRIES).

%% A change of several rows is seen in parts: members that go to a new bucket are found twice, or in neither. Then the rows are read again.
-spec read(table(), id(), Tries :: non_neg_integer()) -> [id()].
read(Table, Id, 0) ->
    %% Who loads a file takes no locks, so there may still be some twice.
    {atomic, Members} = mnesia:transaction(fun() -> lists:append(rows(fun mnesia:read/2, Table, Id, mnesia:read(Table, Id))) end),
    lists:usort(Members);
read(Table, Id, Tries) ->
    case mnesia:dirty_read(Table, Id) of
        [] ->
            [];
        [{_, _, {1, _}, Members}] ->
            Members;
        [{_, _, {_, Size} = Sizes, _}] = Head ->
            Members = lists:append(rows(fun mnesia:dirty_read/2, Table, Id, Head)),
            case {length(Members), mnesia:dirty_read(Table, Id)} of
                {Size, [{_, _, Sizes, _}]} -> Members;
                _ -> read(Table, Id, Tries - 1)
            end
    end.

-spec rows(fun((table(), term()) -> [tuple()]), table(), id(), Head :: [tuple()]) -> [[id()]].
rows(_, _, _, []) -> [];
rows(Read, Table, Id, [{_, _, {Buckets, _}, Members}]) ->
    [Members | [Some || Bucket <- lists:seq(1, Buckets - 1), {_, _, _, Some} <- Read(Table, {Id, Bucket})]].

-spec add(table(), id(), Member :: id()) -> added | there.
add(Table, Id, Member) ->
    case mnesia:read(Table, Id, write) of
        [] ->
            ok = write(Table, Id, {1, 1}, [Member]),
            added;
        [{_, _, {Buckets, Size}, First}] ->
            Bucket = bucket(Member, Buckets),
            Members = members(Table, Id, Bucket, First),
            case lists:member(Member, Members) of
                true ->
                    there;
                false ->
                    More = [Member | Members],
                    Head = case Bucket of 0 -> More; _ -> ok = write(Table, {Id, Bucket}, none, More), First end,
                    ok = write(Table, Id, {Buckets, Size + 1}, Head),
                    _ = Size + 1 > ?FULL * Buckets andalso split(Table, Id, Buckets, Size + 1, Head),
                    added
            end
    end.

%% One of the buckets gives what hashes to the new one.
-spec split(table(), id(), pos_integer(), pos_integer(), Head :: [id()]) -> ok.
split(Table, Id, Buckets, Size, Head) ->
    Old = Buckets - power(Buckets),
    {Stay, Go} = lists:partition(fun(Member) -> bucket(Member, Buckets + 1) =:= Old end, members(Table, Id, Old, Head)),
    ok = write(Table, {Id, Buckets}, none, Go),
    case Old of
        0 -> write(Table, Id, {Buckets + 1, Size}, Stay);
        _ ->
            ok = write(Table, {Id, Old}, none, Stay),
            write(Table, Id, {Buckets + 1, Size}, Head)
    end.

%% @doc Many at once: all of its rows are written anew.
-spec add_many(table(), id(), [id()]) -> ok.
add_many(Table, Id, New) ->
    {Known, Old} = case mnesia:read(Table, Id, write) of
        [] -> {1, []};
        [{_, _, {Count, _}, First}] -> {Count, lists:append([members(Table, Id, Bucket, First) || Bucket <- lists:seq(0, Count - 1)])}
    end,
    All = lists:usort(Old ++ New),
    Size = length(All),
    case max(Known, (Size + ?FULL - 1) div ?FULL) of
        1 ->
            write(Table, Id, {1, Size}, All);
        Buckets ->
            Filled = maps:groups_from_list(fun(Member) -> bucket(Member, Buckets) end, All),
            lists:foreach(fun(Bucket) -> ok = write(Table, {Id, Bucket}, none, maps:get(Bucket, Filled, [])) end, lists:seq(1, Buckets - 1)),
            write(Table, Id, {Buckets, Size}, maps:get(0, Filled, []))
    end.

-spec remove(table(), id(), Member :: id()) -> removed | none.
remove(Table, Id, Member) ->
    case mnesia:read(Table, Id, write) of
        [] ->
            none;
        [{_, _, {Buckets, Size}, First}] ->
            Bucket = bucket(Member, Buckets),
            Members = members(Table, Id, Bucket, First),
            case lists:member(Member, Members) of
                false ->
                    none;
                true when Size =:= 1 ->
                    lists:foreach(fun(B) -> ok = mnesia:delete(Table, {Id, B}, write) end, lists:seq(1, Buckets - 1)),
                    ok = mnesia:delete(Table, Id, write),
                    removed;
                true ->
                    Fewer = lists:delete(Member, Members),
                    Head = case Bucket of 0 -> Fewer; _ -> ok = write(Table, {Id, Bucket}, none, Fewer), First end,
                    ok = write(Table, Id, {Buckets, Size - 1}, Head),
                    removed
            end
    end.

-spec members(table(), id(), Bucket :: non_neg_integer(), Head :: [id()]) -> [id()].
members(_, _, 0, Head) -> Head;
members(Table, Id, Bucket, _) ->
    case mnesia:read(Table, {Id, Bucket}, write) of
        [{_, _, _, Members}] -> Members;
        [] -> []
    end.

-spec write(table(), id() | {id(), pos_integer()}, {pos_integer(), pos_integer()} | none, [id()]) -> ok.
write(Table, Key, Size, Members) -> mnesia:write(Table, {Table, Key, Size, Members}, write).

%% Of so many: by the next power of two, and where there is no such bucket yet, by the one before it.
-spec bucket(id(), Buckets :: pos_integer()) -> non_neg_integer().
bucket(_, 1) -> 0;
bucket(Member, Buckets) ->
    Power = power(Buckets),
    Hash = erlang:phash2(Member, ?RANGE),
    case Hash band (2 * Power - 1) of
        Bucket when Bucket < Buckets -> Bucket;
        _ -> Hash band (Power - 1)
    end.

%% The largest that is not larger.
-spec power(pos_integer()) -> pos_integer().
power(N) -> power(N, 1).

-spec power(pos_integer(), pos_integer()) -> pos_integer().
power(N, Power) when 2 * Power > N -> Power;
power(N, Power) -> power(N, 2 * Power).
