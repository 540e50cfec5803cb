%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Who has not logged in may bring little, who has as much as ejabberd takes.
-module(megaphone_allowance_tests).

-include_lib("eunit/include/eunit.hrl").

bytes_test_() ->
    [
        ?_assertEqual(Bytes, megaphone_allowance:bytes(Who, Max))
     || {Bytes, Who, Max} <- [
            {8192, stranger, infinity}, {8192, stranger, 262144}, {100, stranger, 100}, {infinity, user, infinity}, {262144, user, 262144}
        ]
    ].

room_test_() ->
    Request = fun(N) -> #{els => lists:duplicate(N, {xmlel, <<"iq">>, [], []})} end,
    [
        ?_assertEqual(Has, megaphone_allowance:has_room(Request(N), Who))
     || {Has, Who, N} <- [{true, stranger, 8}, {false, stranger, 9}, {true, user, 9}]
    ].

may_wait_test_() ->
    [
        ?_assertEqual(May, megaphone_allowance:may_wait(binary:copy(<<"x">>, N), Who))
     || {May, Who, N} <- [{true, stranger, 2048}, {false, stranger, 2049}, {true, user, 100000}]
    ].

check_test_() ->
    Request = #{els => lists:duplicate(9, {xmlel, <<"iq">>, [], []})},
    Long = binary:copy(<<"x">>, 2049),
    [
        ?_assertEqual(Expected, megaphone_allowance:check(R, Body, IsEarly, Who))
     || {Expected, R, Body, IsEarly, Who} <- [
            {ok, #{els => []}, Long, false, stranger},
            {{error, too_much_ahead}, #{els => []}, Long, true, stranger},
            {{error, body_too_large}, Request, <<>>, false, stranger},
            {{error, body_too_large}, Request, Long, true, stranger},
            {ok, Request, Long, true, user}
        ]
    ].

read_test_() ->
    Attributes = "sid='a' rid='1' xmlns='http://jabber.org/protocol/httpbind'",
    Body = fun(Els) -> iolist_to_binary(["<body ", Attributes, ">", Els, "</body>"]) end,
    Is = fun({ok, #{rid := 1}}) -> ok; ({error, Reason}) -> Reason end,
    Many = lists:duplicate(300, "<a/>"),
    Long = ["<a>", lists:duplicate(8192, $x), "</a>"],
    [
        {Name, ?_assertEqual(Expected, Is(megaphone_allowance:read(Read, Who, Max)))}
     || {Name, Expected, Who, Max, Read} <- [
            {"a little", ok, stranger, infinity, Body("<a/>")},
            {"too long", body_too_large, stranger, infinity, Body(Long)},
            {"too long for ejabberd, and no XML", body_too_large, user, 100, binary:copy(<<"<">>, 101)},
            {"long", ok, user, infinity, Body(Long)},
            {"many payloads", ok, user, infinity, Body(Many)},
            {"too many parts", <<"bad-request">>, stranger, infinity, Body(["<a>", Many, "</a>"])},
            {"no XML", <<"bad-request">>, user, infinity, <<"<body">>}
        ]
    ].
