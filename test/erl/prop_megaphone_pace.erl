%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A client that fetches at any speed what it asks for and what others send it: nothing is lost or out of
%%% order, what it causes itself is bounded, and only who fetches nothing for a time is ended.
-module(prop_megaphone_pace).

-include_lib("proper/include/proper.hrl").

-export([prop_whoever_fetches_gets_all/0, prop_the_largest_requests_are_no_flood/0]).

-define(LIMIT, 1000).
-define(INACTIVITY, 30).
%% Each request asks for a few stanzas of up to so many bytes.
-define(GETS, 8).
-define(LARGEST, 600).
%% What a stanza takes beside that; messages of its own asking that may be in the mailbox when more is asked for.
-define(OVERHEAD, 50).
-define(MOST_ASKED_FOR, 5).
-define(MAX_BODY, 262144).

-record(world, {
    bosh,
    pending = megaphone_pending:new(),
    %% Sizes of stanzas on their way to the client through the session's mailbox.
    mailbox = [],
    now = 0,
    requests,
    next_rid = 101,
    %% Open requests, and answers on their way to the client, oldest first.
    open = 0,
    answers = [],
    seen = [],
    made = 0,
    %% The number and size of each stanza, newest first, and the newest that was in an answer.
    sizes = [],
    given = 0,
    %% What was asked for, as it was sent and as it was processed; newest first.
    asked = [],
    processed = [],
    %% Bytes that others sent since the queue was last empty.
    others = 0,
    fetched = 0,
    ended = false
}).

prop_whoever_fetches_gets_all() ->
    ?FORALL(
        {Hold, Steps},
        {range(0, 2), resize(200, list(step()))},
        megaphone_property:holds(fun() -> run(Hold, Steps, 100) end)
    ).

%% It asks for no more than an answer takes with each of its requests, which are as large as they may be.
prop_the_largest_requests_are_no_flood() ->
    Ask = {ask, resize(20, list(resize(2, list(1))))},
    ?FORALL(
        {Hold, Steps},
        {range(0, 2), resize(200, list(frequency([{6, Ask}, {5, read}, {2, {pass, range(1, 20000)}}])))},
        megaphone_property:holds(fun() -> run(Hold, Steps, ?MAX_BODY) end)
    ).

step() ->
    frequency([
        %% Each asks for some stanzas of some size.
        {6, {ask, resize(?GETS, list(resize(?GETS, list(range(1, ?LARGEST)))))}},
        {3, {others, range(1, 3 * ?LIMIT)}},
        {5, read},
        {2, {pass, range(1, 20000)}}
    ]).

