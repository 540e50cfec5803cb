%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Key sequences, which protect a session on an insecure connection (XEP-0124 §15).
-module(megaphone_keys).

-export([of_request/1, next/2]).

-type key() :: binary() | none.

-spec of_request(megaphone_body:request()) -> key().
of_request(Request) -> maps:get(key, Request, none).

%% @doc Checks a request's key against the one before it; returns what the next is checked against.
-spec next(megaphone_body:request(), key()) -> {ok, key()} | error.
next(Request, none) ->
    {ok, maps:get(newkey, Request, none)};
next(#{key := Key} = Request, Before) ->
    case hex(crypto:hash(sha, Key)) =:= string:lowercase(Before) of
        true -> {ok, maps:get(newkey, Request, Key)};
        false -> error
    end;
next(_, _) ->
    error.

-spec hex(binary()) -> binary().
hex(Bytes) ->
    << <<(hex_digit(D))>> || <<D:4>> <= Bytes >>.

-spec hex_digit(0..15) -> byte().
hex_digit(D) when D < 10 -> $0 + D;
hex_digit(D) -> $a + D - 10.
