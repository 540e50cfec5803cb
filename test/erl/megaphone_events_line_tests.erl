%%% SPDX-License-Identifier: GPL-2.0-or-later
-module(megaphone_events_line_tests).
-include_lib("eunit/include/eunit.hrl").
-include("jid.hrl").

jid(User) -> #jid{user = User, server = <<"h">>, resource = <<"web">>, luser = User, lserver = <<"h">>, lresource = <<"web">>}.

line(Event, Dropped) ->
    ok = megaphone_chars:prepare(),
    megaphone_events_line:line(megaphone_events_line:head('n@h', <<"h">>), {7, Dropped, megaphone_events_line:event(Event)}).

login_test() ->
    Session = <<"1.", (list_to_binary(string:trim(lists:nthtail(3, pid_to_list(self())), trailing, ">")))/binary>>,
    <<"1.", Pid/binary>> = Session,
    ?assertEqual(
        <<"{\"node\":\"n@h\",\"host\":\"h\",\"number\":7,\"dropped\":3,\"event\":\"login\",\"at\":\"1970-01-01T00:00:01.500Z\","
          "\"jid\":\"alice@h/web\",\"session\":\"KF12OI-", Pid/binary, "\",\"ip\":\"::1\"}">>,
        line({login, 1500, {{0, 1234, 567890}, self()}, jid(<<"alice">>), {0, 0, 0, 0, 0, 0, 0, 1}}, 3)
    ).

what_json_has_not_is_escaped_test() ->
    ?assertEqual(
        <<"{\"node\":\"n@h\",\"host\":\"h\",\"number\":7,\"event\":\"message\",\"at\":\"1970-01-01T00:00:00.000Z\","
          "\"from\":\"a@h/web\",\"to\":\"b@h/web\",\"type\":\"chat\",\"id\":\"\\\"\\\\\",\"body\":\"\\n\\t\\r",
          16#FFFD/utf8, $ü/utf8, 16#1F600/utf8, "\"}">>,
        line({message, 0, jid(<<"a">>), jid(<<"b">>), chat, <<"\"\\">>, <<"\n\t\r", 27, $ü/utf8, 16#1F600/utf8>>}, 0)
    ).

no_body_unless_there_is_one_test() ->
    ?assertEqual(nomatch, binary:match(line({message, 0, jid(<<"a">>), jid(<<"b">>), chat, <<>>, none}, 0), [<<"body">>, <<"\"id\"">>])).
