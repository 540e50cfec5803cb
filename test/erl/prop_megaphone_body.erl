%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Bodies of any size and of everything that makes XML large: their cost is in proportion to their
%%% bytes, and what a stream is given of them is within bounds.
-module(prop_megaphone_body).

-export([prop_cost_is_linear/0, prop_what_is_read_is_bounded/0]).

-include_lib("proper/include/proper.hrl").

-define(WRAPPER, "<body xmlns='http://jabber.org/protocol/httpbind' rid='1'").
-define(SIZES, [16384, 32768, 65536]).
%% Of megaphone_xml, megaphone_markup and the parser together. The parser's own are counted as time.
-define(REDUCTIONS_PER_BYTE, 10).

prop_cost_is_linear() ->
    ?FORALL(
        Shape,
        shape(),
        ?WHENFAIL(
            io:format("~p~n", [[{Size, reductions(body(Shape, Size))} || Size <- ?SIZES]]),
            lists:all(fun(Size) -> reductions(body(Shape, Size)) < ?REDUCTIONS_PER_BYTE * Size end, ?SIZES)
        )
    ).

prop_what_is_read_is_bounded() ->
    ?FORALL(
        Shape,
        shape(),
        case megaphone_body:parse(body(Shape, 16384), 10000) of
            {ok, #{els := Els}} -> lists:all(fun(El) -> is_bounded(El, 2) end, Els);
            {error, _} -> true
        end
    ).

is_bounded({xmlcdata, _}, _) ->
    true;
is_bounded({xmlel, Name, Attrs, Children}, Depth) ->
    Depth =< 100 andalso is_name(Name) andalso length(Attrs) =< 64 andalso
        lists:all(fun({Attr, _}) -> is_name(Attr) end, Attrs) andalso
        lists:all(fun(Child) -> is_bounded(Child, Depth + 1) end, Children).

is_name(Name) -> string:length(Name) =< 256.

%% On a heap of its own: collecting garbage costs reductions, too.
reductions(Body) ->
    Self = self(),
    Measure = fun() ->
        {reductions, Before} = erlang:process_info(self(), reductions),
        _ = megaphone_body:parse(Body, 10000),
        {reductions, After} = erlang:process_info(self(), reductions),
        Self ! {self(), After - Before}
    end,
    Pid = erlang:spawn_opt(Measure, [{min_heap_size, 10000000}]),
    receive {Pid, Reductions} -> Reductions end.

%% What begins a body, what fills it, what ends that as often as it was filled, and what ends the body.
shape() ->
    oneof([
        of_attributes(?WRAPPER, "/>"),
        of_attributes([?WRAPPER, " to='&amp;'"], "/>"),
        of_attributes([?WRAPPER, "><a"], "/></body>"),
        {[?WRAPPER, " to='"], some(text()), "", "'/>"},
        {[?WRAPPER, "><a>"], some(oneof([text(), element()])), "", "</a></body>"},
        {[?WRAPPER, ">"], some(element()), "", "</body>"},
        {[?WRAPPER, ">&#10;"], some(element()), "", "</body>"},
        {[?WRAPPER, ">"], [start_tag()], "</a>", "</body>"},
        {[?WRAPPER, "><a><![CDATA["], some(oneof(["]", "x", "<", "]]"])), "", "]]></a></body>"},
        {[?WRAPPER, "><"], ["a"], "", "/></body>"},
        {oneof(["", " ", "<?xml version='1.0'", "<body", ?WRAPPER]), some(oneof([text(), attribute(), element(), fragment()])), "", "</body>"}
    ]).

of_attributes(Front, Back) -> {Front, some(attribute()), "", Back}.

some(Part) -> ?LET(N, range(1, 3), vector(N, Part)).

%% `n' stands for another number each time.
attribute() ->
    weighted_union([{6, [" a", n, "='x'"]} | [{1, Odd} || Odd <- odd_attributes()]]).

odd_attributes() -> [[" a", n, "=\"\""], [" a", n, "='&amp;'"], [" xmlns:a", n, "='x'"], [" xmlns:a", n, "='x", n, "'"], " a='x'"].

text() -> oneof(["x", " ", "\n", "\r\n", "]", "&amp;", "&#65;", <<"ü"/utf8>>]).

element() ->
    oneof([
        "<a/>", "<a b='c'/>", "<a>&lt;</a>", "<![CDATA[x]]>", ["<a", n, "/>"], ["<a xmlns:b", n, "='x'/>"], ["<a b", n, "='c' d='e'/>"],
        "<a b='1' c='2' d='3' e='4' f='5' g='6' h='7' i='8' j='9' k='10'/>", "<iq to='a' type='get' id='b'><b xmlns='c'/></iq>"
    ]).

start_tag() -> oneof(["<a>", "<a b='c'>", ["<a xmlns:b", n, "='x'>"]]).

fragment() -> oneof(["<a>", "</a>", "<a", "<", ">", "'", "=", "<!--", "<?pi?>", "<![CDATA[", "]]>"]).

body({Front, Parts, End, Back}, Size) ->
    {Filling, Times} = fill(Parts, Size, [], 0),
    iolist_to_binary([Front, Filling, lists:duplicate(Times, End), Back]).

fill(_, Size, Filling, Times) when Size =< 0 ->
    {lists:reverse(Filling), Times};
fill(Parts, Size, Filling, Times) ->
    Next = iolist_to_binary([numbered(Part, Times) || Part <- Parts]),
    fill(Parts, Size - byte_size(Next), [Next | Filling], Times + 1).

numbered(Part, Number) when is_list(Part) -> [case Piece of n -> integer_to_list(Number); _ -> Piece end || Piece <- Part];
numbered(Part, _) -> Part.
