%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_kept, read from there, cell by cell: each state is reached by events, and known by
%%% what the module answers in it.
-module(megaphone_kept_tests).

-include_lib("eunit/include/eunit.hrl").

-define(RID, 7).
-define(STANZA, {1, {a, stanza}}).

%% One event after the other, at one moment. Connections are atoms here.
kept(Content, Events) ->
    Owed = case Content of payload -> [?STANZA]; blank -> [] end,
    New = megaphone_kept:add({?RID, none}, 200, {Content, <<"body">>}, Owed, 0, megaphone_kept:new()),
    lists:foldl(fun event/2, New, Events).

event(copied, Kept) -> {200, <<"body">>, Kept1} = megaphone_kept:copy(?RID, none, Kept), Kept1;
event(gone, Kept) -> megaphone_kept:gone(?RID, Kept);
event({busy, Conn}, Kept) -> megaphone_kept:busy(?RID, Conn, 0, Kept);
event({closed, Conn}, Kept) -> megaphone_kept:closed(Conn, Kept);
event(proved, Kept) -> megaphone_kept:received(?RID, Kept);
event(acknowledged, Kept) -> megaphone_kept:acknowledged(?RID, Kept);
event(too_old, Kept) -> megaphone_kept:trim(?RID, {?RID, 0}, Kept);
event(ends, Kept) -> {_, _, Kept1} = megaphone_kept:take_owed(Kept), Kept1.

%% The state by what is to be seen of it.
state(Kept) ->
    case {megaphone_kept:to_list(Kept), megaphone_kept:awaited(Kept)} of
        {[], []} -> dropped;
        {[_], []} -> at_rest(Kept);
        {[_], [{?RID, Conn, 200, <<"body">>}]} ->
            ?assert(megaphone_kept:due(Kept) =/= infinity),
            ?assert(megaphone_kept:is_awaited(Conn, Kept)),
            {unsent, Conn, at_rest(megaphone_kept:closed(Conn, Kept))}
    end.

at_rest(Kept) ->
    ?assertEqual(infinity, megaphone_kept:due(Kept)),
    {Owed, _, _} = megaphone_kept:take_owed(Kept),
    NeverLeft = fun(K) -> megaphone_kept:to_list(event(too_old, K)) =/= [] end,
    case {megaphone_kept:has_lost(Kept), megaphone_kept:unproved(Kept)} of
        {false, 0} -> ?assertEqual([], Owed), settled;
        {HasLost, Bytes} when Bytes > 0 ->
            ?assertEqual([?STANZA], Owed),
            case {HasLost, NeverLeft(event(gone, Kept))} of
                {true, true} -> lost;
                {true, false} -> missed;
                {false, true} -> sent;
                {false, false} -> resent
            end
    end.

reached() ->
    [
        {sent, payload, []},
        {resent, payload, [copied]},
        {lost, payload, [gone]},
        {missed, payload, [copied, gone]},
        {settled, blank, []},
        {settled, payload, [proved]},
        {{unsent, c, lost}, payload, [{busy, c}]},
        {{unsent, c, lost}, payload, [gone, {busy, c}]},
        {{unsent, c, missed}, payload, [copied, {busy, c}]},
        {{unsent, c, missed}, payload, [copied, gone, {busy, c}]},
        {{unsent, c, settled}, blank, [{busy, c}]},
        {{unsent, c, settled}, payload, [copied, {busy, c}, proved]},
        {{unsent, c, settled}, payload, [{busy, c}, acknowledged]}
    ].

event_of(<<"busy">>) -> {busy, d};
event_of(<<"C closed">>) -> {closed, c};
event_of(<<"too old">>) -> too_old;
event_of(Event) -> binary_to_existing_atom(Event).

%% Who waits is the one for whom there was no room last.
row({unsent, _, X}) -> <<"unsent, ", (atom_to_binary(X))/binary>>;
row(State) -> atom_to_binary(State).

conn({unsent, _, _}, {busy, Conn}) -> Conn;
conn({unsent, Conn, _}, _) -> Conn;
conn(_, {busy, Conn}) -> Conn;
conn(_, _) -> none.

table_test_() ->
    Table = megaphone_table:read(megaphone_kept),
    ?assertEqual(lists:usort([Row || {Row, _} <- Table]), lists:usort([row(State) || {State, _, _} <- reached()])),
    [
        {lists:flatten(io_lib:format("~p after ~p: ~ts", [State, Before, Column])), fun() ->
            Kept = kept(Content, Before),
            Event = event_of(Column),
            ?assertEqual(State, state(Kept)),
            After = state(event(Event, Kept)),
            ?assertEqual(case Cell of same -> row(State); _ -> Cell end, row(After)),
            case After of {unsent, Conn, _} -> ?assertEqual(conn(State, Event), Conn); _ -> ok end
        end}
     || {State, Content, Before} <- reached(), {Row, Cells} <- Table, Row =:= row(State), {Column, Cell} <- Cells
    ].

