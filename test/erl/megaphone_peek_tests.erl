%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What is found in a first tag without parsing is what the parser finds, and what both languages find.
-module(megaphone_peek_tests).

-include_lib("eunit/include/eunit.hrl").

%% test/vectors/first-tags.jsonl, which the gateway's scanner is held to as well.
vectors_test_() ->
    [
        {Name, fun() ->
            ?assertEqual(Sid, found(megaphone_peek:sid(Body))),
            ?assertEqual(Rid, found(megaphone_peek:rid(Body)))
        end}
     || {Name, Sid, Rid, Body} <- megaphone_vectors:first_tags()
    ].

found({ok, Value}) -> Value;
found(none) -> null;
found(Rid) -> Rid.

%% The parser is the judge: what it takes for a request has the sid and the rid that were found, or such as are not
%% looked for.
as_the_parser_reads_test_() ->
    Parsed = [
        {Name, Body, Request}
     || {Name, _, _, Bare} <- megaphone_vectors:first_tags(),
        Body <- [in_namespace(Bare)],
        {ok, Request} <- [megaphone_body:parse(Body, 100000)]
    ],
    [
        ?_assert(length(Parsed) > 20)
        | [
            {Name, fun() ->
                ?assert(is_told(found(megaphone_peek:sid(Body)), maps:get(sid, Request, null), Body)),
                ?assert(is_told(found(megaphone_peek:rid(Body)), maps:get(rid, Request), Body))
            end}
         || {Name, Body, Request} <- Parsed
        ]
    ].

in_namespace(Body) ->
    binary:replace(Body, <<"<body">>, <<"<body xmlns='http://jabber.org/protocol/httpbind'">>).

is_told(Same, Same, _) -> true;
is_told(null, Rid, Body) when is_integer(Rid) -> is_told(null, integer_to_binary(Rid), Body);
%% Too long, not as it stands in the body, or beyond the first 4096 bytes.
is_told(null, Value, _) when byte_size(Value) > 128 -> true;
is_told(null, Value, Body) ->
    Head = binary:part(Body, 0, min(byte_size(Body), 4096)),
    binary:match(Head, [<<"'", Value/binary, "'">>, <<$", Value/binary, $">>]) =:= nomatch;
is_told(_, _, _) -> false.
