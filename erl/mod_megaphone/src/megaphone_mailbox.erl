%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How long the mailbox of a session may get. As ejabberd's own processes have it (`max_fsm_queue'), one that is longer
%%% ends the session; but not by what its client asked for itself, such as all that came while it was offline: those
%%% messages are counted, as far as they stand in the mailbox still.
-module(megaphone_mailbox).

-export([new/0, new/1, configured/0, length/0, asked/3, handled/1, is_too_long/2, is_behind/1]).

-export_type([mailbox/0]).

%% The longest; and while there are any: how many messages are in it for the client's own asking, and how many there
%% are up to the last of these.
-opaque mailbox() :: pos_integer() | {pos_integer(), AskedFor :: pos_integer(), Until :: pos_integer()}.

%% Where ejabberd's configuration names none; the default of its own listeners.
-define(LONGEST, 10000).
%% So many messages for the client's own asking may wait before its stream is given more.
-define(MOST_ASKED_FOR, 100).

-spec new() -> mailbox().
new() -> new(?LONGEST).

-spec new(Longest :: pos_integer()) -> mailbox().
new(Longest) -> Longest.

%% @doc As ejabberd's configuration has it.
-spec configured() -> mailbox().
configured() ->
    case lists:keyfind(ejabberd_c2s, 2, ejabberd_option:listen()) of
        {_, _, #{max_fsm_queue := Max}} -> new(Max);
        _ -> new(case ejabberd_option:max_fsm_queue() of undefined -> ?LONGEST; Max -> Max end)
    end.

%% @doc Of the calling process.
-spec length() -> non_neg_integer().
length() ->
    {_, Length} = erlang:process_info(self(), message_queue_len),
    Length.

%% @doc Its length before and after something that the client asked for.
-spec asked(Before :: non_neg_integer(), Length :: non_neg_integer(), mailbox()) -> mailbox().
asked(Before, Length, {Longest, AskedFor, _}) when Length > Before -> {Longest, AskedFor + Length - Before, Length};
asked(Before, Length, Longest) when Length > Before, is_integer(Longest) -> {Longest, Length - Before, Length};
asked(_, _, Mailbox) -> Mailbox.

%% @doc One message less.
-spec handled(mailbox()) -> mailbox().
handled({Longest, _, 1}) -> Longest;
handled({Longest, AskedFor, Until}) -> {Longest, min(AskedFor, Until - 1), Until - 1};
handled(Longest) -> Longest.

-spec is_too_long(Length :: non_neg_integer(), mailbox()) -> boolean().
is_too_long(Length, {Longest, AskedFor, _}) -> Length > Longest + AskedFor;
is_too_long(Length, Longest) -> Length > Longest.

%% @doc Is there so much that the client asked for that it is to have that first?
-spec is_behind(mailbox()) -> boolean().
is_behind({_, AskedFor, _}) when AskedFor > ?MOST_ASKED_FOR -> length() > ?MOST_ASKED_FOR;
is_behind(_) -> false.
