%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Vectors that both languages are tested with.
-module(megaphone_vectors).

-export([first_tags/0]).

%% Name, the sid and the rid in it or `null', body. A part of a body that is a pair is repeated, a character is a byte.
first_tags() ->
    Source = proplists:get_value(source, ?MODULE:module_info(compile)),
    {ok, Lines} = file:read_file(filename:join([filename:dirname(Source), "..", "vectors", "first-tags.jsonl"])),
    [vector(decode(Line)) || Line <- binary:split(Lines, <<"\n">>, [global, trim])].

vector(#{<<"name">> := Name, <<"sid">> := Sid, <<"rid">> := Rid, <<"body">> := Parts}) ->
    {Name, Sid, Rid, iolist_to_binary([part(Part) || Part <- Parts])}.

part([Text, Times]) -> binary:copy(part(Text), Times);
part(Text) -> unicode:characters_to_binary(Text, utf8, latin1).

%% What ejabberd itself uses is with it: jiffy, or OTP's own from 27 on.
decode(Line) ->
    case code:ensure_loaded(json) of
        {module, json} -> json:decode(Line);
        _ -> jiffy:decode(Line, [return_maps])
    end.
