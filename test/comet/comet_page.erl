%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% A page: follows an id at one of some gateways, keeps its place, and goes to the next one with it when its gateway is gone.
-module(comet_page).

-export([open/2, move/1, got/1]).

-define(PAUSE_MS, 50).

-record(page, {id, gateways, place = none, got = [], gaps = 0, monitor = none}).

open(Id, Gateways) -> spawn(fun() -> loop(go(#page{id = Id, gateways = Gateways})) end).

%% It leaves its gateway, and comes to the next.
move(Page) -> Page ! move, ok.

%% Bodies in the order in which they came, and how often it heard that it missed something.
got(Page) ->
    Ref = make_ref(),
    Page ! {got, self(), Ref},
    receive {Ref, Got} -> Got after 10000 -> error({no_answer, Page}) end.

go(#page{id = Id, gateways = [Gateway | Others], place = Place} = P) ->
    case net_kernel:connect_node(Gateway) of
        true ->
            comet_gateway:connect(Gateway, self(), Id, Place),
            P#page{gateways = Others ++ [Gateway], monitor = monitor(process, {any, Gateway})};
        false ->
            timer:sleep(?PAUSE_MS),
            go(P#page{gateways = Others ++ [Gateway]})
    end.

loop(#page{gaps = Gaps, monitor = Monitor} = P) ->
    receive
        Event when element(1, Event) =:= event; element(1, Event) =:= place -> loop(came(Event, P));
        {gap, _} -> loop(P#page{gaps = Gaps + 1});
        {'DOWN', Monitor, process, _, _} -> loop(go(P));
        move ->
            true = demonitor(Monitor, [flush]),
            comet_gateway:leave(lists:last(P#page.gateways), self()),
            loop(go(left(P)));
        hold ->
            receive go_on -> loop(P) end;
        {got, From, Ref} ->
            From ! {Ref, {lists:reverse(P#page.got), Gaps, P#page.place}},
            loop(P)
    end.

came({event, Id, Origin, Number, Body, _}, #page{got = Got} = P) -> came({place, Id, Origin, Number}, P#page{got = [Body | Got]});
came({place, Id, Origin, Number}, #page{place = none} = P) -> P#page{place = #{{Id, Origin} => Number}};
came({place, Id, Origin, Number}, #page{place = Place} = P) -> P#page{place = Place#{{Id, Origin} => Number}}.

%% What comes until then is of the gateway that it leaves.
left(#page{gaps = Gaps} = P) ->
    receive
        left -> P;
        Event when element(1, Event) =:= event; element(1, Event) =:= place -> left(came(Event, P));
        {gap, _} -> left(P#page{gaps = Gaps + 1})
    after 10000 -> P
    end.
