%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The characters that XML has (1.0, §2.2). What clients send was checked by a parser, what comes from
%%% commands and modules of the server was not, and one that is none would end its receiver's session.
-module(megaphone_chars).

-export([prepare/0, legal/1]).

%% Control characters, and the two of the basic plane that are no characters; in UTF-8. Surrogates are no UTF-8.
-define(FORBIDDEN, [<<C>> || C <- lists:seq(0, 31), C =/= $\t, C =/= $\n, C =/= $\r] ++ [<<16#FFFE/utf8>>, <<16#FFFF/utf8>>]).

%% @doc To be called once, before the first text.
-spec prepare() -> ok.
prepare() -> persistent_term:put(?MODULE, binary:compile_pattern(?FORBIDDEN)).

%% @doc The same text; what is no character of XML, or no UTF-8, is U+FFFD in it.
-spec legal(binary()) -> binary().
legal(Text) ->
    case is_legal(Text) of
        true -> Text;
        false -> << <<(replace(C))/utf8>> || C <- characters(Text) >>
    end.

-spec is_legal(binary()) -> boolean().
is_legal(Text) ->
    binary:match(Text, persistent_term:get(?MODULE)) =:= nomatch andalso is_binary(unicode:characters_to_binary(Text)).

-spec characters(binary()) -> [char()].
characters(<<C/utf8, Rest/binary>>) -> [C | characters(Rest)];
characters(<<_, Rest/binary>>) -> [16#FFFD | characters(Rest)];
characters(<<>>) -> [].

-spec replace(char()) -> char().
replace(C) when C < 32, C =/= $\t, C =/= $\n, C =/= $\r -> 16#FFFD;
replace(C) when C =:= 16#FFFE; C =:= 16#FFFF -> 16#FFFD;
replace(C) -> C.
