%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a callback of the stream may do, and what comes of it: what it sent is never lost, and its state is the new
%%% one, or that from before where there is none.
-module(megaphone_c2s_tests).

-include_lib("eunit/include/eunit.hrl").

-define(SENT, {xmlstreamelement, {xmlel, <<"message">>, [], []}}).

outcomes_test_() ->
    Old = #{stream_state => established, n => 1},
    New = #{stream_state => established, n => 2},
    Gone = #{stream_state => disconnected, n => 2},
    [
        {Name, fun() ->
            ok = megaphone_stats:create(),
            Callback = fun(Stream) ->
                ?assertEqual(Old, Stream),
                ok = megaphone_socket:send_xml(megaphone_socket:new({{127, 0, 0, 1}, 1}, http_bind), ?SENT),
                Act()
            end,
            [
                begin
                    {Outcome, Sent, After} = megaphone_c2s:run(Callback, C2s),
                    ?assertEqual({Expected, [?SENT], Kept}, {Outcome, Sent, megaphone_c2s:stream(After)}),
                    ?assertEqual([], megaphone_socket:collect())
                end
             || C2s <- [megaphone_c2s:new(Old), megaphone_c2s:sleep(<<"a host">>, megaphone_c2s:new(Old))]
            ]
        end}
     || {Name, Expected, Kept, Act} <- [
            {"it returns", ok, New, fun() -> {noreply, New, infinity} end},
            {"it returns with a timeout", ok, New, fun() -> {noreply, New, 100} end},
            {"it disconnects", closed, Gone, fun() -> {noreply, Gone, infinity} end},
            {"another process resumes it", closed, New#{mgmt_state => resumed}, fun() -> {noreply, New#{mgmt_state => resumed}, infinity} end},
            {"it stops", {stop, normal}, Gone, fun() -> {stop, normal, Gone} end},
            {"it exits", {exit, normal}, Old, fun() -> exit(normal) end},
            {"it exits as the server stops", {exit, shutdown}, Old, fun() -> exit(shutdown) end},
            {"it exits with a reason", {exit, {shutdown, why}}, Old, fun() -> exit({shutdown, why}) end},
            {"it fails", {exit, {shutdown, fault}}, Old, fun() -> error(badarg) end},
            {"it throws", {exit, {shutdown, fault}}, Old, fun() -> throw(whatever) end},
            {"it is killed by its own doing", {exit, {shutdown, fault}}, Old, fun() -> exit(kill) end}
        ]
    ].

where_there_is_none_nothing_is_called_test() ->
    ?assertEqual({ok, [], none}, megaphone_c2s:run(fun(_) -> error(called) end, none)).

due_test() ->
    Due = fun(Timeout) ->
        {ok, [], C2s} = megaphone_c2s:run(fun(Stream) -> {noreply, Stream, Timeout} end, megaphone_c2s:new(#{stream_state => established})),
        {megaphone_c2s:due(C2s), megaphone_c2s:sleep(<<"a host">>, C2s) =:= C2s}
    end,
    ?assertEqual({infinity, false}, Due(infinity)),
    %% One that waits for its time does not sleep so deep.
    {At, true} = Due(60000),
    ?assert(At > erlang:monotonic_time(millisecond)).

%% A login takes a few messages: its stream stays as it is.
only_who_has_logged_in_is_packed_test_() ->
    [
        ?_assertEqual(Is, is_binary(megaphone_c2s:sleep(<<"a host">>, megaphone_c2s:new(#{stream_state => State}))))
     || {State, Is} <- [{established, true}, {wait_for_stream, false}, {wait_for_sasl_response, false}, {disconnected, false}]
    ].

%% What comes after the end is for the stream only where the client may resume it, or never logged in.
late_test_() ->
    [
        ?_assertEqual(Takes, megaphone_c2s:takes_late(megaphone_c2s:new(Stream)))
     || {Takes, Stream} <- [
            {true, #{}},
            {false, #{jid => a}},
            {false, #{jid => a, mgmt_state => inactive}},
            {true, #{jid => a, mgmt_state => pending}}
        ]
    ].

%% What the stream would only put into the log, it never hears.
out_of_turn_test_() ->
    Header = {xmlstreamstart, <<"stream:stream">>, [{<<"id">>, <<"SECRET">>}]},
    [
        ?_assertEqual({unexpected, [], C2s}, megaphone_c2s:event(Event, C2s))
     || {Event, C2s} <- [
            {Header, megaphone_c2s:new(#{stream_state => wait_for_sasl_request})},
            {Header, megaphone_c2s:new(#{stream_state => established})},
            {Header, megaphone_c2s:sleep(<<"a host">>, megaphone_c2s:new(#{stream_state => established}))},
            {?SENT, megaphone_c2s:new(#{stream_state => wait_for_stream})}
        ]
    ].

%% Its client may resume it once its connection is closed.
waits_test_() ->
    Managed = #{stream_state => established, mgmt_state => active, mgmt_timeout => 300000},
    [
        ?_assertEqual({Name, Waits}, {Name, megaphone_c2s:waits(C2s)})
     || {Name, Waits, C2s} <- [
            {"no stream", false, megaphone_c2s:none()},
            {"a stranger", false, megaphone_c2s:new(#{stream_state => wait_for_stream})},
            {"without stream management", false, megaphone_c2s:new(Managed#{mgmt_state := inactive})},
            {"with it", true, megaphone_c2s:new(Managed)},
            {"asleep", true, megaphone_c2s:sleep(<<"a host">>, megaphone_c2s:new(Managed))},
            {"only to count", false, megaphone_c2s:new(Managed#{mgmt_timeout := 0})},
            {"over", false, megaphone_c2s:new(Managed#{stream_state := disconnected})},
            {"waiting", true, megaphone_c2s:new(Managed#{stream_state := disconnected, mgmt_state := pending})},
            {"resumed", false, megaphone_c2s:new(Managed#{mgmt_state := resumed})}
        ]
    ].

someone_test() ->
    ?assertEqual(<<"someone at a host">>, megaphone_c2s:user(<<"a host">>, megaphone_c2s:none())),
    ?assertEqual(<<"someone">>, megaphone_c2s:user(<<>>, megaphone_c2s:none())).
