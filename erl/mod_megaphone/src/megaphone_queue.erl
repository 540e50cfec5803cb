%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits to go to the client of one session, and when it is to leave: presence may wait a moment
%%% for more of its kind, everything else takes what is before it along, so nothing overtakes. It leaves
%%% in answers of limited size, each of whole stanzas.
-module(megaphone_queue).

-export([new/0, add/5, size/1, memory/1, since/1, due/1, is_full/2, is_too_slow/4, is_grouping/2, take/3, payloads/1, owed/1, all_owed/1, shift/2, shift_owed/2]).

-export_type([queue/0, kind/0, item/0, owed/0]).

-type ms() :: integer().
%% A stanza that is to reach the user even if this session does not bring it, and when it came here.
-type owed() :: {ms(), Stanza :: tuple()}.
%% What the client gets, and what is handed back where it does not.
-type item() :: {iodata(), owed() | none}.
%% `stream': a stanza that uses the `stream' prefix, which the answer then declares.
-type kind() :: stream | stanza | presence.

-record(queue, {
    %% Oldest first, and those behind them, newest first.
    front :: [item(), ...],
    back = [] :: [item()],
    size :: non_neg_integer(),
    memory :: non_neg_integer(),
    due :: ms(),
    %% When something was last taken, or the first came.
    since :: ms(),
    stream :: boolean()
}).

-opaque queue() :: empty | #queue{}.

%% Bytes of stanzas in one answer; a larger stanza goes alone.
-define(ANSWER_BYTES, 131072).
%% So many times the limit is what all that waits for a client may take, even for one that fetches.
-define(MOST, 64).
-define(LEAST, 1048576).
%% What an item takes in the queue and as a binary, beside its text.
-define(ITEM_BYTES, 120).
-define(WORD_BYTES, 8).

-spec new() -> queue().
new() -> empty.

%% @doc `Group' is how long presence may wait.
-spec add(item(), kind(), ms(), Group :: ms(), queue()) -> queue().
add({Payload, _} = Item, Kind, Now, Group, empty) ->
    Due = case Kind of presence -> Now + Group; _ -> Now end,
    #queue{
        front = [Item],
        size = iolist_size(Payload),
        memory = item_memory(Item),
        due = Due,
        since = Now,
        stream = Kind =:= stream
    };
add({Payload, _} = Item, Kind, Now, _, #queue{back = Back, size = Size, memory = Memory, due = Due, stream = Stream} = Queue) ->
    Queue#queue{
        back = [Item | Back],
        size = Size + iolist_size(Payload),
        memory = Memory + item_memory(Item),
        due = case Kind of presence -> Due; _ -> Now end,
        stream = Stream orelse Kind =:= stream
    }.

%% A stanza may take many times its text, for each small element of it is several words; and it holds long texts once more.
-spec item_memory(item()) -> non_neg_integer().
item_memory({Payload, none}) ->
    ?ITEM_BYTES + iolist_size(Payload);
item_memory({Payload, Owed}) ->
    ?ITEM_BYTES + 2 * iolist_size(Payload) + erts_debug:flat_size(Owed) * ?WORD_BYTES.

%% @doc Bytes that it takes at most.
-spec memory(queue()) -> non_neg_integer().
memory(empty) -> 0;
memory(#queue{memory = Memory}) -> Memory.

%% @doc Bytes of payload.
-spec size(queue()) -> non_neg_integer().
size(empty) -> 0;
size(#queue{size = Size}) -> Size.

%% @doc Since when nothing was taken of what waits.
-spec since(queue()) -> ms() | infinity.
since(empty) -> infinity;
since(#queue{since = Since}) -> Since.

%% @doc When it is to leave.
-spec due(queue()) -> ms() | infinity.
due(empty) -> infinity;
due(#queue{due = Due}) -> Due.

%% @doc Does more wait than what the client sends may add to?
-spec is_full(Limit :: pos_integer(), queue()) -> boolean().
is_full(_, empty) -> false;
is_full(Limit, #queue{size = Size}) -> Size > Limit.

%% @doc Has the client fetched nothing for too long, where more than the limit waits; or does more wait than any client
%% may leave?
-spec is_too_slow(ms(), Limit :: pos_integer(), Patience :: ms(), queue()) -> boolean().
is_too_slow(Now, Limit, Patience, Queue) ->
    is_full(Limit, Queue) andalso (memory(Queue) > max(?LEAST, ?MOST * Limit) orelse Now - since(Queue) >= Patience).

%% @doc Does presence wait already, so that more of it joins it?
-spec is_grouping(ms(), queue()) -> boolean().
is_grouping(_, empty) -> false;
is_grouping(Now, #queue{due = Due}) -> Due > Now.

%% @doc As much as fits into an answer and into so many bytes, but always one, and whether it uses the `stream' prefix. The
%% rest is to leave at once.
-spec take(Limit :: pos_integer(), ms(), queue()) -> {[item()], UsesStream :: boolean(), queue()}.
take(Limit, Now, Queue) when Limit > ?ANSWER_BYTES ->
    take(?ANSWER_BYTES, Now, Queue);
