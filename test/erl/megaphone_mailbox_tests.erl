%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a client asked for does not count as too much, for as long as it waits.
-module(megaphone_mailbox_tests).

-include_lib("eunit/include/eunit.hrl").

%% What happens, and the longest mailbox that is not too long then; ten without any of it.
allowed_test_() ->
    [
        {Name, ?_assertEqual(Longest, longest(lists:foldl(fun change/2, megaphone_mailbox:new(10), Changes)))}
     || {Name, Longest, Changes} <- [
            {"nothing was asked for", 10, []},
            {"the client asked, and nothing came", 10, [{asked, 3, 3}]},
            {"others took more than came", 10, [{asked, 3, 2}]},
            {"it brought five", 15, [{asked, 3, 8}]},
            {"twice", 22, [{asked, 3, 8}, {asked, 8, 15}]},
            {"those before it are handled first", 15, [{asked, 3, 8}, handled, handled, handled]},
            {"then they are", 13, [{asked, 3, 8} | lists:duplicate(5, handled)]},
            {"all were handled", 10, [{asked, 3, 8} | lists:duplicate(8, handled)]},
            {"and others since", 10, [{asked, 3, 8} | lists:duplicate(20, handled)]},
            {"and it asks again", 12, [{asked, 3, 8} | lists:duplicate(8, handled)] ++ [{asked, 0, 2}]}
        ]
    ].

change({asked, Before, Length}, Mailbox) -> megaphone_mailbox:asked(Before, Length, Mailbox);
change(handled, Mailbox) -> megaphone_mailbox:handled(Mailbox).

longest(Mailbox) ->
    Longest = lists:last(lists:takewhile(fun(N) -> not megaphone_mailbox:is_too_long(N, Mailbox) end, lists:seq(0, 1000))),
    ?assert(megaphone_mailbox:is_too_long(Longest + 1, Mailbox)),
    Longest.

%% The stream waits for as long as there is much that its client asked for, and much in the mailbox at all.
behind_test() ->
    Asked = megaphone_mailbox:asked(0, 101, megaphone_mailbox:new(10)),
    ?assertNot(megaphone_mailbox:is_behind(Asked)),
    [self() ! {behind, N} || N <- lists:seq(1, 101)],
    ?assert(megaphone_mailbox:is_behind(Asked)),
    ?assertNot(megaphone_mailbox:is_behind(megaphone_mailbox:asked(0, 100, megaphone_mailbox:new(10)))),
    [receive {behind, N} -> ok end || N <- lists:seq(1, 101)].
