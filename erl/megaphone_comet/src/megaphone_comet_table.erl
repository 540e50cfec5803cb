%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Which places have an id, and the number of the last message to it from this node: a row {Id, Number, Gateways, Nodes}. Whoever
%%% sends reads it, and takes the next number; the router's process alone writes the rest.
%%%
%%% Where the last gateway left, Gateways is the second until which the row stays, and its ring is filled: a page may come back.
%%% A row begins with the time in microseconds: its numbers are larger than those of an earlier row, or of an earlier life.
-module(megaphone_comet_table).

-export([create/0, next/1, number/1, nodes/1, places/1, join/3, leave/4, expire/2, count/0, chunk/1, done/0]).
-export_type([kind/0, row/0, chunk/0]).

-type id() :: megaphone_comet_id:canonical().
-type kind() :: gateway | router.
-type number_of() :: pos_integer().
-type second() :: integer().
-type gateways() :: [node()] | second().
-type row() :: {id(), number_of(), gateways(), Nodes :: [node()]}.
-type chunk() :: term().

-define(TABLE, ?MODULE).
-define(NUMBER, 2).
-define(GATEWAYS, 3).
-define(NODES, 4).
%% Rows that are looked at in one step.
-define(STEP, 500).

%% @doc The table belongs to the calling process.
-spec create() -> ok.
create() ->
    _ = ets:new(?TABLE, [named_table, public, set, {read_concurrency, true}, {write_concurrency, true}]),
    ok.

%% @doc The number of a message to this id that is sent now, and who has it, read in this order: whoever logs in later, and is
%% told the number then, is told this one.
-spec next(id()) -> {number_of(), gateways(), Nodes :: [node()]} | none.
next(Id) ->
    case ets:member(?TABLE, Id) of
        true ->
            %% It may go in between.
            try ets:update_counter(?TABLE, Id, {?NUMBER, 1}) of
                Number ->
                    case ets:lookup(?TABLE, Id) of
                        [{_, _, Gateways, Nodes}] -> {Number, Gateways, Nodes};
                        [] -> none
                    end
            catch
                error:badarg -> none
            end;
        false ->
            none
    end.

%% @doc Of the last message.
-spec number(id()) -> number_of() | none.
number(Id) ->
    case ets:lookup(?TABLE, Id) of
        [{_, Number, _, _}] -> Number;
        [] -> none
    end.

%% @doc Where processes have it.
-spec nodes(id()) -> [node()].
nodes(Id) ->
    case ets:lookup(?TABLE, Id) of
        [{_, _, _, Nodes}] -> Nodes;
        [] -> []
    end.

-spec places(id()) -> [node()].
places(Id) ->
    case ets:lookup(?TABLE, Id) of
        [{_, _, Gateways, Nodes}] when is_list(Gateways) -> Nodes ++ Gateways;
        [{_, _, _, Nodes}] -> Nodes;
        [] -> []
    end.

-spec join(kind(), id(), node()) -> number_of().
join(Kind, Id, Node) ->
    case ets:lookup(?TABLE, Id) of
        [] ->
            Number = erlang:system_time(microsecond),
            true = ets:insert(?TABLE, case Kind of gateway -> {Id, Number, [Node], []}; router -> {Id, Number, [], [Node]} end),
            Number;
        [Row] ->
            Position = position(Kind),
            Places = case element(Position, Row) of List when is_list(List) -> List; _ -> [] end,
            true = lists:member(Node, Places) orelse ets:update_element(?TABLE, Id, {Position, [Node | Places]}),
            %% After it: whoever sends meanwhile has found the place, or took a number before this one.
            number(Id)
    end.

%% @doc `lingers' where the row stays until then because of it.
-spec leave(kind(), id(), node(), second()) -> left | lingers.
leave(Kind, Id, Node, Until) ->
    Position = position(Kind),
    case ets:lookup(?TABLE, Id) of
        [{_, _, [Node], _}] when Kind =:= gateway ->
            true = ets:update_element(?TABLE, Id, {Position, Until}),
            lingers;
        [{_, _, [], [Node]}] when Kind =:= router ->
            true = ets:delete(?TABLE, Id),
            left;
        [Row] ->
            case element(Position, Row) of
                Places when is_list(Places) -> true = ets:update_element(?TABLE, Id, {Position, lists:delete(Node, Places)});
                _ -> true
            end,
            left;
        [] ->
            left
    end.

%% @doc Nobody came back until then.
-spec expire(id(), second()) -> ok.
expire(Id, Until) ->
    case ets:lookup(?TABLE, Id) of
        [{_, _, Until, []}] -> true = ets:delete(?TABLE, Id), ok;
        [{_, _, Until, _}] -> true = ets:update_element(?TABLE, Id, {?GATEWAYS, []}), ok;
        _ -> ok
    end.

-spec count() -> non_neg_integer().
count() -> ets:info(?TABLE, size).

%% @doc All rows in steps, beginning with `first'. Those that come meanwhile may be among them.
-spec chunk(first | chunk()) -> {[row()], chunk()} | done.
chunk(first) ->
    true = ets:safe_fixtable(?TABLE, true),
    stepped(ets:select(?TABLE, [{'_', [], ['$_']}], ?STEP));
chunk(Continuation) ->
    stepped(ets:select(Continuation)).

-spec stepped({[row()], chunk()} | '$end_of_table') -> {[row()], chunk()} | done.
stepped('$end_of_table') -> done;
stepped(Step) -> Step.

%% @doc The calling process goes over them no more.
-spec done() -> ok.
done() ->
    true = ets:safe_fixtable(?TABLE, false),
    ok.

-spec position(kind()) -> pos_integer().
position(gateway) -> ?GATEWAYS;
position(router) -> ?NODES.
