%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A request with nothing in it, read without an XML parser: every second one is such, and setting the
%%% parser up costs more than the rest of its way. Only what nearly all clients write is understood;
%%% anything else is `unsure', and left to the parser.
-module(megaphone_wrapper).

-export([empty/1]).

-type attributes() :: [{Name :: binary(), Value :: binary()}].

%% @doc The attributes of an empty <body/>. Where this answers at all, the parser finds the same ones.
-spec empty(binary()) -> {ok, attributes()} | unsure.
empty(<<"<body ", Rest/binary>> = Body) ->
    next(Rest, Body, 6, []);
empty(_) ->
    unsure.

%% Each of these walks one match context; `At' is how far it is in `Body', from which the parts are taken.

-spec next(binary(), binary(), pos_integer(), attributes()) -> {ok, attributes()} | unsure.
next(<<$\s, Rest/binary>>, Body, At, Attrs) ->
    next(Rest, Body, At + 1, Attrs);
next(<<"/>">>, _, _, Attrs) ->
    done(Attrs);
next(<<"></body>">>, _, _, Attrs) ->
    done(Attrs);
next(<<C, Rest/binary>>, Body, At, Attrs) when C >= $a, C =< $z ->
    name(Rest, Body, At, At + 1, Attrs);
next(_, _, _, _) ->
    unsure.

-spec name(binary(), binary(), pos_integer(), pos_integer(), attributes()) -> {ok, attributes()} | unsure.
name(<<C, Rest/binary>>, Body, From, At, Attrs) when C >= $a, C =< $z ->
    name(Rest, Body, From, At + 1, Attrs);
%% With a colon, which asks for a bound prefix, a name ends up in the last clause.
name(<<$=, Quote, Rest/binary>>, Body, From, At, Attrs) when Quote =:= $'; Quote =:= $" ->
    value(Rest, Quote, Body, binary:part(Body, From, At - From), At + 2, At + 2, Attrs);
name(_, _, _, _, _) ->
    unsure.

-spec value(binary(), byte(), binary(), Name :: binary(), pos_integer(), pos_integer(), attributes()) ->
    {ok, attributes()} | unsure.
value(<<Quote, Rest/binary>>, Quote, Body, Name, From, At, Attrs) when At > From ->
    %% A part of the request's binary would keep all of it in memory.
    after_value(Rest, Body, At + 1, [{Name, binary:copy(binary:part(Body, From, At - From))} | Attrs]);
value(<<C, Rest/binary>>, Quote, Body, Name, From, At, Attrs) when
    C >= $\s, C < 127, C =/= Quote, C =/= $<, C =/= $&
->
    value(Rest, Quote, Body, Name, From, At + 1, Attrs);
value(_, _, _, _, _, _, _) ->
    unsure.

%% White space stands between two attributes.
-spec after_value(binary(), binary(), pos_integer(), attributes()) -> {ok, attributes()} | unsure.
after_value(<<C, _/binary>> = Rest, Body, At, Attrs) when C =:= $\s; C =:= $/; C =:= $> ->
    next(Rest, Body, At, Attrs);
after_value(_, _, _, _) ->
    unsure.

%% The same attribute twice is an error, which the parser reports.
-spec done(attributes()) -> {ok, attributes()} | unsure.
done(Attrs) ->
    case length(lists:ukeysort(1, Attrs)) =:= length(Attrs) of
        true -> {ok, Attrs};
        false -> unsure
    end.
