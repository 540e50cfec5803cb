%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The latest messages of each id that this node sent. Four tables: one is filled, the three before it stay, the oldest is emptied
%%% in one step when it is its turn. In each a message has the slot of its number, modulo `count': the newer overwrites
%%% the older, and nobody has to look for what is too much. Whoever sends writes by himself.
-module(megaphone_comet_ring).

-export([create/2, keep/4, since/3, reach/0, rotate/0, bytes/0]).
-export_type([message/0]).

-type id() :: megaphone_comet_id:canonical().
-type message() :: {Number :: pos_integer(), Body :: binary(), Meta :: map()}.

-define(TABLES, {megaphone_comet_ring_1, megaphone_comet_ring_2, megaphone_comet_ring_3, megaphone_comet_ring_4}).
%% Longer ones lie beside the table.
-define(INLINE, 64).

-record(ring, {current :: atomics:atomics_ref(), beside :: counters:counters_ref(), count :: non_neg_integer(), longest :: non_neg_integer()}).

%% @doc The tables belong to the calling process. A count of 0 keeps nothing.
-spec create(Count :: non_neg_integer(), Longest :: non_neg_integer()) -> ok.
create(Count, Longest) ->
    Options = [named_table, public, set, {write_concurrency, true}],
    lists:foreach(fun(Table) -> Table = ets:new(Table, Options) end, tuple_to_list(?TABLES)),
    Current = atomics:new(1, []),
    ok = atomics:put(Current, 1, 1),
    Beside = counters:new(tuple_size(?TABLES), []),
    persistent_term:put(?MODULE, #ring{current = Current, beside = Beside, count = Count, longest = Longest}).

-spec keep(id(), Number :: pos_integer(), Body :: binary(), Meta :: map()) -> boolean().
keep(Id, Number, Body, Meta) ->
    #ring{current = Current, beside = Beside, count = Count, longest = Longest} = persistent_term:get(?MODULE),
    Along = case map_size(Meta) of 0 -> 0; _ -> erlang:external_size(Meta) end,
    case byte_size(Body) of
        Size when Count =:= 0; Size + Along > Longest ->
            false;
        Size ->
            Index = atomics:get(Current, 1),
            true = ets:insert(element(Index, ?TABLES), {{Id, Number rem Count}, Number, alone(Body), case Along of 0 -> Meta; _ -> alone(Meta) end}),
            ok = counters:add(Beside, Index, Along + case Size =< ?INLINE of true -> 0; false -> Size end),
            true
    end.

%% A part of something larger would keep all of that.
-spec alone(Term) -> Term when Term :: term().
alone(Binary) when is_binary(Binary) -> megaphone_comet_id:alone(Binary);
alone([First | Rest]) -> [alone(First) | alone(Rest)];
alone(Map) when is_map(Map) -> maps:from_list(alone(maps:to_list(Map)));
alone(Tuple) when is_tuple(Tuple) -> list_to_tuple(alone(tuple_to_list(Tuple)));
alone(Other) -> Other.

%% @doc Those behind one number up to another, in order, and whether that is all of them. A number that nobody was given yet
%% says nothing of what its bearer has.
-spec since(id(), Since :: non_neg_integer(), To :: non_neg_integer()) -> {[message()], Whole :: boolean()}.
since(_, Since, To) when Since > To ->
    {[], false};
since(Id, Since, To) ->
    #ring{current = Current, count = Count} = persistent_term:get(?MODULE),
    Index = atomics:get(Current, 1),
    Tables = [element(I, ?TABLES) || I <- [Index | lists:seq(1, tuple_size(?TABLES)) -- [Index]]],
    First = max(Since + 1, To - reach() + 1),
    Found = [Message || Number <- lists:seq(First, To), Count > 0, Message <- find(Tables, {Id, Number rem Count}, Number)],
    {Found, Since =:= 0 orelse length(Found) =:= To - Since}.

-spec find([atom()], {id(), non_neg_integer()}, pos_integer()) -> [message()].
find([], _, _) ->
    [];
find([Table | Tables], Key, Number) ->
    case ets:lookup(Table, Key) of
        [{_, Number, Body, Meta}] -> [{Number, Body, Meta}];
        _ -> find(Tables, Key, Number)
    end.

%% @doc So many of an id may be there.
-spec reach() -> non_neg_integer().
reach() ->
    #ring{count = Count} = persistent_term:get(?MODULE),
    tuple_size(?TABLES) * Count.

%% @doc The oldest go.
-spec rotate() -> ok.
rotate() ->
    #ring{current = Current, beside = Beside} = persistent_term:get(?MODULE),
    Next = atomics:get(Current, 1) rem tuple_size(?TABLES) + 1,
    true = ets:delete_all_objects(element(Next, ?TABLES)),
    ok = counters:put(Beside, Next, 0),
    atomics:put(Current, 1, Next).

%% @doc What all of it takes.
-spec bytes() -> non_neg_integer().
bytes() ->
    #ring{beside = Beside} = persistent_term:get(?MODULE),
    Words = lists:sum([ets:info(Table, memory) || Table <- tuple_to_list(?TABLES)]),
    Words * erlang:system_info(wordsize) + lists:sum([counters:get(Beside, I) || I <- lists:seq(1, tuple_size(?TABLES))]).
