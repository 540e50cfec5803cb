%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits to go to the client of one session, and when it is to leave: presence may wait a moment
%%% for more of its kind, everything else takes what is before it along, so nothing overtakes. It leaves
%%% in answers of limited size, each of whole stanzas.
-module(megaphone_queue).

-export([new/0, add/5, size/1, since/1, due/1, take/3, all/1]).

-export_type([queue/0, kind/0]).

-type ms() :: integer().
%% `stream': a stanza that uses the `stream' prefix, which the answer then declares.
-type kind() :: stream | stanza | presence.

-record(queue, {
    %% Oldest first, and those behind them, newest first.
    front :: [iodata(), ...],
    back = [] :: [iodata()],
    size :: non_neg_integer(),
    due :: ms(),
    %% When something was last taken, or the first came.
    since :: ms(),
    stream :: boolean()
}).

-opaque queue() :: empty | #queue{}.

-spec new() -> queue().
new() -> empty.

%% @doc `Group' is how long presence may wait.
-spec add(iodata(), kind(), ms(), Group :: ms(), queue()) -> queue().
add(Payload, Kind, Now, Group, empty) ->
    Due = case Kind of presence -> Now + Group; _ -> Now end,
    #queue{front = [Payload], size = iolist_size(Payload), due = Due, since = Now, stream = Kind =:= stream};
add(Payload, Kind, Now, _, #queue{back = Back, size = Size, due = Due, stream = Stream} = Queue) ->
    Queue#queue{
        back = [Payload | Back],
        size = Size + iolist_size(Payload),
        due = case Kind of presence -> Due; _ -> Now end,
        stream = Stream orelse Kind =:= stream
    }.

%% @doc Bytes.
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

%% @doc As much as fits into so many bytes, but always one, and whether it uses the `stream' prefix. The
%% rest is to leave at once.
-spec take(Limit :: pos_integer(), ms(), queue()) -> {iodata(), UsesStream :: boolean(), queue()}.
take(Limit, _, Queue) when Queue =:= empty; Queue#queue.size =< Limit ->
    {Payloads, Stream} = all(Queue),
    {Payloads, Stream, empty};
take(Limit, Now, #queue{front = [First | Front], back = Back, size = Size, stream = Stream} = Queue) ->
    Bytes = iolist_size(First),
    case fitting(Front, Back, Limit - Bytes, [First]) of
        {Taken, _, [], []} ->
            {lists:reverse(Taken), Stream, empty};
        {Taken, Room, Rest, RestBack} ->
            Left = Size - (Limit - Room),
            {lists:reverse(Taken), Stream, Queue#queue{front = Rest, back = RestBack, size = Left, due = Now, since = Now}}
    end.

-spec fitting([iodata()], [iodata()], Room :: integer(), Taken) -> {Taken, integer(), [iodata()], [iodata()]} when
    Taken :: [iodata()].
fitting([], [_ | _] = Back, Room, Taken) ->
    fitting(lists:reverse(Back), [], Room, Taken);
fitting([Payload | Rest] = Front, Back, Room, Taken) ->
    case Room - iolist_size(Payload) of
        Left when Left >= 0 -> fitting(Rest, Back, Left, [Payload | Taken]);
        _ -> {Taken, Room, Front, Back}
    end;
fitting([], [], Room, Taken) ->
    {Taken, Room, [], []}.

%% @doc All of it.
-spec all(queue()) -> {iodata(), UsesStream :: boolean()}.
all(empty) -> {[], false};
all(#queue{front = Front, back = [], stream = Stream}) -> {Front, Stream};
all(#queue{front = Front, back = Back, stream = Stream}) -> {Front ++ lists:reverse(Back), Stream}.
