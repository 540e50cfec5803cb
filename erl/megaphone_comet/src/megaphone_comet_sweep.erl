%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Takes places that are gone out of all rows, in steps among other work: a pass over the table for as many of them as are gone
%%% when it begins.
-module(megaphone_comet_sweep).

-export([start/1, step/2, all/1]).
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

%% @doc At once all that the calling process knows nothing of: each but this node's own. Rows that linger go on to.
-spec all(megaphone_comet_lingering:lingering()) -> ok.
all(Lingering) -> all(megaphone_comet_table:chunk(first), Lingering).

-spec all({[megaphone_comet_table:row()], megaphone_comet_table:chunk()} | done, megaphone_comet_lingering:lingering()) -> ok.
all(done, _) ->
    megaphone_comet_table:done();
all({Rows, Next}, Lingering) ->
    lists:foreach(
        fun({Id, _, Gateways, Nodes} = Row) ->
            _ = is_integer(Gateways) andalso megaphone_comet_lingering:inherit(Id, Gateways, Lingering),
            row(Row, maps:from_list([{Node, router} || Node <- Nodes -- [node()]] ++ [{Gateway, gateway} || is_list(Gateways), Gateway <- Gateways]), Lingering)
        end, Rows),
    all(megaphone_comet_table:chunk(Next), Lingering).

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
