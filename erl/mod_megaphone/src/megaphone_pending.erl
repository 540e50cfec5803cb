%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a client's requests brought and its stream has not got yet, as stream events. They go to the stream
%%% one by one, for each may bring far more back than it took. Until then the client was told that we have them.
-module(megaphone_pending).

-export([new/0, is_empty/1, size/1, leave/3, take/2, last_words/1, is_stateless/1]).

-export_type([pending/0, flow/0]).

-type event() :: megaphone_stream:event().
%% `full': more waits for the client than the limit. `leaving': the same, but it has asked for the end.
-type flow() :: open | full | leaving.

-record(pending, {
    %% Of all requests, and how many they are.
    bytes :: non_neg_integer(),
    count = 1 :: pos_integer(),
    %% Of the oldest, and what is left of it.
    size :: non_neg_integer(),
    events :: [event(), ...],
    rest = queue:new() :: queue:queue({non_neg_integer(), [event(), ...]})
}).

-opaque pending() :: empty | #pending{}.

%% Beyond so much, in so many requests, it is a flood. A client that keeps to the standard has no more than three open,
%% and is not answered while what they brought can go on by itself.
-define(MOST_BYTES, 524288).
-define(MOST_REQUESTS, 4).
%% With more than this, what brings nothing back waits for nothing.
-define(MANY_BYTES, 262144).

-spec new() -> pending().
new() -> empty.

-spec is_empty(pending()) -> boolean().
is_empty(Pending) -> Pending =:= empty.

%% @doc How many requests or frames it is of, and their bytes.
-spec size(pending()) -> {non_neg_integer(), Bytes :: non_neg_integer()}.
size(empty) -> {0, 0};
size(#pending{count = Count, bytes = Bytes}) -> {Count, Bytes}.

%% @doc Adds what a request of so many bytes brought.
-spec leave(Bytes :: non_neg_integer(), [event()], pending()) -> {ok, pending()} | flood.
leave(_, [], Pending) ->
    {ok, Pending};
leave(Bytes, Events, empty) ->
    {ok, #pending{bytes = Bytes, size = Bytes, events = Events}};
leave(_, _, #pending{bytes = Before, count = Count}) when Before > ?MOST_BYTES, Count >= ?MOST_REQUESTS ->
    flood;
leave(Bytes, Events, #pending{bytes = Before, count = Count, rest = Rest} = Pending) ->
    {ok, Pending#pending{bytes = Before + Bytes, count = Count + 1, rest = queue:in({Bytes, Events}, Rest)}}.

%% @doc The event whose turn it is, if it may go to the stream. Of one that leaves, requests to the server are left
%% out where there is no room for what they bring: nobody would get it.
-spec take(flow(), pending()) -> {event(), pending()} | none.
take(_, empty) ->
    none;
take(open, Pending) ->
    first(Pending);
take(leaving, #pending{events = [Event | _]} = Pending) ->
    case brings_back(Event) of
        true -> take(leaving, element(2, first(Pending)));
        false -> first(Pending)
    end;
take(full, #pending{bytes = Bytes, events = [Event | _]} = Pending) ->
    case Bytes > ?MANY_BYTES andalso not brings_back(Event) of
        true -> first(Pending);
        false -> none
    end.

-spec first(#pending{}) -> {event(), pending()}.
first(#pending{events = [Event, Next | Events]} = Pending) ->
    {Event, Pending#pending{events = [Next | Events]}};
first(#pending{bytes = Bytes, count = Count, size = Size, events = [Event], rest = Rest} = Pending) ->
    case queue:out(Rest) of
        {empty, _} ->
            {Event, empty};
        {{value, {NextSize, Events}}, Rest1} ->
            {Event, Pending#pending{bytes = Bytes - Size, count = Count - 1, size = NextSize, events = Events, rest = Rest1}}
    end.

%% @doc What the stream is to get still at the session's end, oldest first: messages and presence. To requests nobody
%% would get the answer.
-spec last_words(pending()) -> [event()].
last_words(empty) ->
    [];
last_words(#pending{events = Events, rest = Rest}) ->
    All = Events ++ lists:append([Later || {_, Later} <- queue:to_list(Rest)]),
    [Event || {xmlstreamelement, {xmlel, Name, _, _}} = Event <- All, Name =:= <<"message">> orelse Name =:= <<"presence">>].

%% @doc Does it go to others without a change of the stream's own state?
-spec is_stateless(event()) -> boolean().
is_stateless({xmlstreamelement, {xmlel, <<"message">>, _, _}}) ->
    true;
is_stateless({xmlstreamelement, {xmlel, <<"presence">>, Attrs, _}}) ->
    case lists:keyfind(<<"type">>, 1, Attrs) of
        {_, Type} -> lists:member(Type, [<<"subscribe">>, <<"subscribed">>, <<"unsubscribe">>, <<"unsubscribed">>]);
        false -> false
    end;
is_stateless(_) ->
    false.

-spec brings_back(event()) -> boolean().
brings_back({xmlstreamelement, {xmlel, <<"iq">>, _, _}}) -> true;
brings_back(_) -> false.
