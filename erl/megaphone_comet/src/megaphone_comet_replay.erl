%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% What a gateway, or a page that comes back to one, missed of an id.
-module(megaphone_comet_replay).

-export([answer/5, at/2, catch_up/1]).

-type id() :: megaphone_comet_id:canonical().

%% A message may have its number, and not be in the ring yet, for whoever sends was not scheduled meanwhile: then again after these
%% times. One that was killed there leaves a hole.
-define(AGAIN_MS, {50, 100, 200, 400}).
%% Ids in one term.
-define(MOST, 1000).

%% @doc Called by the process that gets `{replay_again, Gateway, Ask, Id, Since, Time}' later, and calls it with that.
-spec answer(node(), Ask :: term(), id(), Since :: non_neg_integer(), Time :: pos_integer()) -> ok.
answer(Gateway, Ask, Id, Since, Time) ->
    To = case megaphone_comet_table:number(Id) of none -> Since; Number -> Number end,
    {Messages, Whole} = megaphone_comet_ring:since(Id, Since, To),
    case Whole orelse Time > tuple_size(?AGAIN_MS) orelse is_over(Messages, Since, To) of
        true ->
            ok = megaphone_comet_stats:add(case Whole of true -> replayed; false -> gaps end, 1),
            %% Without room it is lost, and the gateway asks again.
            _ = erlang:send({any, Gateway}, {replay, node(), Ask, Id, Messages, To, Whole}, [nosuspend, noconnect]),
            ok;
        false ->
            _ = erlang:send_after(element(Time, ?AGAIN_MS), self(), {replay_again, Gateway, Ask, Id, Since, Time + 1}),
            ok
    end.

%% Nothing of what is missing will come: it is older than all that is there, or never was.
-spec is_over([megaphone_comet_ring:message()], Since :: non_neg_integer(), To :: non_neg_integer()) -> boolean().
is_over(_, Since, To) when Since > To -> true;
is_over([{First, _, _} | _] = Messages, _, To) when First =:= To - length(Messages) + 1 -> true;
is_over(_, Since, To) -> To - Since > megaphone_comet_ring:reach().

%% @doc `false' without room: it is told later.
-spec at(node(), [{id(), pos_integer()}]) -> boolean().
at(Gateway, At) ->
    case erlang:send({any, Gateway}, {at, node(), At}, [nosuspend, noconnect]) of
        nosuspend -> ok = megaphone_comet_behind:note(Gateway, [Id || {Id, _} <- At]), false;
        _ -> true
    end.

%% @doc Tells of all of which it missed something, as long as there is room.
-spec catch_up(node()) -> ok.
catch_up(Gateway) ->
    %% Taken before the numbers are read: what is missed meanwhile is noted again.
    case megaphone_comet_behind:take(Gateway, ?MOST) of
        [] -> ok;
        Ids ->
            case at(Gateway, [{Id, Number} || Id <- Ids, Number <- [megaphone_comet_table:number(Id)], Number =/= none]) of
                true -> catch_up(Gateway);
                false -> ok
            end
    end.
