%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Whatever bytes a stanza holds, what goes to its client is well-formed, and what was is not changed.
-module(prop_megaphone_chars).

-include_lib("proper/include/proper.hrl").

-export([prop_always_well_formed/0, prop_legal_text_stays/0]).

prop_always_well_formed() ->
    ?FORALL(
        Bytes,
        oneof([binary(), ?LET(L, list(oneof([range(0, 127), 16#EF, 16#BF, 16#BE, 16#ED, 16#A0])), list_to_binary(L))]),
        begin
            ok = megaphone_chars:prepare(),
            Written = fxml:element_to_binary({xmlel, <<"a">>, [{<<"b">>, Bytes}], [{xmlcdata, Bytes}]}),
            Legal = megaphone_chars:legal(Written),
            xmlel =:= element(1, fxml_stream:parse_element(Legal)) andalso
                lists:all(fun is_char/1, unicode:characters_to_list(Legal))
        end
    ).

prop_legal_text_stays() ->
    ?FORALL(
        Chars,
        list(?SUCHTHAT(C, oneof([range(0, 16#FFFF), range(0, 16#10FFFF)]), is_char(C))),
        begin
            ok = megaphone_chars:prepare(),
            Text = unicode:characters_to_binary(Chars),
            megaphone_chars:legal(Text) =:= Text
        end
    ).

%% XML 1.0 §2.2.
is_char(C) ->
    lists:member(C, [9, 10, 13]) orelse (C >= 16#20 andalso C =< 16#D7FF) orelse (C >= 16#E000 andalso C =< 16#FFFD) orelse
        (C >= 16#10000 andalso C =< 16#10FFFF).
