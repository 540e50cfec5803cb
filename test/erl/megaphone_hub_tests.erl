%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The hub works for everybody: what a request costs it does not depend on how large its body is.
-module(megaphone_hub_tests).

-include_lib("eunit/include/eunit.hrl").

-define(SMALL, 1024).
-define(LARGE, 262144).
%% A first tag is looked at no further than 4096 bytes, each of which costs a few.
-define(MOST_REDUCTIONS, 20000).

cost_test_() ->
    {setup, fun start/0, fun stop/1, fun(Hub) ->
        [
            {Name, fun() ->
                ?assert(reductions(Hub, body(Shape, ?SMALL)) < ?MOST_REDUCTIONS),
                ?assert(reductions(Hub, body(Shape, ?LARGE)) < ?MOST_REDUCTIONS)
            end}
         || {Name, Shape} <- shapes()
        ]
    end}.

start() ->
    ok = megaphone_stats:create(),
    ok = megaphone_sessions:create_table(),
    ok = megaphone_ended:create_table(),
    ok = megaphone_admission:create_table(),
    %% All that could know of others have said so.
    megaphone_moved = ets:new(megaphone_moved, [named_table, bag]),
    Ended = #{kept => [{7, 200, <<"kept">>}], final => {200, <<"final">>}},
    ok = megaphone_ended:put(<<"ended">>, Ended, user),
    {ok, Hub} = megaphone_hub:init(#{strangers => 1000, per_address => 0, memory => 0}),
    Hub.

stop(_) ->
    [ets:delete(Table) || Table <- [megaphone_sessions, megaphone_moved]],
    ets:delete(megaphone_ended),
    ets:delete(megaphone_strangers).

%% Of the hub's callback, which runs in its process as here.
reductions(Hub, Body) ->
    {reductions, Before} = erlang:process_info(self(), reductions),
    {noreply, _} = megaphone_hub:handle_info({self(), Body}, Hub),
    {reductions, After} = erlang:process_info(self(), reductions),
    Self = self(),
    receive {Self, 200, _} -> ok after 0 -> ok end,
    After - Before.

%% Front, what is repeated, end.
body({Front, Part, End}, Size) ->
    iolist_to_binary([Front, binary:copy(Part, Size div byte_size(Part)), End]).

shapes() ->
    [
        {"white space in front", {"", <<" ">>, "<body sid='ended' rid='7'/>"}},
        {"white space behind a mark", {<<16#EF, 16#BB, 16#BF>>, <<"\n">>, "<body sid='ended' rid='7'/>"}},
        {"marks", {"", <<16#EF, 16#BB, 16#BF>>, "<body sid='ended' rid='7'/>"}},
        {"a declaration without end", {"<?xml ", <<"a">>, ""}},
        {"a long declaration", {"<?xml ", <<" ">>, "?><body sid='ended' rid='7'/>"}},
        {"declarations", {"", <<"<?xml?>">>, "<body sid='ended' rid='7'/>"}},
        {"an element's name", {"<", <<"a">>, " sid='ended' rid='7'/>"}},
        {"an attribute's name", {"<body sid='ended' ", <<"a">>, "='' rid='7'/>"}},
        {"an attribute's value", {"<body sid='ended' to='", <<"a">>, "' rid='7'/>"}},
        {"a value without end", {"<body sid='ended' to='", <<"a">>, ""}},
        {"a sid", {"<body sid='", <<"a">>, "' rid='7'/>"}},
        {"a rid", {"<body sid='ended' rid='", <<"1">>, "'/>"}},
        {"attributes", {"<body sid='ended'", <<" a='b'">>, " rid='7'/>"}},
        {"space in the tag", {"<body sid='ended'", <<" ">>, " rid='7'/>"}},
        {"no tag", {"", <<"a">>, ""}},
        {"nesting", {"<body sid='ended' rid='8'>", <<"<a>">>, ""}},
        {"stanzas", {"<body sid='ended' rid='7'>", <<"<iq to='a'>b&amp;</iq>">>, "</body>"}},
        {"stanzas of an unknown session", {"<body sid='other' rid='7'>", <<"<iq/>">>, "</body>"}},
        {"text", {"<body sid='ended' rid='7'>", <<"a">>, "</body>"}}
    ].

late_test_() ->
    {setup, fun start/0, fun stop/1, fun(Hub) ->
        [
            {Body, fun() ->
                {noreply, _} = megaphone_hub:handle_info({self(), list_to_binary(Body)}, Hub),
                Self = self(),
                receive {Self, 200, Answer} -> ?assertEqual(Expected, Answer) after 0 -> error(unanswered) end
            end}
         || {Expected, Body} <- [
                {<<"kept">>, "<body sid='ended' rid='7'/>"},
                {<<"kept">>, "<body rid='7' sid='ended'>whatever"},
                {<<"final">>, "<body sid='ended' rid='8'/>"},
                {<<"final">>, "<body sid='ended'/>"}
            ]
        ]
    end}.

%% Once: who was answered, or logged in, is told no more.
killed_before_an_answer_test_() ->
    {setup, fun start/0, fun stop/1, fun(Hub) ->
        [
            {Name, fun() ->
                Self = self(),
                {noreply, Started} = megaphone_hub:handle_info({Self, <<"no XML">>, #{}}, Hub),
                receive {Self, _, _} -> ok end,
                {Pid, Down} = receive {'DOWN', Ref, process, P, normal} -> {P, fun(Reason) -> {'DOWN', Ref, process, P, Reason} end} end,
                Messages = [case M of logged_in -> {logged_in, Pid}; _ -> Down(M) end || M <- Before ++ [killed]],
                _ = lists:foldl(fun(M, H) -> {noreply, H1} = megaphone_hub:handle_info(M, H), H1 end, Started, Messages),
                ?assertEqual(Expected, [Answer || {S, 200, Answer} <- flush(), S =:= Self])
            end}
         || {Name, Before, Expected} <- [
                {"it is told", [], [<<"<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='internal-server-error'/>">>]},
                {"not after an end of its own", [normal], []},
                {"not after a fault, of which it was told", [{shutdown, fault}], []},
                {"not after its login", [logged_in], []}
            ]
        ]
    end}.

%% Here there is no ejabberd, so it fails at once: that refuses the upgrade.
a_websocket_test_() ->
    {setup, fun start/0, fun stop/1, fun(Hub) ->
        [
            {"begins a session", fun() ->
                Self = self(),
                {noreply, Started} = megaphone_hub:handle_info({Self, open, #{}}, Hub),
                receive {Self, close, 1011, <<>>} -> ok after 5000 -> error(untold) end,
                {Pid, Ref} = receive {'DOWN', R, process, P, {shutdown, fault}} -> {P, R} end,
                {noreply, _} = megaphone_hub:handle_info({'DOWN', Ref, process, Pid, {shutdown, fault}}, Started),
                ?assertEqual([], flush()),
                {noreply, _} = megaphone_hub:handle_info({'DOWN', Ref, process, Pid, killed}, Started),
                ?assertEqual([{Self, close, 1011, <<>>}], flush())
            end},
            {"is refused while the node stops", fun() ->
                ok = megaphone_cluster:set(stopping),
                {noreply, _} = megaphone_hub:handle_info({self(), open, #{}}, Hub),
                ok = megaphone_cluster:set(in_service),
                ?assertMatch([{_, 503, _, _}], flush())
            end}
        ]
    end}.

flush() ->
    receive
        Message -> [Message | flush()]
    after 0 -> []
    end.
