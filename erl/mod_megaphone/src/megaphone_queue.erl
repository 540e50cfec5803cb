%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What waits to go to the client of one session, and when it is to leave: presence may wait a moment
%%% for more of its kind, everything else takes what is before it along, so nothing overtakes.
-module(megaphone_queue).

-export([new/0, add/5, size/1, due/1, take/1]).

-export_type([queue/0, kind/0]).

-type ms() :: integer().
%% `stream': a stanza that uses the `stream' prefix, which the answer then declares.
-type kind() :: stream | stanza | presence.

-record(queue, {
    %% Newest first.
    payloads :: [iodata(), ...],
    size :: non_neg_integer(),
    due :: ms(),
    stream :: boolean()
}).

-opaque queue() :: empty | #queue{}.

-spec new() -> queue().
new() -> empty.

%% @doc `Group' is how long presence may wait.
-spec add(iodata(), kind(), ms(), Group :: ms(), queue()) -> queue().
add(Payload, Kind, Now, Group, empty) ->
    Due = case Kind of presence -> Now + Group; _ -> Now end,
    #queue{payloads = [Payload], size = iolist_size(Payload), due = Due, stream = Kind =:= stream};
add(Payload, Kind, Now, _, #queue{payloads = Payloads, size = Size, due = Due, stream = Stream}) ->
    #queue{
        payloads = [Payload | Payloads],
        size = Size + iolist_size(Payload),
        due = case Kind of presence -> Due; _ -> Now end,
        stream = Stream orelse Kind =:= stream
    }.

%% @doc Bytes.
-spec size(queue()) -> non_neg_integer().
size(empty) -> 0;
size(#queue{size = Size}) -> Size.

%% @doc When it is to leave.
-spec due(queue()) -> ms() | infinity.
due(empty) -> infinity;
due(#queue{due = Due}) -> Due.

%% @doc All of it, and whether it uses the `stream' prefix.
-spec take(queue()) -> {iodata(), UsesStream :: boolean()}.
take(empty) -> {[], false};
take(#queue{payloads = Payloads, stream = Stream}) -> {lists:reverse(Payloads), Stream}.