%% That another connection is gone changes nothing.
another_connection_closed_test() ->
    [
        ?assertEqual(State, state(event({closed, e}, kept(Content, Before))))
     || {State, Content, Before} <- reached()
    ].

%% Whoever asks must show the key of the first time.
only_with_its_key_test() ->
    Kept = megaphone_kept:add({?RID, <<"k">>}, 200, {blank, <<"body">>}, [], 0, megaphone_kept:new()),
    ?assertEqual(other_key, megaphone_kept:copy(?RID, none, Kept)),
    ?assertEqual(other_key, megaphone_kept:copy(?RID, <<"l">>, Kept)),
    ?assertMatch({200, <<"body">>, _}, megaphone_kept:copy(?RID, <<"k">>, Kept)),
    ?assertEqual(none, megaphone_kept:copy(?RID + 1, <<"k">>, Kept)).

some() ->
    Add = fun(Rid, K) -> megaphone_kept:add({Rid, none}, 200, {payload, <<Rid>>}, [{Rid, {a}}], 0, K) end,
    lists:foldl(Add, megaphone_kept:new(), [1, 2, 3]).

unsent(Rids, Now, Kept) -> lists:foldl(fun(Rid, K) -> megaphone_kept:busy(Rid, {conn, Rid}, Now, K) end, Kept, Rids).

unsent_are_tried_again_in_order_after_pauses_that_double_test() ->
    Try = fun(Pause, {Now, Kept}) ->
        ?assertEqual(Now + Pause, megaphone_kept:due(Kept)),
        ?assertMatch({[], Kept}, megaphone_kept:retry(Now + Pause - 1, Kept)),
        {Again, Tried} = megaphone_kept:retry(Now + Pause, Kept),
        ?assertEqual([{2, {conn, 2}, 200, <<2>>}, {3, {conn, 3}, 200, <<3>>}], Again),
        ?assertEqual(infinity, megaphone_kept:due(Tried)),
        {Now + Pause, unsent([2, 3], Now + Pause, Tried)}
    end,
    {Now, Kept} = lists:foldl(Try, {0, unsent([2, 3], 0, some())}, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]),
    %% One that joins them waits with them; once all have left, the next begins with a short pause.
    {[_, _, _], Left} = megaphone_kept:retry(Now + 5000, unsent([1], Now + 1, Kept)),
    ?assertEqual(Now + 20050, megaphone_kept:due(unsent([1], Now + 20000, Left))).

%% It is as if they never had been: who looks for what waits does not search for ever.
once_all_have_left_nothing_is_due_test() ->
    Kept = kept(blank, []),
    {[_], Left} = megaphone_kept:retry(50, event({busy, c}, Kept)),
    ?assertEqual({[], Left}, megaphone_kept:retry(149, Left)),
    ?assertEqual({[], Kept}, megaphone_kept:retry(150, Left)).

%% Its request is held still: that was the older connection of it.
what_is_not_kept_is_not_tried_again_test() ->
    ?assertEqual(infinity, megaphone_kept:due(unsent([4], 0, some()))).

those_that_wait_are_handed_back_or_answered_anew_test() ->
    {Owed, [{2, {conn, 2}}], Rest} = megaphone_kept:take_owed(unsent([2], 0, megaphone_kept:received(1, some()))),
    ?assertEqual({[{2, {a}}, {3, {a}}], [{1, 200, <<1>>}]}, {Owed, megaphone_kept:to_list(Rest)}),
    {[], [{1, {conn, 1}}], None} = megaphone_kept:take_owed(unsent([1], 0, megaphone_kept:received(3, some()))),
    ?assertEqual([3, 2], [Rid || {Rid, _, _} <- megaphone_kept:to_list(None)]).

as_far_as_there_is_room_test() ->
    Rids = fun(Oldest, Window, Bytes) -> [R || {R, _, _} <- megaphone_kept:to_list(megaphone_kept:trim(Oldest, {Window, Bytes}, some()))] end,
    ?assertEqual([3, 2, 1], Rids(0, 1, 3)),
    ?assertEqual([3, 2], Rids(0, 1, 2)),
    ?assertEqual([3, 2], Rids(1, 3, 100)),
    ?assertEqual([3], Rids(0, 2, 0)).
