%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Takes places that are gone out of all rows, in steps among other work: a pass over the table for as many of them as are gone
%%% when it begins.
-module(megaphone_comet_sweep).

-export([start/1, step/2]).
-export_type([sweep/0]).

-type gone() :: #{node() => megaphone_comet_table:kind()}.
-opaque sweep() :: {first | megaphone_comet_table:chunk(), gone()}.

-spec start(gone()) -> sweep().
start(Gone) -> {first, Gone}.

%% @doc The next rows; at the end whose all are out.
-spec step(sweep(), megaphone_comet_lingering:lingering()) -> {more, sweep()} | {swept, [node()]}.
step({At, Gone}, Lingering) ->
    case megaphone_comet_table:chunk(At) of
        done ->
            ok = megaphone_comet_table:done(),
            {swept, maps:keys(Gone)};
        {Rows, Next} ->
            lists:foreach(fun(Row) -> row(Row, Gone, Lingering) end, Rows),
            {more, {Next, Gone}}
    end.

-spec row(megaphone_comet_table:row(), gone(), megaphone_comet_lingering:lingering()) -> ok.
row({Id, _, Gateways, Nodes}, Gone, Lingering) ->
    lists:foreach(fun(Node) -> place(gateway, Id, Node, Gone, Lingering) end, case Gateways of [_ | _] -> Gateways; _ -> [] end),
    lists:foreach(fun(Node) -> place(router, Id, Node, Gone, Lingering) end, Nodes).

-spec place(megaphone_comet_table:kind(), megaphone_comet_id:canonical(), node(), gone(), megaphone_comet_lingering:lingering()) -> ok.
place(Kind, Id, Node, Gone, Lingering) ->
    case Gone of
        #{Node := Kind} -> megaphone_comet_lingering:leave(Kind, Id, Node, Lingering);
        #{} -> ok
    end.
