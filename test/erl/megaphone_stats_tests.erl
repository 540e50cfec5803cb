%%% What the module counts: logins by how long they took.
-module(megaphone_stats_tests).

-include_lib("eunit/include/eunit.hrl").

logins_test() ->
    ok = megaphone_stats:create(),
    #{login_ms := Before} = megaphone_stats:all(),
    Took = [0, 50, 51, 10000, 10001, 3600000],
    ok = lists:foreach(fun megaphone_stats:login/1, Took),
    #{login_ms := After} = megaphone_stats:all(),
    Grown = maps:filter(fun(_, N) -> N > 0 end, maps:map(fun(Bound, N) -> N - map_get(Bound, Before) end, After)),
    Expected = #{<<"50">> => 2, <<"100">> => 1, <<"10000">> => 1, <<"infinity">> => 2, <<"sum">> => lists:sum(Took)},
    ?assertEqual(Expected, Grown).
