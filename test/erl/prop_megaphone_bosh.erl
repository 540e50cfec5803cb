%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Two clients against the state machine. The first keeps to the standard on a network that delays,
%%% overtakes, cuts and loses: it must get every stanza once and in order, and where it vanishes, what it
%%% did not get is handed back, and nothing that it provably got. The second sends anything:
%%% no request may be answered twice, and nothing may grow without bound.
-module(prop_megaphone_bosh).

-include_lib("proper/include/proper.hrl").

-export([prop_everything_arrives_once_and_in_order/0, prop_what_did_not_arrive_is_handed_back/0]).
-export([prop_anything_goes_is_survived/0]).

-define(POLLING_OFF, 0).

%% `wire': requests and answers under way. A connection is named by a reference, as good as a pid here.
-record(world, {
    bosh,
    now = 0,
    hold,
    acks,
    %% How far it goes on beyond a request that broke before it repeats it.
    patience,
    %% Client: the next rid, open requests (rid -> connection or `broken'), answers by rid.
    next_rid = 101,
    open = #{},
    requests = #{},
    %% What went over a connection, to the byte.
    bodies = #{},
    answers = #{},
    read_rid = 100,
    seen = [],
    %% Wire: {request, Rid, Conn, Request} and {answer, Rid, Conn, Body}.
    wire = [],
    dead = #{},
    %% There is no room on the way to the gateway.
    busy = false,
    answered = #{},
    %% Server: stanzas made so far, rids processed, newest first.
    stanzas = 0,
    processed = [],
    %% What each answer carried; the highest rid that the server knows to be answered and received.
    carried = #{},
    arrived = #{},
    accepted = 100,
    proved = 99
}).

