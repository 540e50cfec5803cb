%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a request proves of the answers before it. A client that acknowledges says so (XEP-0124 §9.2). Any other
%%% may have no more than `requests' open (§11): a new one proves that the answers to all before those arrived. As many
%%% answers are kept for its repeats (§14.3), and some more for one that sends new requests before it repeats a broken one.
%%%
%%%   state  | the client                             | request          | proves all up to  | keeps, as far as there is room
%%%   acks   | acknowledges                           | with `ack'       | that              | what comes after that
%%%          |                                        | any other        | the one before it | nothing
%%%   alone  | never asked for nothing while another  | empty, hold =< 1 | the one before it | `requests'
%%%          | was held                               | any other        | the window's end  | `requests' and some more
%%%   beside | did, as some do that keep two open     | any              | the window's end  | `requests' and some more
%%%
%%% With one that ends the session or pauses it, one more may be open (§11): the window ends one sooner. (megaphone_proof_tests has each
%%% row: keep them alike.)
-module(megaphone_proof).

-export([new/1, of_request/5]).

-export_type([proof/0]).

-type rid() :: megaphone_body:rid().
-type proof() :: acks | alone | beside.

%% Answers kept beyond `requests' for a client that does not acknowledge.
-define(EXTRA, 4).

%% @doc By the request that creates the session.
-spec new(megaphone_body:request()) -> proof().
new(#{ack := 1}) -> acks;
new(_) -> alone.

%% @doc `Held': how many requests are, this one among them, of `Hold' at most; `Bytes': how much room there is for what is
%% proved. Returns which answer the client says that it does not have, and when that was sent.
-spec of_request(megaphone_body:request(), Held, {Hold, Bytes}, megaphone_kept:kept(), proof()) ->
    {{rid(), Sent :: integer()} | none, megaphone_kept:kept(), proof()}
when
    Held :: non_neg_integer(), Hold :: non_neg_integer(), Bytes :: pos_integer().
of_request(#{rid := Rid, ack := Ack}, _, _, Kept, acks) when Ack < Rid - 1 ->
    Missed = case megaphone_kept:sent_at(Ack + 1, Kept) of none -> none; Sent -> {Ack + 1, Sent} end,
    {Missed, megaphone_kept:acknowledged(Ack, Kept), acks};
of_request(#{rid := Rid}, _, _, Kept, acks) ->
    {none, megaphone_kept:acknowledged(Rid - 1, Kept), acks};
of_request(#{rid := Rid} = Request, Held, {Hold, Bytes}, Kept, Before) ->
    Window = Rid - Hold - 1,
    IsEmpty = megaphone_body:is_empty(Request),
    Proof = case IsEmpty andalso Held > 1 of true -> beside; false -> Before end,
    %% A client that is to keep one request open asks with an empty one when it has none (§10).
    {Proved, Oldest} =
        case IsEmpty andalso Hold =< 1 andalso Proof =:= alone of
            true -> {Rid - 1, Window};
            false -> {Window - megaphone_body:extra(Request), Window - ?EXTRA}
        end,
    {none, megaphone_kept:trim(Oldest, {Window, Bytes}, megaphone_kept:received(Proved, Kept)), Proof}.