run(Hold, Steps, Bytes) ->
    Limits = #{
        wait => 60, hold => 2, inactivity => ?INACTIVITY, maxpause => 120, polling => 0, queue => ?LIMIT, group => 0,
        strict => false
    },
    Request = #{rid => 100, els => [], bytes => 100, to => <<"h">>, hold => Hold, wait => 60, ver => {1, 11}},
    Bosh = megaphone_bosh:new(Request, make_ref(), 0, {<<"sid">>, Limits}),
    W0 = serve(#world{bosh = Bosh, requests = Hold + 1, open = 1}),
    W = drain(lists:foldl(fun(Step, Acc) -> step(Step, Bytes, Acc) end, W0, Steps)),
    W#world.ended orelse
        {lists:reverse(W#world.seen), W#world.processed, waiting(W)} =:=
            {lists:seq(1, W#world.made), W#world.asked, 0} orelse {failed, W}.

step(_, _, #world{ended = true} = W) -> W;
step({ask, Gets}, Bytes, W) -> ask(Gets, Bytes, W);
step({others, Bytes}, _, #world{others = Others} = W) -> serve(stanza(Bytes, W#world{others = Others + Bytes}));
step(read, _, W) -> read(W);
step({pass, Ms}, _, #world{now = Now} = W) -> serve(W#world{now = Now + Ms}).

read(#world{answers = [Body | Answers], open = Open, seen = Seen} = W) ->
    W#world{answers = Answers, open = Open - 1, seen = lists:reverse(numbers(Body)) ++ Seen};
read(W) -> W.

ask(_, _, #world{open = Open, requests = Requests} = W) when Open >= Requests -> W;
ask(_, _, #world{open = 1, next_rid = 101} = W) -> W;
ask(Gets, Bytes, #world{bosh = Bosh, now = Now, next_rid = Rid, open = Open, asked = Before} = W) ->
    Els = [{xmlel, <<"iq">>, [{Rid, I}], Get} || {I, Get} <- lists:zip(lists:seq(1, length(Gets)), Gets)],
    Request = #{rid => Rid, sid => <<"sid">>, els => Els, bytes => Bytes},
    {[], Bosh1} = megaphone_bosh:arrive(Request, make_ref(), Now, Bosh),
    Asked = lists:reverse([Id || {xmlel, _, [Id], _} <- Els]) ++ Before,
    serve(W#world{bosh = Bosh1, next_rid = Rid + 1, open = Open + 1, asked = Asked}).

%% What the session's process does with one message, and with those that come of it.
serve(W) ->
    case process(W) of
        #world{ended = false, mailbox = [Bytes | Mailbox]} = W1 -> serve(stanza(Bytes, W1#world{mailbox = Mailbox}));
        #world{ended = false, bosh = Bosh, now = Now} = W1 ->
            %% It waits for the client, or for nothing.
            true = megaphone_pending:is_empty(W1#world.pending) orelse megaphone_bosh:flow(Bosh) =:= full,
            true = megaphone_bosh:deadline(Bosh) > Now orelse megaphone_bosh:is_expired(Now, Bosh),
            W1;
        W1 -> W1
    end.

process(#world{ended = true} = W) ->
    W;
process(#world{bosh = Bosh, now = Now, pending = Pending} = W) ->
    case deliver(W) of
        none ->
            case megaphone_bosh:next(Now, Bosh) of
                {[{deliver, #{bytes := Bytes} = Request}], Bosh1} ->
                    case is_map_key(sid, Request) of
                        true ->
                            {ok, Pending1} = megaphone_pending:leave(Bytes, megaphone_stream:events(Request, <<"h">>), Pending),
                            process(W#world{bosh = Bosh1, pending = Pending1});
                        false ->
                            process(W#world{bosh = Bosh1})
                    end;
                {[], Bosh} ->
                    W1 = flush(not megaphone_pending:is_empty(Pending) andalso megaphone_bosh:flow(Bosh) =:= open, W),
                    case deliver(W1) of none -> W1; W2 -> process(W2) end
            end;
        W1 ->
            process(W1)
    end.

deliver(#world{mailbox = Mailbox}) when length(Mailbox) > ?MOST_ASKED_FOR ->
    none;
deliver(#world{bosh = Bosh, pending = Pending, mailbox = Mailbox, processed = Processed} = W) ->
    case megaphone_pending:take(megaphone_bosh:flow(Bosh), Pending) of
        none ->
            none;
        {{xmlstreamelement, {xmlel, _, [Id], Get}}, Pending1} ->
            %% Beside what others sent there is at most the limit, and what was asked for at once on top.
            Most = (?MOST_ASKED_FOR + 2 * ?GETS) * (?LARGEST + ?OVERHEAD),
            true = waiting(W) + lists:sum(Mailbox) =< W#world.others + ?LIMIT + Most,
            W#world{pending = Pending1, mailbox = Mailbox ++ Get, processed = [Id | Processed]}
    end.

flush(Busy, #world{bosh = Bosh, now = Now, answers = Before} = W) ->
    {Effects, Bosh1} = megaphone_bosh:flush(Busy, Now, Bosh),
    Bodies = [Body || {answer, {_, _, 200, Body}} <- Effects],
    [true = length(numbers(Body)) =:= 1 orelse byte_size(Body) < ?LIMIT + 500 || Body <- Bodies],
    Fetched = case lists:any(fun(Body) -> numbers(Body) =/= [] end, Bodies) of true -> Now; false -> W#world.fetched end,
    Given = lists:max([W#world.given | lists:append([numbers(Body) || Body <- Bodies])]),
    with_others(W#world{bosh = Bosh1, answers = Before ++ Bodies, fetched = Fetched, given = Given}).

with_others(W) -> case waiting(W) of 0 -> W#world{others = 0}; _ -> W end.

stanza(_, #world{ended = true} = W) ->
    W;
stanza(Bytes, #world{bosh = Bosh, now = Now, made = Made, fetched = Fetched} = W0) ->
    %% One that had nothing to fetch was not slow.
    W = case waiting(W0) of 0 -> W0#world{fetched = Now}; _ -> W0 end,
    Stanza = [<<"<n p='">>, binary:copy(<<"x">>, Bytes), <<"'>">>, integer_to_binary(Made + 1), <<"</n>">>],
    W1 = W#world{sizes = [{Made + 1, iolist_size(Stanza)} | W#world.sizes]},
    case megaphone_bosh:enqueue({Stanza, {Now, {iolist_to_binary(Stanza)}}}, stanza, Now, Bosh) of
        {[{count, stanzas_out}], Bosh1} ->
            W1#world{bosh = Bosh1, made = Made + 1};
        {[{count, stanzas_out}, {stop, too_much_queued}], _} ->
            true = Now - Fetched >= ?INACTIVITY * 1000 orelse memory(W1) > 1048576,
            W1#world{ended = true}
    end.

waiting(W) -> lists:sum(queued(W)).

%% Sizes of what was in no answer.
queued(#world{sizes = Sizes, given = Given}) -> [Bytes || {_, Bytes} <- lists:takewhile(fun({N, _}) -> N > Given end, Sizes)].

%% At most: twice its text, and what it takes beside it.
memory(W) -> lists:sum([2 * Bytes + 240 || Bytes <- queued(W)]).

%% The client reads all there is, and asks on.
drain(#world{ended = true} = W) ->
    W;
drain(#world{answers = [_ | _]} = W) ->
    drain(read(W));
drain(W) ->
    case {waiting(W), megaphone_pending:is_empty(W#world.pending)} of
        {0, true} -> W;
        _ -> drain(ask([], 100, W))
    end.

numbers(Body) ->
    {xmlel, _, _, Els} = fxml_stream:parse_element(Body),
    [binary_to_integer(N) || {xmlel, <<"n">>, _, [{xmlcdata, N}]} <- Els].
