%%% SPDX-License-Identifier: GPL-2.0-or-later
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

%% What the parser reads is what is found here, where anything is.
as_the_parser_reads_test_() ->
    [
        {Name, fun() ->
            case megaphone_body:parse(Body, 10000) of
                {ok, Request} ->
                    ?assertEqual(Sid, maps:get(sid, Request, null)),
                    ?assertEqual(Rid, maps:get(rid, Request));
                {error, _} ->
                    ok
            end
        end}
     || {Name, Sid, Rid, Body} <- megaphone_vectors:first_tags()
    ].
