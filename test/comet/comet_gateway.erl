%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% A gateway as docs/comet.md asks for it, without HTTP: pages are processes. What a page gets as {event, Id, Origin, Number, Body, Meta}
%%% an HTTP client would get as an event, whose id is the page's place: the last Number of each Id and Origin.
-module(comet_gateway).

-export([start/1, connect/4, leave/2, counts/1]).

-define(TICK_MS, 100).
-define(HOLE_MS, 200).

-record(link, {life = none, monitor}).
%% The place with which it came, and of each origin whether it gets what comes (live), or waits for what it missed ({behind, what came
%% meanwhile}). Of one that is not connected it is nothing yet.
-record(page, {place = none, origins = #{}}).
-record(gateway, {
    links = #{},
    %% Id => Page => #page{}
    ids = #{},
    %% {Id, Origin} => number, and what is ahead of it, by number.
    last = #{},
    ahead = #{},
    doubles = 0,
    strange = 0
}).

%% On this node, which is hidden; routers are on these.
start(Nodes) ->
    Pid = spawn(fun() ->
        true = register(any, self()),
        self() ! tick,
        loop(#gateway{links = maps:from_list([{Node, none} || Node <- Nodes])})
    end),
    comet_nodes:await(gateway, fun() -> whereis(any) =:= Pid end).

%% A page with its place (#{{Id, Origin} => Number}), or `none' where it is new.
connect(Gateway, Page, Id, Place) -> {any, Gateway} ! {connect, Page, Id, Place}.

leave(Gateway, Page) -> {any, Gateway} ! {leave, Page}.

counts(Gateway) ->
    Ref = make_ref(),
    {any, Gateway} ! {counts, self(), Ref},
    receive {Ref, Counts} -> Counts after 10000 -> error(no_answer) end.

loop(G) -> receive Message -> loop(got(Message, G)) end.

got(tick, #gateway{links = Links} = G) ->
    erlang:send_after(?TICK_MS, self(), tick),
    lists:foldl(fun greet/2, G, [Node || {Node, none} <- maps:to_list(Links)]);
got({'DOWN', Monitor, process, {megaphone_router, Node}, _}, #gateway{links = Links} = G) ->
    case Links of
        #{Node := #link{monitor = Monitor}} -> G#gateway{links = Links#{Node := none}};
        _ -> G
    end;
got({'DOWN', _, process, Page, _}, G) ->
    gone(Page, G);
got({welcome, Node, Life, Nodes}, #gateway{links = Links, ids = Ids} = G) ->
    #{Node := Link} = Links,
    {megaphone_router, Node} ! {self(), login, maps:keys(Ids)},
    got({nodes, Node, Nodes}, G#gateway{links = Links#{Node := Link#link{life = Life}}});
got({nodes, _, Nodes}, #gateway{links = Links} = G) ->
    G#gateway{links = maps:merge(maps:from_list([{Node, none} || Node <- Nodes]), Links)};
got({at, Origin, Pairs}, G) ->
    lists:foldl(fun({Id, Number}, Acc) -> at(Id, Origin, Number, Acc) end, G, Pairs);
got({message, Origin, Pairs, Body, Meta}, G) ->
    lists:foldl(fun({Id, Number}, Acc) -> came(Id, Origin, {Number, Body, Meta}, Acc) end, G, Pairs);
got({replay, Origin, hole, Id, Messages, To, Whole}, G) ->
    filled(Id, Origin, Messages, To, Whole, G);
got({replay, Origin, Page, Id, Messages, To, Whole}, G) ->
    caught(Page, Id, Origin, Messages, To, Whole, G);
got({hole, Id, Origin}, G) ->
    look_again(Id, Origin, G);
got({connect, Page, Id, Place}, G) ->
    connected(Page, Id, Place, G);
got({leave, Page}, G) ->
    Page ! left,
    gone(Page, G);
got({counts, From, Ref}, #gateway{ids = Ids, doubles = Doubles, strange = Strange, links = Links} = G) ->
    From ! {Ref, #{ids => map_size(Ids), doubles => Doubles, strange => Strange, welcome => lists:sort([N || {N, #link{life = L}} <- maps:to_list(Links), L =/= none])}},
    G;
got(_, #gateway{strange = Strange} = G) ->
    G#gateway{strange = Strange + 1}.

greet(Node, #gateway{links = Links} = G) ->
    case net_kernel:connect_node(Node) of
        true ->
            Monitor = monitor(process, {megaphone_router, Node}),
            {megaphone_router, Node} ! {self(), hello, 1, gateway},
            G#gateway{links = Links#{Node := #link{monitor = Monitor}}};
        false ->
            G
    end.

welcomed(#gateway{links = Links}) -> [Node || {Node, #link{life = Life}} <- maps:to_list(Links), Life =/= none].

connected(Page, Id, Place, #gateway{ids = Ids, last = Last} = G) ->
    _ = monitor(process, Page),
    Pages = maps:get(Id, Ids, #{}),
    _ = map_size(Pages) =:= 0 andalso [{megaphone_router, Node} ! {self(), login, [Id]} || Node <- welcomed(G)],
    G1 = G#gateway{ids = Ids#{Id => Pages#{Page => #page{place = Place}}}},
    lists:foldl(fun({Origin, Number}, Acc) -> begin_page(Page, Id, Origin, Number, Acc) end, G1, [{Origin, Number} || {{I, Origin}, Number} <- maps:to_list(Last), I =:= Id]).

%% At which number its id is there is known now, or anew.
begin_page(Page, Id, Origin, Number, #gateway{ids = Ids} = G) ->
    #{Id := #{Page := #page{place = Place, origins = Origins} = P} = Pages} = Ids,
    case maps:get(Origin, Origins, Place) of
        live ->
            G;
        none ->
            Page ! {place, Id, Origin, Number},
            G#gateway{ids = Ids#{Id := Pages#{Page := P#page{origins = Origins#{Origin => live}}}}};
        Behind ->
            %% Where the link is down it is asked again when it is back.
            _ = lists:member(Origin, welcomed(G)) andalso ({megaphone_router, Origin} ! {self(), replay, Page, Id, since(Id, Origin, Place, G)}),
            Meanwhile = case Behind of {behind, Messages} -> Messages; #{} -> [] end,
            G#gateway{ids = Ids#{Id := Pages#{Page := P#page{origins = Origins#{Origin => {behind, Meanwhile}}}}}}
    end.

%% A number of an earlier life: all of this one is new.
since(Id, Origin, Place, #gateway{links = Links}) ->
    #{Origin := #link{life = Life}} = Links,
    case maps:get({Id, Origin}, Place, 0) of
        Number when is_integer(Life), Number < Life -> 0;
        Number -> Number
    end.

caught(Page, Id, Origin, Messages, To, Whole, #gateway{ids = Ids} = G) ->
    case Ids of
        #{Id := #{Page := #page{origins = #{Origin := {behind, Meanwhile}} = Origins} = P} = Pages} ->
            Whole orelse (Page ! {gap, Id}),
            [give(Page, Id, Origin, M) || M <- Messages],
            Page ! {place, Id, Origin, To},
            [give(Page, Id, Origin, M) || {Number, _, _} = M <- lists:reverse(Meanwhile), Number > To],
            G#gateway{ids = Ids#{Id := Pages#{Page := P#page{origins = Origins#{Origin := live}}}}};
        _ ->
            G
    end.

at(Id, Origin, Number, #gateway{last = Last, ids = Ids} = G) ->
    case Last of
        _ when not is_map_key(Id, Ids) ->
            G;
        #{{Id, Origin} := Known} ->
            begin_pages(Id, Origin, Known, case Number > Known of true -> look_again(Id, Origin, G); false -> G end);
        #{} ->
            next(Id, Origin, begin_pages(Id, Origin, Number, G#gateway{last = Last#{{Id, Origin} => Number}}))
    end.

begin_pages(Id, Origin, Number, #gateway{ids = Ids} = G) ->
    lists:foldl(fun(Page, Acc) -> begin_page(Page, Id, Origin, Number, Acc) end, G, maps:keys(maps:get(Id, Ids))).

came(Id, Origin, {Number, _, _} = Message, #gateway{ids = Ids, last = Last, ahead = Ahead, doubles = Doubles, strange = Strange} = G) ->
    Key = {Id, Origin},
    case Last of
        _ when not is_map_key(Id, Ids) -> G#gateway{strange = Strange + 1};
        #{Key := Known} when Number =< Known -> G#gateway{doubles = Doubles + 1};
        #{Key := Known} when Number =:= Known + 1 -> next(Id, Origin, pass(Id, Origin, Message, G));
        _ ->
            Waiting = maps:get(Key, Ahead, #{}),
            _ = map_size(Waiting) =:= 0 andalso is_map_key(Key, Last) andalso erlang:send_after(?HOLE_MS, self(), {hole, Id, Origin}),
            G#gateway{ahead = Ahead#{Key => Waiting#{Number => Message}}}
    end.

%% What waited behind the last one.
next(Id, Origin, #gateway{last = Last, ahead = Ahead} = G) ->
    Key = {Id, Origin},
    #{Key := Known} = Last,
    Waiting = maps:filter(fun(Number, _) -> Number > Known end, maps:get(Key, Ahead, #{})),
    G1 = G#gateway{ahead = case map_size(Waiting) of 0 -> maps:remove(Key, Ahead); _ -> Ahead#{Key => Waiting} end},
    case maps:get(Known + 1, Waiting, none) of
        none ->
            _ = map_size(Waiting) > 0 andalso erlang:send_after(?HOLE_MS, self(), {hole, Id, Origin}),
            G1;
        Message ->
            next(Id, Origin, pass(Id, Origin, Message, G1))
    end.

pass(Id, Origin, {Number, _, _} = Message, #gateway{ids = Ids, last = Last} = G) ->
    #{Id := Pages} = Ids,
    Passed = maps:map(fun(Page, #page{origins = #{Origin := State} = Origins} = P) ->
        case State of
            {behind, Meanwhile} -> P#page{origins = Origins#{Origin := {behind, [Message | Meanwhile]}}};
            live -> give(Page, Id, Origin, Message), P
        end
    end, Pages),
    G#gateway{ids = Ids#{Id := Passed}, last = Last#{{Id, Origin} => Number}}.

give(Page, Id, Origin, {Number, Body, Meta}) -> Page ! {event, Id, Origin, Number, Body, Meta}.

look_again(Id, Origin, #gateway{last = Last, links = Links} = G) ->
    case {Last, Links} of
        {#{{Id, Origin} := Known}, #{Origin := #link{life = Life}}} when is_integer(Life) ->
            {megaphone_router, Origin} ! {self(), replay, hole, Id, case Known < Life of true -> 0; false -> Known end};
        _ -> ok
    end,
    G.

filled(Id, Origin, Messages, To, Whole, #gateway{ids = Ids, last = Last} = G) ->
    case {Ids, Last} of
        {#{Id := Pages}, #{{Id, Origin} := _}} ->
            Whole orelse [Page ! {gap, Id} || Page <- maps:keys(Pages)],
            %% Holes among them are told of; what is there goes on.
            #gateway{last = Now} = G1 = lists:foldl(fun({Number, _, _} = M, #gateway{last = L} = Acc) ->
                case Number > maps:get({Id, Origin}, L) of true -> pass(Id, Origin, M, Acc); false -> Acc end
            end, G, Messages),
            next(Id, Origin, G1#gateway{last = Now#{{Id, Origin} := max(To, maps:get({Id, Origin}, Now))}});
        _ ->
            G
    end.

gone(Page, #gateway{ids = Ids} = G) ->
    lists:foldl(fun(Id, #gateway{ids = I, last = Last, ahead = Ahead} = Acc) ->
        case maps:remove(Page, maps:get(Id, I)) of
            Pages when map_size(Pages) > 0 -> Acc#gateway{ids = I#{Id := Pages}};
            _ ->
                [{megaphone_router, Node} ! {self(), logout, [Id]} || Node <- welcomed(Acc)],
                Without = fun({Other, _}, _) -> Other =/= Id end,
                Acc#gateway{ids = maps:remove(Id, I), last = maps:filter(Without, Last), ahead = maps:filter(Without, Ahead)}
        end
    end, G, [Id || {Id, Pages} <- maps:to_list(Ids), is_map_key(Page, Pages)]).