prop_everything_arrives_once_and_in_order() ->
    ?FORALL(
        {Hold, Wait, Acks, Group, Queue, Steps},
        %% A few stanzas fill the smaller queue, and an answer.
        {range(0, 2), oneof([0, 60]), boolean(), oneof([0, 2000]), oneof([60, 1000000]), list(step())},
        megaphone_property:holds(fun() ->
            Steps1 = Steps ++ [{busy, false}],
            %% What the standard does not ask for is kept where there is room.
            Patience = case Queue of 60 -> 0; _ -> 4 end,
            W = drain(lists:foldl(fun step/2, world(Hold, Wait, Acks, {Group, Queue}, Patience), Steps1), 1000),
            Expected = lists:seq(1, W#world.stanzas),
            {lists:reverse(W#world.seen), in_order(W#world.processed)} =:= {Expected, true} orelse {failed, W}
        end)
    ).

%% The client may vanish at any moment. Without patience none is open beyond `requests' from the oldest.
prop_what_did_not_arrive_is_handed_back() ->
    ?FORALL(
        {Hold, Wait, Acks, Group, Queue, Steps},
        {range(0, 2), oneof([0, 60, 60]), boolean(), oneof([0, 2000]), oneof([60, 1000000]), ?LET(N, range(1, 120), vector(N, step()))},
        megaphone_property:holds(fun() ->
            W = lists:foldl(fun step/2, world(Hold, Wait, Acks, {Group, Queue}, 0), Steps),
            #world{bosh = Bosh, stanzas = Made, seen = Seen, carried = Carried, proved = Proved} = W,
            {_, Owed, _} = megaphone_bosh:finish(<<"system-shutdown">>, [], W#world.now, Bosh),
            Back = [N || {_, {N}} <- Owed],
            Received = lists:append([Numbers || {Rid, Numbers} <- maps:to_list(Carried), Rid =< Proved]),
            InOrder = lists:usort(Back) =:= Back,
            Missing = (lists:seq(1, Made) -- Seen) -- Back,
            Twice = [N || N <- Back, lists:member(N, Received)],
            {InOrder, Missing, Twice} =:= {true, [], []} orelse
                {failed, Back, Missing, Twice, W}
        end)
    ).

%% How an integer picks: an element of what there is to pick from.
step() ->
    frequency([
        {4, {stanza, range(1, 3), oneof([stanza, presence])}},
        {5, {ask, boolean()}},
        {6, {deliver, non_neg_integer()}},
        {2, deliver_all},
        {2, {lose, non_neg_integer()}},
        {2, {cut, non_neg_integer(), boolean()}},
        {4, repeat},
        {1, pause},
        {2, {busy, boolean()}},
        {1, {break, list(boolean())}},
        {1, {stale, non_neg_integer()}},
        {2, {move, range(-100000, 100000)}},
        {3, {pass, range(1, 9000)}}
    ]).

world(Hold, Wait, Acks, {Group, Queue}, Patience) ->
    Conn = make_ref(),
    Request0 = #{rid => 100, els => [], bytes => 100, to => <<"h">>, ver => {1, 11}, hold => Hold, wait => Wait},
    Request = case Acks of true -> Request0#{ack => 1}; false -> Request0 end,
    Bosh = megaphone_bosh:new(Request, Conn, 0, {<<"sid">>, (limits())#{group => Group, queue => Queue}}),
    serve(#world{bosh = Bosh, hold = Hold, acks = Acks, patience = Patience, open = #{100 => Conn}, read_rid = 99}).

limits() ->
    #{wait => 60, hold => 2, inactivity => 100000, maxpause => 100000, polling => ?POLLING_OFF, queue => 1000000, group => 0, strict => false}.

step({stanza, N, Kind}, W) ->
    flush(stanzas(N, Kind, W));
step({ask, Data}, W) ->
    ask(Data, W);
step({deliver, I}, #world{wire = Wire} = W) ->
    with(I, Wire, W, fun(Item) -> deliver(Item, W#world{wire = lists:delete(Item, Wire)}) end);
step(deliver_all, #world{wire = Wire} = W) ->
    lists:foldl(fun(_, Acc) -> step({deliver, 0}, Acc) end, W, Wire);
step({lose, I}, #world{wire = Wire} = W) ->
    with(I, Wire, W, fun({_, Rid, Conn, _} = Item) ->
        broken(Rid, Conn, W#world{wire = lists:delete(Item, Wire)})
    end);
step({cut, I, Told}, #world{open = Open} = W) ->
    Whole = [{R, C} || {R, C} <- maps:to_list(Open), C =/= broken],
    with(I, Whole, W, fun({Rid, Conn}) -> cut(Rid, Conn, Told, W) end);
step(repeat, #world{open = Open, requests = Requests} = W) ->
    case [R || {R, broken} <- lists:sort(maps:to_list(Open))] of
        [100 | _] -> put_on_wire(100, #{rid => 100, els => []}, W);
        [Rid | _] -> put_on_wire(Rid, maps:get(Rid, Requests), W);
        [] -> W
    end;
step(pause, #world{open = Open, next_rid = Rid, read_rid = Read} = W) when map_size(Open) =:= 0, Read =:= Rid - 1 ->
    put_on_wire(Rid, #{rid => Rid, els => [], bytes => 50, pause => 1000}, W#world{next_rid = Rid + 1});
step(pause, W) ->
    W;
step({busy, Busy}, W) ->
    flush(W#world{busy = Busy});
step({break, Bodies}, W) ->
    link_breaks(Bodies, W);
step({stale, I}, #world{bodies = Bodies, open = Open} = W) ->
    Done = lists:sort([{Rid, Request} || #{rid := Rid} = Request <- maps:values(Bodies), not is_map_key(Rid, Open)]),
    with(I, Done, W, fun({_, Request}) -> stale(Request, W) end);
%% To another node, whose clock is so much ahead: it goes on from what was exported, and that is plain.
step({move, By}, #world{bosh = Bosh, now = Now} = W) ->
    Own = fun(Limits) -> Limits end,
    Exported = megaphone_bosh:shift(-Now, Own, Bosh),
    Bosh = megaphone_bosh:shift(Now, Own, Exported),
    Moved = megaphone_bosh:shift(Now + By, Own, Exported),
    true = later(megaphone_bosh:deadline(Bosh), By) =:= megaphone_bosh:deadline(Moved),
    Conns = lists:sort(megaphone_bosh:conns(Moved)),
    true = Conns =:= lists:sort(megaphone_bosh:conns(Bosh)) andalso lists:usort(Conns) =:= Conns,
    flush(W#world{bosh = Moved, now = Now + By});
step({pass, Ms}, #world{now = Now} = W) ->
    flush(W#world{now = Now + Ms}).

later(infinity, _) -> infinity;
later(Ms, By) -> Ms + By.

with(_, [], W, _) -> W;
with(I, List, _, Do) -> Do(lists:nth(I rem length(List) + 1, List)).

%% A conforming client: data where fewer than `requests' are open, an empty request where fewer than
%% `hold' (one, when polling), and nothing new before the first answer or far beyond a broken request.
ask(_, #world{next_rid = 101, open = #{100 := _}} = W) ->
    W;
ask(Data, #world{open = Open, hold = Hold, next_rid = Rid, patience = Patience} = W) ->
    Limit = case Data of true -> Hold + 1; false -> max(Hold, 1) end,
    Far = Rid > lists:min([Rid | maps:keys(Open)]) + Hold + Patience,
    case map_size(Open) < Limit of
        true when not Far ->
            Els = [{xmlel, <<"message">>, [], []} || Data],
            put_on_wire(Rid, #{rid => Rid, els => Els, bytes => 100}, W#world{next_rid = Rid + 1});
        _ ->
            W
    end.

put_on_wire(Rid, Request, #world{open = Open, wire = Wire, acks = Acks, read_rid = Read, requests = Requests, bodies = Bodies} = W) ->
    Conn = make_ref(),
    Acked =
        case Acks andalso Read < Rid - 1 of
            true -> Request#{ack => Read};
            false -> Request
        end,
    W#world{
        open = Open#{Rid => Conn},
        requests = Requests#{Rid => Request},
        bodies = Bodies#{Conn => Acked},
        wire = Wire ++ [{request, Rid, Conn, Acked}]
    }.

broken(Rid, Conn, #world{open = Open} = W) ->
    case Open of
        #{Rid := Conn} -> W#world{open = Open#{Rid := broken}};
        _ -> W
    end.

%% All that is between gateway and server is lost, of which they and the clients know nothing. The gateway sends some
%% requests again, and asks for the others.
link_breaks(Bodies, #world{wire = Wire, open = Open, answered = Answered} = W) ->
    Lost = [Conn || {answer, _, Conn, _} <- Wire],
    Whole = lists:sort([{Rid, Conn} || {Rid, Conn} <- maps:to_list(Open), Conn =/= broken]),
    again(Whole, Bodies, W#world{wire = [], answered = maps:without(Lost, Answered)}).

again([], _, W) ->
    W;
again([{100, Conn} | Rest], Bodies, W) ->
    again(Rest, Bodies, broken(100, Conn, W));
%% The question crossed the answer; of two answers the gateway drops the second.
again([{_, Conn} | Rest], Bodies, #world{answered = Answered} = W) when is_map_key(Conn, Answered) ->
    again(Rest, Bodies, W);
again([{Rid, Conn} | Rest], [true | Bodies], #world{bodies = Sent} = W) ->
    again(Rest, Bodies, deliver({request, Rid, Conn, maps:get(Conn, Sent)}, W));
again([{Rid, Conn} | Rest], Bodies, #world{bosh = Bosh, now = Now} = W) ->
    {Effects, Bosh1} = megaphone_bosh:asked(Rid, Conn, Now, Bosh),
    W1 = send(Effects, W#world{bosh = Bosh1}),
    again(Rest, case Bodies of [_ | Later] -> Later; [] -> [] end, flush(W1)).

%% A copy of a request that the client has the answer of; its connection is gone for long.
stale(#{rid := Rid} = Request, #world{bosh = Bosh, now = Now, dead = Dead} = W) ->
    Conn = make_ref(),
    case megaphone_bosh:arrive(Request, Conn, Now, Bosh) of
        {[{refuse, Conn, 200, _}], Bosh} -> W;
        {[{answer, {Rid, Conn, 200, _}}] = Effects, Bosh1} -> send(Effects, W#world{bosh = Bosh1, dead = Dead#{Conn => true}})
    end.

%% The connection is gone on both sides; the server may or may not hear of it.
cut(Rid, Conn, Told, #world{wire = Wire, dead = Dead, bosh = Bosh, now = Now} = W0) ->
    W1 = W0#world{wire = [Item || {_, _, C, _} = Item <- Wire, C =/= Conn], dead = Dead#{Conn => true}},
    W2 = broken(Rid, Conn, W1),
    case Told of
        true -> flush(W2#world{bosh = element(2, megaphone_bosh:closed(Conn, Now, Bosh))});
        false -> W2
    end.

deliver({request, Rid, Conn, Request}, #world{bosh = Bosh, now = Now, arrived = Arrived} = W) ->
    {Effects, Bosh1} = megaphone_bosh:arrive(Request, Conn, Now, Bosh),
    serve(send(Effects, prove(W#world{bosh = Bosh1, arrived = maps:merge(#{Rid => Request}, Arrived)})));
deliver({answer, Rid, Conn, Body}, #world{open = Open, answers = Answers} = W) ->
    case Open of
        #{Rid := Conn} -> read(W#world{open = maps:remove(Rid, Open), answers = Answers#{Rid => Body}});
        _ -> W
    end.

%% XEP-0124 §14.2: the client processes answers in the order of its requests.
read(#world{read_rid = Read, answers = Answers, seen = Seen} = W) ->
    Rid = Read + 1,
    case Answers of
        #{Rid := Body} ->
            read(W#world{
                read_rid = Rid,
                answers = maps:remove(Rid, Answers),
                seen = lists:reverse(numbers(Body)) ++ Seen
            });
        _ ->
            W
    end.

numbers(Body) ->
    {xmlel, _, _, Els} = fxml_stream:parse_element(Body),
    [binary_to_integer(N) || {xmlel, <<"n">>, _, [{xmlcdata, N}]} <- Els].

%% What the session's process does.
serve(#world{bosh = Bosh, now = Now, processed = Processed} = W) ->
    case megaphone_bosh:next(Now, Bosh) of
        {[{deliver, #{rid := Rid}}], Bosh1} -> serve(W#world{bosh = Bosh1, processed = [Rid | Processed]});
        {[], Bosh} -> flush(W)
    end.

%% Requests count in rid order.
prove(#world{arrived = Arrived, accepted = Accepted, proved = Proved} = W) ->
    case Arrived of
        #{(Accepted + 1) := Request} -> prove(W#world{accepted = Accepted + 1, proved = max(Proved, proof(Request, W))});
        _ -> W
    end.

%% What a request of this client says of the answers before it, from its rules above.
proof(#{rid := Rid} = Request, #world{acks = true}) ->
    maps:get(ack, Request, Rid - 1);
proof(#{rid := Rid, els := [], pause := _}, #world{hold = Hold}) ->
    Rid - Hold - 2;
proof(#{rid := Rid, els := []}, #world{hold = Hold}) when Hold =< 1 ->
    Rid - 1;
proof(#{rid := Rid}, #world{hold = Hold}) ->
    Rid - Hold - 1.

flush(#world{bosh = Bosh, now = Now, hold = Hold} = W) ->
    {Effects, Bosh1} = megaphone_bosh:flush(false, Now, Bosh),
    #{held := Held} = megaphone_bosh:info(Bosh1),
    true = Held =< Hold,
    %% Nothing is due that was not answered: whoever waits for the deadline does not spin.
    true = megaphone_bosh:deadline(Bosh1) > Now orelse megaphone_bosh:is_expired(Now, Bosh1),
    send(Effects, W#world{bosh = Bosh1}).

send([], W) ->
    W;
send([{answer, _} | _] = Effects, #world{busy = true, bosh = Bosh, now = Now} = W) ->
    {Bosh1, Others} = without_room(Effects, Now, Bosh),
    send(Others, W#world{bosh = Bosh1});
send([{answer, Answer} | Effects], W) ->
    send(Effects, send_one(Answer, W));
send([{repeat, Conn} | Effects], #world{open = Open} = W) ->
    send(Effects, lists:foldl(fun(Rid, Acc) -> broken(Rid, Conn, Acc) end, W, maps:keys(Open))).

without_room(Effects, Now, Bosh) ->
    {Undelivered, Others} = megaphone_effects:without_room(Effects),
    {lists:foldl(fun(Answer, B) -> megaphone_bosh:undelivered(Answer, Now, B) end, Bosh, Undelivered), Others}.

carry(Rid, Body, Carried) -> maps:merge(#{Rid => numbers(Body)}, Carried).

send_one({Rid, Conn, 200, Body}, #world{dead = Dead, answered = Answered, wire = Wire} = W) ->
    false = is_map_key(Conn, Answered),
    case Dead of
        #{Conn := _} -> W#world{bosh = megaphone_bosh:undelivered({gone, Rid, Conn}, W#world.now, W#world.bosh)};
        _ ->
            W#world{
                answered = Answered#{Conn => true},
                wire = Wire ++ [{answer, Rid, Conn, Body}],
                carried = carry(Rid, Body, W#world.carried)
            }
    end.

stanzas(0, _, W) ->
    W;
stanzas(N, Kind, #world{stanzas = Made, bosh = Bosh, now = Now} = W) ->
    {_, Bosh1} = megaphone_bosh:enqueue({[<<"<n>">>, integer_to_binary(Made + 1), <<"</n>">>], {Now, {Made + 1}}}, Kind, Now, Bosh),
    stanzas(N - 1, Kind, W#world{stanzas = Made + 1, bosh = Bosh1}).

%% The network heals: everything under way arrives, what is broken is repeated.
drain(#world{seen = Seen, stanzas = Stanzas} = W, Rounds) when length(Seen) < Stanzas, Rounds > 0 ->
    Delivered = step(deliver_all, W),
    Repeated = lists:foldl(fun(_, Acc) -> step(repeat, Acc) end, Delivered, maps:keys(Delivered#world.open)),
    drain(ask(false, step({pass, 100}, Repeated)), Rounds - 1);
drain(W, _) ->
    W.

%% Where much waits for the client, nothing is to be done for its empty requests.
in_order([Later, Earlier | Rest]) -> Later > Earlier andalso in_order([Earlier | Rest]);
in_order(_) -> true.

%%% Anything goes

prop_anything_goes_is_survived() ->
    ?FORALL(
        {Hold, Acks, Key, Strict, Steps},
        {range(0, 2), boolean(), boolean(), boolean(), list(wild_step())},
        megaphone_property:holds(fun() ->
            Request0 = #{rid => 100, els => [], to => <<"h">>, hold => Hold},
            Request1 = case Acks of true -> Request0#{ack => 1}; false -> Request0 end,
            Request = case Key of true -> Request1#{newkey => <<"00">>}; false -> Request1 end,
            Bosh = megaphone_bosh:new(Request, 0, 0, {<<"sid">>, (limits())#{polling => 5, queue => 400, strict => Strict}}),
            wild(Steps, Bosh, 0, 1, #{busy => false})
        end)
    ).

wild_step() ->
    oneof([
        {request, range(95, 115), wild_attributes(), list(stanza), range(100, 20000)},
        {closed, range(0, 20)},
        {enqueue, range(0, 300)},
        {pass, range(0, 70000)},
        {lost, range(95, 115)},
        {asked, range(95, 115), range(0, 20)},
        {busy, boolean()}
    ]).

wild_attributes() ->
    ?LET(
        Pairs,
        list(oneof([{ack, range(90, 120)}, {pause, range(0, 200000)}, {key, oneof([<<>>, <<"aa">>])}, {restart, true}, {terminate, true}])),
        maps:from_list(Pairs)
    ).

%% Connections are numbers; each may be answered once.
wild(Steps, Bosh, Now, Conn, Answered) ->
    case process(Bosh, Now) of
        {stop, Reason, Bosh1} ->
            finished(Reason, Now, Bosh1, Answered);
        Bosh1 ->
            {Effects, Bosh2} = megaphone_bosh:flush(false, Now, Bosh1),
            {ok, Answered1, Bosh3} = carry_out(Effects, Answered, Now, Bosh2),
            true = erts_debug:flat_size(Bosh3) < 5000,
            case Steps of
                [] -> is_map(Answered1);
                [Step | Rest] -> wild_step(Step, Rest, Bosh3, Now, Conn, Answered1)
            end
    end.

wild_step({request, Rid, Attributes, Els, Bytes}, Rest, Bosh, Now, Conn, Answered) ->
    Arrived = megaphone_bosh:arrive(Attributes#{rid => Rid, els => Els, bytes => Bytes}, Conn, Now, Bosh),
    go_on(Arrived, Rest, Now, Conn + 1, Answered);
wild_step({closed, Conn}, Rest, Bosh, Now, Next, Answered) when Conn >= Next ->
    wild(Rest, Bosh, Now, Next, Answered);
wild_step({closed, Conn}, Rest, Bosh, Now, Next, Answered) ->
    go_on(megaphone_bosh:closed(Conn, Now, Bosh), Rest, Now, Next, Answered#{Conn => true});
wild_step({enqueue, Size}, Rest, Bosh, Now, Conn, Answered) ->
    go_on(megaphone_bosh:enqueue({binary:copy(<<"x">>, Size), none}, stanza, Now, Bosh), Rest, Now, Conn, Answered);
wild_step({pass, Ms}, Rest, Bosh, Now, Conn, Answered) ->
    wild(Rest, Bosh, Now + Ms, Conn, Answered);
wild_step({busy, Busy}, Rest, Bosh, Now, Conn, Answered) ->
    wild(Rest, Bosh, Now, Conn, Answered#{busy := Busy});
wild_step({asked, Rid, Conn}, Rest, Bosh, Now, Next, Answered) when Conn < Next, not is_map_key(Conn, Answered) ->
    go_on(megaphone_bosh:asked(Rid, Conn, Now, Bosh), Rest, Now, Next, Answered);
wild_step({asked, _, _}, Rest, Bosh, Now, Conn, Answered) ->
    wild(Rest, Bosh, Now, Conn, Answered);
wild_step({lost, Rid}, Rest, Bosh, Now, Conn, Answered) ->
    wild(Rest, megaphone_bosh:undelivered({gone, Rid, Conn}, Now, Bosh), Now, Conn, Answered).

go_on({Effects, Bosh}, Rest, Now, Conn, Answered) ->
    case carry_out(Effects, Answered, Now, Bosh) of
        {ok, Answered1, Bosh1} -> wild(Rest, Bosh1, Now, Conn, Answered1);
        {stop, Reason, Answered1, Bosh1} -> finished(Reason, Now, Bosh1, Answered1)
    end.

%% The end answers all that is open, and keeps a bounded number of answers.
finished(Reason, Now, Bosh, Answered) ->
    {Effects, _, #{kept := Kept}} = megaphone_bosh:finish(megaphone_condition:of_reason(Reason), [], Now, Bosh),
    Last = [Answer || {last, Answer} <- Effects],
    length(Last) =:= length(Effects) andalso length(Kept) =< 100 andalso is_map(lists:foldl(fun answered/2, Answered, Last)).

process(Bosh, Now) ->
    case megaphone_bosh:next(Now, Bosh) of
        {[{deliver, #{terminate := true}}], Bosh1} -> {stop, client, Bosh1};
        {[{deliver, _}], Bosh1} -> process(Bosh1, Now);
        {[{stop, Reason}], Bosh1} -> {stop, Reason, Bosh1};
        {[], Bosh} -> Bosh
    end.

carry_out([], Answered, _, Bosh) ->
    {ok, Answered, Bosh};
carry_out([{stop, Reason}], Answered, _, Bosh) ->
    {stop, Reason, Answered, Bosh};
carry_out([{answer, _} | _] = Effects, #{busy := true} = Answered, Now, Bosh) ->
    {Bosh1, Others} = without_room(Effects, Now, Bosh),
    carry_out(Others, Answered, Now, Bosh1);
carry_out([{answer, Answer} | Effects], Answered, Now, Bosh) ->
    carry_out(Effects, answered(Answer, Answered), Now, Bosh);
carry_out([{refuse, Conn, Status, Body} | Effects], Answered, Now, Bosh) ->
    carry_out(Effects, answered({none, Conn, Status, Body}, Answered), Now, Bosh);
carry_out([{repeat, Conn} | Effects], Answered, Now, Bosh) ->
    carry_out(Effects, answered({none, Conn, 503, <<>>}, Answered), Now, Bosh);
carry_out([{count, _} | Effects], Answered, Now, Bosh) ->
    carry_out(Effects, Answered, Now, Bosh).

answered({_, Conn, _, _}, Answered) ->
    false = is_map_key(Conn, Answered),
    Answered#{Conn => true}.
