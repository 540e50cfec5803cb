%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A fault at any place of a session, or of what serves them all: what is told of it holds nothing that users wrote.
-module(megaphone_fault_tests).

-include_lib("eunit/include/eunit.hrl").

%% The logger's handler is this module.
-export([log/2]).

-define(SECRET, <<"what alice wrote to bob">>).

log(Event, #{config := Test}) -> Test ! {logged, Event}.

%% What is logged meanwhile, as text, and what the test returns.
logged(Test) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    #{level := Level} = logger:get_primary_config(),
    ok = logger:set_primary_config(level, all),
    Result = Test(),
    ok = logger:set_primary_config(level, Level),
    ok = logger:remove_handler(?MODULE),
    {lists:flatten(io_lib:format("~0p", [flush()])), Result}.

flush() ->
    receive
        {logged, Event} -> [Event | flush()]
    after 0 -> []
    end.

%% No such state: the callback fails with arguments that hold content.
a_fault_ends_a_session_in_good_order_and_silence_test_() ->
    Calls = [
        {true, fun(S) -> megaphone_session:handle_info({bosh_request, self(), ?SECRET}, S) end},
        {false, fun(S) -> megaphone_session:handle_info({route, {message, ?SECRET}}, S) end},
        {false, fun(S) -> megaphone_session:handle_call(?SECRET, {self(), make_ref()}, S) end},
        {false, fun(S) -> megaphone_session:handle_cast(?SECRET, S) end},
        {true, fun(S) -> megaphone_session:handle_continue({open, megaphone_via_bosh, {self(), ?SECRET}, {{127, 0, 0, 1}, 1}}, S) end}
    ],
    [
        fun() ->
            ok = megaphone_stats:create(),
            State = {no_session, ?SECRET},
            {Text, Result} = logged(fun() -> Call(State) end),
            ?assertEqual({stop, {shutdown, fault}, State}, Result),
            %% Who asked does not wait for ever.
            receive
                {Conn, Status, Answer} ->
                    ?assertEqual({self(), 200}, {Conn, Status}),
                    ?assertMatch({match, _}, re:run(Answer, "internal-server-error"))
            after 0 -> ?assertNot(IsRequest)
            end,
            ?assertMatch({match, _}, re:run(Text, "after a fault")),
            ?assertEqual(nomatch, re:run(Text, "alice"))
        end
     || {IsRequest, Call} <- Calls
    ].

%% With content in its state, in the message at hand, and in the mailbox.
a_fault_of_what_serves_all_is_told_without_content_test_() ->
    [
        {spawn, fun() ->
            ok = megaphone_admission:create_table(),
            process_flag(trap_exit, true),
            {Text, Reason} = logged(fun() ->
                {ok, Pid} = gen_server:start_link(Module, Args, []),
                ok = sys:suspend(Pid),
                _ = sys:replace_state(Pid, fun(_) -> {no_state, ?SECRET} end),
                [Pid ! Message || Message <- [Fails, Fails, Fails]],
                ok = sys:resume(Pid),
                receive {'EXIT', Pid, R} -> R end
            end),
            ?assertMatch({shutdown, {fault, _, [{Module, _, _} | _]}}, Reason),
            ?assertEqual(nomatch, re:run([Text, io_lib:format("~0p", [Reason])], "alice"))
        end}
     || {Module, Args, Fails} <- [
            {megaphone_hub, #{strangers => 1000, per_address => 0, memory => 0}, {self(), ?SECRET}},
            {megaphone_last_answers, [], {'$gen_cast', {send, self(), {self(), 200, ?SECRET}, 24}}}
        ]
    ].

status_hides_content_test() ->
    Status = #{
        state => {session, ?SECRET},
        message => {route, {message, ?SECRET}},
        reason => {{badmatch, ?SECRET}, [{m, f, [?SECRET], []}]},
        log => [{in, ?SECRET}]
    },
    ?assertEqual(
        #{state => session, message => route, reason => badmatch, log => []},
        megaphone_session:format_status(Status)
    ).

places_show_no_arguments_test() ->
    {Text, ok} = logged(fun() ->
        try
            erlang:apply(lists, nth, [?SECRET, ?SECRET])
        catch
            Class:Reason:Stack -> megaphone_fault:log("ends", Class, Reason, Stack)
        end
    end),
    ?assertMatch({match, _}, re:run(Text, "lists")),
    ?assertEqual(nomatch, re:run(Text, "alice")).
