%%% SPDX-License-Identifier: Apache-2.0
%%% Ids that nobody listens to any more are kept open for a while, and no more of them than may be.
-module(megaphone_comet_lingering_tests).

-include_lib("eunit/include/eunit.hrl").

-define(GATEWAY, gateway@localhost).

lingering_test_() ->
    {setup,
        fun() ->
            %% It may be loaded already.
            _ = application:load(megaphone_comet),
            {ok, Most} = application:get_env(megaphone_comet, idle_rows),
            ok = application:set_env(megaphone_comet, idle_rows, 10),
            Most
        end,
        fun(Most) -> ok = application:set_env(megaphone_comet, idle_rows, Most) end,
        fun no_more_than_may_be/0}.

come(Ids) -> [_ = megaphone_comet_table:join(gateway, Id, ?GATEWAY) || Id <- Ids].

go(Ids, Lingering) -> [ok = megaphone_comet_lingering:leave(gateway, Id, ?GATEWAY, Lingering) || Id <- Ids].

%% The table is the test's, and ends with it.
no_more_than_may_be() ->
    ok = megaphone_comet_table:create(),
    Lingering = megaphone_comet_lingering:new(),
    There = fun() -> [Id || Id <- lists:seq(1, 3000), megaphone_comet_table:number(Id) =/= none] end,
    come(lists:seq(1, 25)),
    go(lists:seq(1, 25), Lingering),
    ?assertEqual(done, megaphone_comet_lingering:expire(Lingering)),
    ?assertEqual(lists:seq(16, 25), There()),
    %% One that is back is none of them, and may go again.
    come([16]),
    come(lists:seq(26, 40)),
    go(lists:seq(26, 40), Lingering),
    ?assertEqual(done, megaphone_comet_lingering:expire(Lingering)),
    ?assertEqual([16 | lists:seq(31, 40)], There()),
    go([16], Lingering),
    come(lists:seq(41, 3000)),
    %% In steps, among other work.
    go(lists:seq(41, 3000), Lingering),
    ?assertEqual(more, megaphone_comet_lingering:expire(Lingering)),
    ok = expire(Lingering),
    ?assertEqual(10, length(There())).

expire(Lingering) -> case megaphone_comet_lingering:expire(Lingering) of more -> expire(Lingering); done -> ok end.
