%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A client that fetches at any speed what it asks for and what others send it: nothing is lost or out of
%%% order, what it causes itself is bounded, and only who fetches nothing for a time is ended.
-module(prop_megaphone_pace).

-include_lib("proper/include/proper.hrl").

-export([prop_whoever_fetches_gets_all/0]).

-define(LIMIT, 1000).
-define(INACTIVITY, 30).
%% Each request asks for a few stanzas of up to so many bytes.
-define(GETS, 8).
-define(LARGEST, 600).

-record(world, {
    bosh,
    now = 0,
    requests,
    next_rid = 101,
    %% Open requests, and answers on their way to the client, oldest first.
    open = 0,
    answers = [],
    seen = [],
    made = 0,
    %% Requests for something, as they were sent and as they were processed; newest first.
    asked = [],
    processed = [],
    %% Bytes that others sent since the queue was last empty.
    others = 0,
    fetched = 0,
    ended = false
}).

prop_whoever_fetches_gets_all() ->
    ?FORALL({Hold, Steps}, {range(0, 2), resize(200, list(step()))}, holds(fun() -> run(Hold, Steps) end)).

holds(Test) ->
    try Test() of
        true -> true;
        Failed -> io:format("~p~n", [Failed]), false
    catch
        Class:Reason:Stack -> io:format("~p ~p~n~p~n", [Class, Reason, Stack]), false
    end.

step() ->
    frequency([
        {6, {ask, resize(?GETS, list(range(1, ?LARGEST)))}},
        {3, {others, range(1, 3 * ?LIMIT)}},
        {5, read},
        {2, {pass, range(1, 20000)}}
    ]).

run(Hold, Steps) ->
    Limits = #{
        wait => 60, hold => 2, inactivity => ?INACTIVITY, maxpause => 120, polling => 0, queue => ?LIMIT, group => 0,
        strict => false
    },
    Request = #{rid => 100, els => [], bytes => 100, to => <<"h">>, hold => Hold, wait => 60, ver => {1, 11}},
    Bosh = megaphone_bosh:new(Request, make_ref(), 0, {<<"sid">>, Limits}),
    W0 = serve(#world{bosh = Bosh, requests = Hold + 1, open = 1}),
    W = drain(lists:foldl(fun step/2, W0, Steps)),
    W#world.ended orelse
        {lists:reverse(W#world.seen), W#world.processed, waiting(W)} =:=
            {lists:seq(1, W#world.made), W#world.asked, 0} orelse {failed, W}.

step(_, #world{ended = true} = W) -> W;
step({ask, Gets}, W) -> ask([{get, Bytes} || Bytes <- Gets], W);
step({others, Bytes}, #world{others = Others} = W) -> serve(stanza(Bytes, W#world{others = Others + Bytes}));
step(read, #world{answers = [Body | Answers], open = Open, seen = Seen} = W) ->
    W#world{answers = Answers, open = Open - 1, seen = lists:reverse(numbers(Body)) ++ Seen};
step(read, W) -> W;
step({pass, Ms}, #world{now = Now} = W) -> serve(W#world{now = Now + Ms}).

ask(_, #world{open = Open, requests = Requests} = W) when Open >= Requests -> W;
ask(_, #world{open = 1, next_rid = 101} = W) -> W;
ask(Els, #world{bosh = Bosh, now = Now, next_rid = Rid, open = Open} = W) ->
    Request = #{rid => Rid, els => Els, bytes => 100},
    {ok, [], Bosh1} = megaphone_bosh:arrive(Request, make_ref(), Now, Bosh),
    Asked = [Rid || Els =/= []] ++ W#world.asked,
    serve(W#world{bosh = Bosh1, next_rid = Rid + 1, open = Open + 1, asked = Asked}).

%% What the session's process does.
serve(#world{ended = true} = W) ->
    W;
serve(#world{bosh = Bosh, now = Now, processed = Processed} = W) ->
    case megaphone_bosh:next(Now, Bosh) of
        {ok, #{rid := Rid, els := Els}, Bosh1} ->
            Made = lists:foldl(fun({get, Bytes}, Acc) -> stanza(Bytes, Acc) end, W#world{bosh = Bosh1}, Els),
            %% Beside what others sent there is at most the limit, and what one request brought on top.
            true = waiting(Made) =< Made#world.others + ?LIMIT + ?GETS * (?LARGEST + 50),
            serve(Made#world{processed = [Rid || Els =/= []] ++ Processed});
        {none, Bosh1} ->
            #world{bosh = Bosh2} = Flushed = flush(W#world{bosh = Bosh1}),
            case megaphone_bosh:is_ready(Bosh2) of
                true -> serve(Flushed);
                false -> Flushed
            end
    end.

flush(#world{bosh = Bosh, now = Now, answers = Before} = W) ->
    {Answers, Bosh1} = megaphone_bosh:flush(Now, Bosh),
    Bodies = [Body || {_, _, 200, Body} <- Answers],
    [true = length(numbers(Body)) =:= 1 orelse byte_size(Body) < ?LIMIT + 500 || Body <- Bodies],
    Fetched = case lists:any(fun(Body) -> numbers(Body) =/= [] end, Bodies) of true -> Now; false -> W#world.fetched end,
    with_others(W#world{bosh = Bosh1, answers = Before ++ Bodies, fetched = Fetched}).

with_others(W) -> case waiting(W) of 0 -> W#world{others = 0}; _ -> W end.

stanza(_, #world{ended = true} = W) ->
    W;
stanza(Bytes, #world{bosh = Bosh, now = Now, made = Made, fetched = Fetched} = W0) ->
    %% One that had nothing to fetch was not slow.
    W = case waiting(W0) of 0 -> W0#world{fetched = Now}; _ -> W0 end,
    Stanza = [<<"<n p='">>, binary:copy(<<"x">>, Bytes), <<"'>">>, integer_to_binary(Made + 1), <<"</n>">>],
    case megaphone_bosh:enqueue({Stanza, {Now, {iolist_to_binary(Stanza)}}}, stanza, Now, Bosh) of
        {ok, Bosh1} ->
            W#world{bosh = Bosh1, made = Made + 1};
        {stop, too_much_queued, Bosh1} ->
            true = Now - Fetched >= ?INACTIVITY * 1000 orelse queued(Bosh1) > 60 * ?LIMIT,
            W#world{ended = true}
    end.

waiting(#world{bosh = Bosh}) -> queued(Bosh).

queued(Bosh) -> lists:sum([byte_size(Body) || {_, {Body}} <- megaphone_bosh:queued(Bosh)]).

%% The client reads all there is, and asks on.
drain(#world{ended = true} = W) ->
    W;
drain(#world{answers = [_ | _]} = W) ->
    drain(step(read, W));
drain(W) ->
    case {waiting(W), megaphone_bosh:take_pending(W#world.bosh)} of
        {0, {[], _}} -> W;
        _ -> drain(ask([], W))
    end.

numbers(Body) ->
    {xmlel, _, _, Els} = fxml_stream:parse_element(Body),
    [binary_to_integer(N) || {xmlel, <<"n">>, _, [{xmlcdata, N}]} <- Els].
