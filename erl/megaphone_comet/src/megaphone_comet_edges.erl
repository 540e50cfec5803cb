%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Reads a text file of edges, two ids a line, and gives them on in parts: memory does not grow with the file.
-module(megaphone_comet_edges).

-export([load/3]).
-export_type([progress/0]).

-type edge() :: {megaphone_comet_id:canonical(), megaphone_comet_id:canonical()}.
%% Edges that were given on, and so many bytes of the file that were read.
-type progress() :: fun((Edges :: non_neg_integer(), Bytes :: non_neg_integer(), Size :: non_neg_integer()) -> term()).

-define(BLOCK, 1048576).
%% A number below it may have one more digit.
-define(SHORT, 10000000000000000).
%% The larger a part, the seldomer the same row is written anew; an edge takes a hundred bytes meanwhile.
-define(PART, 4000000).

-record(load, {
    file :: file:io_device(),
    store :: fun(([edge()]) -> ok),
    progress :: progress(),
    size :: non_neg_integer(),
    bytes = 0 :: non_neg_integer(),
    line = 1 :: pos_integer(),
    edges = 0 :: non_neg_integer(),
    part = [] :: [edge()],
    in_part = 0 :: non_neg_integer()
}).

%% @doc What was given on before an error stays.
-spec load(file:name_all(), fun(([edge()]) -> ok), progress()) -> {ok, Edges :: non_neg_integer()} | {error, term()}.
load(Name, Store, Progress) ->
    %% In a process of its own, whose memory goes with it.
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Caller ! {self(), loaded, open(Name, Store, Progress)} end),
    receive
        {Pid, loaded, Result} -> true = erlang:demonitor(Monitor, [flush]), Result;
        {'DOWN', Monitor, process, Pid, Reason} -> {error, Reason}
    end.

-spec open(file:name_all(), fun(([edge()]) -> ok), progress()) -> {ok, non_neg_integer()} | {error, term()}.
open(Name, Store, Progress) ->
    case file:open(Name, [read, raw, binary]) of
        {ok, File} -> read(<<>>, #load{file = File, store = Store, progress = Progress, size = filelib:file_size(Name)});
        {error, _} = Error -> Error
    end.

-spec read(Rest :: binary(), #load{}) -> {ok, non_neg_integer()} | {error, term()}.
read(Rest, #load{file = File, bytes = Bytes} = Load) ->
    case file:read(File, ?BLOCK) of
        {ok, Block} -> lines(binary:split(<<Rest/binary, Block/binary>>, <<"\n">>, [global]), Load#load{bytes = Bytes + byte_size(Block)});
        eof -> last(Rest, Load);
        {error, _} = Error -> Error
    end.

%% What is behind the last end of a line goes on in the next block.
-spec lines([binary(), ...], #load{}) -> {ok, non_neg_integer()} | {error, term()}.
lines([Rest], Load) ->
    read(Rest, given_on(?PART, Load));
lines([Line | Lines], Load) ->
    case line(Line, Load) of
        #load{} = Load1 -> lines(Lines, Load1);
        Error -> Error
    end.

-spec last(binary(), #load{}) -> {ok, non_neg_integer()} | {error, term()}.
last(Rest, Load) ->
    case line(Rest, Load) of
        #load{} = Load1 ->
            #load{edges = Edges} = given_on(1, Load1),
            {ok, Edges};
        Error ->
            Error
    end.

-spec line(binary(), #load{}) -> #load{} | {error, {line, pos_integer()}}.
line(Text, #load{line = Line, part = Part, in_part = Count} = Load) ->
    case numbers(Text) of
        {_, _} = Edge -> Load#load{line = Line + 1, part = [Edge | Part], in_part = Count + 1};
        other ->
            case binary:split(Text, [<<" ">>, <<"\t">>, <<"\r">>], [global, trim_all]) of
                [] -> Load#load{line = Line + 1};
                [<<"#", _/binary>> | _] -> Load#load{line = Line + 1};
                [Subscriber, Id] -> Load#load{line = Line + 1, part = [{megaphone_comet_id:canonical(Subscriber), megaphone_comet_id:canonical(Id)} | Part], in_part = Count + 1};
                _ -> {error, {line, Line}}
            end
    end.

%% The usual line, two numbers and a blank, at a fifth of the time.
-spec numbers(binary()) -> edge() | other.
numbers(<<C, Rest/binary>>) when C >= $1, C =< $9 -> first(Rest, C - $0);
numbers(_) -> other.

-spec first(binary(), pos_integer()) -> edge() | other.
first(<<C, Rest/binary>>, N) when C >= $0, C =< $9, N < ?SHORT -> first(Rest, 10 * N + C - $0);
first(<<$\s, C, Rest/binary>>, N) when C >= $1, C =< $9 -> second(Rest, N, C - $0);
first(_, _) -> other.

-spec second(binary(), pos_integer(), pos_integer()) -> edge() | other.
second(<<C, Rest/binary>>, First, N) when C >= $0, C =< $9, N < ?SHORT -> second(Rest, First, 10 * N + C - $0);
second(<<>>, First, N) -> {First, N};
second(_, _, _) -> other.

-spec given_on(AtLeast :: pos_integer(), #load{}) -> #load{}.
given_on(AtLeast, #load{in_part = Count} = Load) when Count < AtLeast ->
    Load;
given_on(_, #load{part = Part, in_part = Count, edges = Edges, store = Store, progress = Progress, bytes = Bytes, size = Size} = Load) ->
    ok = Store(Part),
    _ = Progress(Edges + Count, Bytes, Size),
    Load#load{part = [], in_part = 0, edges = Edges + Count}.
