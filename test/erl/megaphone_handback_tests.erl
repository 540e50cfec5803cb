%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Which stanzas are handed back when a session ends before its client has them.
-module(megaphone_handback_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

owed_test_() ->
    [{Name, ?_assertEqual(IsOwed, megaphone_handback:is_owed(Stanza, #{}))} || {Name, IsOwed, Stanza} <- stanzas()].

%% ejabberd keeps them.
not_where_the_client_may_resume_test_() ->
    [{Name, ?_assertNot(megaphone_handback:is_owed(Stanza, #{mgmt_state => active}))} || {Name, _, Stanza} <- stanzas()].

%% What came after the session's end, or still waits, is put back by the same rule for what is not to come again.
what_is_spare_stays_away_however_it_came_test() ->
    [Chat, Result, Carbon] = [Stanza || Name <- ["chat", "an archive's result", "a carbon"], {N, _, Stanza} <- stanzas(), N =:= Name],
    Stream = #{jid => #jid{}, lserver => <<"localhost">>},
    self() ! {route, Result},
    self() ! {route, Chat},
    ?assertEqual({1, 0}, megaphone_handback:requeue([], [Result, Chat, Carbon], Stream)),
    ?assertEqual([Chat, Chat], routed()).

routed() ->
    receive {route, Stanza} -> [Stanza | routed()] after 0 -> [] end.

stanzas() ->
    Text = #message{type = chat, body = [#text{data = <<"hello">>}]},
    Forwarded = #forwarded{sub_els = [Text]},
    Result = #mam_result{xmlns = ?NS_MAM_2, id = <<"1">>, queryid = <<"q">>, sub_els = [Forwarded]},
    With = fun(El) -> #message{sub_els = [El]} end,
    Raw = fun(Name, Ns) -> #message{sub_els = [#xmlel{name = Name, attrs = [{<<"xmlns">>, Ns}]}]} end,
    [
        {"chat", true, Text},
        {"normal", true, Text#message{type = normal}},
        %% Whether they are stored is for mod_offline to say.
        {"a headline", true, Text#message{type = headline}},
        {"an event", true, With(#ps_event{items = #ps_items{node = <<"n">>, items = []}})},
        {"one of a room", false, Text#message{type = groupchat}},
        {"an error", false, Text#message{type = error}},
        {"a carbon", false, xmpp:put_meta(Text, carbon_copy, true)},
        {"a copy", false, xmpp:put_meta(Text, sm_copy, true)},
        {"an archive's result", false, With(Result)},
        {"an archive's result, as it came from another server", false, With(xmpp:encode(Result))},
        {"of an older archive", false, Raw(<<"result">>, <<"urn:xmpp:mam:0">>)},
        {"of a newer archive", false, Raw(<<"result">>, <<"urn:xmpp:mam:9">>)},
        {"an archive's last word", false, Raw(<<"fin">>, <<"urn:xmpp:mam:0">>)},
        {"what is fetched from offline storage", false, (With(#offline{}))#message{type = chat}},
        {"what is called alike", true, Raw(<<"result">>, <<"urn:example">>)},
        {"what an archive noted in it", true, Raw(<<"archived">>, <<"urn:xmpp:mam:tmp">>)},
        {"a question", true, #iq{type = get, id = <<"1">>}},
        {"a push", true, #iq{type = set, id = <<"1">>}},
        {"an answer", false, #iq{type = result, id = <<"1">>}},
        {"a refusal", false, #iq{type = error, id = <<"1">>}},
        {"presence", false, #presence{}},
        {"an element of the stream", false, #stream_features{}}
    ].