take(Limit, _, Queue) when Queue =:= empty; Queue#queue.size =< Limit ->
    {Items, Stream} = all(Queue),
    {Items, Stream, empty};
take(Limit, Now, #queue{front = [{Payload, _} = First | Front], back = Back, size = Size, memory = Memory, stream = Stream} = Queue) ->
    case fitting(Front, Back, Limit - iolist_size(Payload), [First]) of
        {Taken, _, [], []} ->
            {lists:reverse(Taken), Stream, empty};
        {Taken, Room, Rest, RestBack} ->
            Left = Size - (Limit - Room),
            MemoryLeft = lists:foldl(fun(Item, Sum) -> Sum - item_memory(Item) end, Memory, Taken),
            {lists:reverse(Taken), Stream, Queue#queue{
                front = Rest, back = RestBack, size = Left, memory = MemoryLeft, due = Now, since = Now
            }}
    end.

-spec fitting([item()], [item()], Room :: integer(), Taken) -> {Taken, integer(), [item()], [item()]} when
    Taken :: [item()].
fitting([], [_ | _] = Back, Room, Taken) ->
    fitting(lists:reverse(Back), [], Room, Taken);
fitting([{Payload, _} = Item | Rest] = Front, Back, Room, Taken) ->
    case Room - iolist_size(Payload) of
        Left when Left >= 0 -> fitting(Rest, Back, Left, [Item | Taken]);
        _ -> {Taken, Room, Front, Back}
    end;
fitting([], [], Room, Taken) ->
    {Taken, Room, [], []}.

-spec all(queue()) -> {[item()], UsesStream :: boolean()}.
all(empty) -> {[], false};
all(#queue{front = Front, back = [], stream = Stream}) -> {Front, Stream};
all(#queue{front = Front, back = Back, stream = Stream}) -> {Front ++ lists:reverse(Back), Stream}.

%% @doc What the client gets of these.
-spec payloads([item()]) -> [iodata()].
payloads(Items) -> [Payload || {Payload, _} <- Items].

%% @doc What is handed back of these.
-spec owed([item()]) -> [owed()].
owed(Items) -> [Owed || {_, Owed} <- Items, Owed =/= none].

%% @doc What is owed of all that waits.
-spec all_owed(queue()) -> [owed()].
all_owed(Queue) -> owed(element(1, all(Queue))).

%% @doc The same on a clock that is so much ahead.
-spec shift(ms(), queue()) -> queue().
shift(_, empty) ->
    empty;
shift(By, #queue{front = Front, back = Back, due = Due, since = Since} = Queue) ->
    Shift = fun({_, none} = Item) -> Item; ({Payload, {At, Stanza}}) -> {Payload, {At + By, Stanza}} end,
    Queue#queue{front = lists:map(Shift, Front), back = lists:map(Shift, Back), due = Due + By, since = Since + By}.

-spec shift_owed(ms(), [owed()]) -> [owed()].
shift_owed(By, Owed) -> [{At + By, Stanza} || {At, Stanza} <- Owed].
