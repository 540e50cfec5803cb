%%% SPDX-License-Identifier: Apache-2.0
%%% A set in rows of a table is a set, whatever is added and removed, one by one or many at once; and its rows stay small.
-module(prop_megaphone_comet_members).

-include_lib("proper/include/proper.hrl").

-export([prop_is_a_set/0]).

-define(TABLE, members).

prop_is_a_set() ->
    ok = begin_table(),
    ?FORALL(Changes, list(change()), begin
        {atomic, ok} = mnesia:clear_table(?TABLE),
        %% PropEr 1.2 knows no way to show an exception on a newer OTP.
        try is_a_set(Changes) catch Class:Reason:Stack -> io:format("~p ~p ~p~n", [Class, Reason, Stack]), false end
    end).

is_a_set(Changes) ->
    Set = lists:foldl(fun changed/2, ordsets:new(), Changes),
    Set = lists:sort(megaphone_comet_members:read(?TABLE, id)),
    %% Hashes differ: a bucket may have some more than others.
    lists:max([0 | [length(Some) || {_, _, _, Some} <- ets:tab2list(?TABLE)]]) =< 64 * 4.

begin_table() ->
    ok = mnesia:start(),
    megaphone_comet_members:create_table(?TABLE, ram_copies).

change() -> frequency([{2, {add, id()}}, {2, {remove, id()}}, {2, {add_many, list(id())}}, {1, {add_range, choose(0, 900), choose(1, 300)}}, {1, {remove_range, choose(0, 900), choose(1, 600)}}]).

id() -> oneof([choose(0, 1000), oneof([<<"a">>, <<"b">>])]).

changed({add, Id}, Set) ->
    Expected = case ordsets:is_element(Id, Set) of true -> there; false -> added end,
    {atomic, Expected} = mnesia:transaction(fun() -> megaphone_comet_members:add(?TABLE, id, Id) end),
    ordsets:add_element(Id, Set);
changed({remove, Id}, Set) ->
    Expected = case ordsets:is_element(Id, Set) of true -> removed; false -> none end,
    {atomic, Expected} = mnesia:transaction(fun() -> megaphone_comet_members:remove(?TABLE, id, Id) end),
    ordsets:del_element(Id, Set);
changed({add_many, []}, Set) ->
    Set;
changed({add_many, Ids}, Set) ->
    ok = mnesia:activity(async_dirty, fun() -> megaphone_comet_members:add_many(?TABLE, id, Ids) end),
    ordsets:union(Set, ordsets:from_list(Ids));
changed({add_range, From, Count}, Set) ->
    lists:foldl(fun(Id, Acc) -> changed({add, Id}, Acc) end, Set, lists:seq(From, From + Count));
changed({remove_range, From, Count}, Set) ->
    lists:foldl(fun(Id, Acc) -> changed({remove, Id}, Acc) end, Set, lists:seq(From, From + Count)).
