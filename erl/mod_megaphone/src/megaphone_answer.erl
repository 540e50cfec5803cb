%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the <body/> of an answer says beside its stanzas: how the session was created, in its first (XEP-0124 §7.2);
%%% which answer the client does not have (§9.2), and which requests we have (§9.1); that the session ends (§13, §17).
-module(megaphone_answer).

-export([creation/4, authid/2, write/3]).

-export_type([say/0, content/0]).

-type attributes() :: [{binary(), binary() | integer()}].
%% What is to be said soon, once.
-type say() :: {creation, attributes()} | {report, megaphone_body:rid(), Ago :: integer()} | nothing.
-type content() :: {megaphone_condition:condition() | none, UsesStream :: boolean(), [megaphone_queue:item()]}.

%% The version whose rules these are.
-define(VERSION, {1, 11}).

%% @doc What the client is told of its session.
-spec creation(megaphone_body:request(), megaphone_sid:sid(), {Wait :: non_neg_integer(), Hold :: non_neg_integer()}, megaphone_bosh:limits()) ->
    say().
creation(#{rid := Rid} = Request, Sid, {Wait, Hold}, #{inactivity := Inactivity, polling := Polling, maxpause := MaxPause}) ->
    {creation,
        [
            {<<"sid">>, Sid},
            {<<"wait">>, Wait},
            {<<"requests">>, Hold + 1},
            {<<"hold">>, Hold},
            {<<"inactivity">>, Inactivity},
            {<<"polling">>, Polling},
            {<<"maxpause">>, MaxPause}
        ] ++
            [{<<"ver">>, format_version(min(V, ?VERSION))} || {ok, V} <- [maps:find(ver, Request)]] ++
            [{<<"ack">>, Rid} || megaphone_proof:new(Request) =:= acks] ++
            [{<<"from">>, To} || {ok, To} <- [maps:find(to, Request)]]}.

-spec format_version({non_neg_integer(), non_neg_integer()}) -> binary().
format_version({Major, Minor}) ->
    <<(integer_to_binary(Major))/binary, $., (integer_to_binary(Minor))/binary>>.

%% @doc Adds the stream's id, for clients without SASL (XEP-0206 §3).
-spec authid(binary(), say()) -> say().
authid(Id, {creation, Attributes}) -> {creation, Attributes ++ [{<<"authid">>, Id}]};
authid(_, Say) -> Say.

%% @doc `Ack': up to this rid we have all requests, unless it is that of the request answered.
-spec write(say(), Ack :: megaphone_body:rid() | none, content()) -> binary().
write(Say, Ack, {Condition, UsesStream, Items}) ->
    Attributes = created(Say) ++ ending(Condition) ++ stream(UsesStream) ++ acknowledged(Ack) ++ report(Say),
    megaphone_body:write(Attributes, megaphone_queue:payloads(Items)).

%% XEP-0206 §2, §5: the version of XMPP, and that `restart' is understood.
-spec created(say()) -> attributes().
created({creation, Attributes}) ->
    Attributes ++
        [
            {<<"xmlns:xmpp">>, <<"urn:xmpp:xbosh">>},
            {<<"xmpp:version">>, <<"1.0">>},
            {<<"xmpp:restartlogic">>, <<"true">>}
        ];
created(_) ->
    [].

-spec ending(megaphone_condition:condition() | none) -> attributes().
ending(none) -> [];
ending(Condition) -> megaphone_condition:attributes(Condition).

-spec stream(boolean()) -> attributes().
stream(true) -> [{<<"xmlns:stream">>, <<"http://etherx.jabber.org/streams">>}];
stream(false) -> [].

-spec acknowledged(megaphone_body:rid() | none) -> attributes().
acknowledged(none) -> [];
acknowledged(Rid) -> [{<<"ack">>, Rid}].

-spec report(say()) -> attributes().
report({report, Rid, Ago}) -> [{<<"report">>, Rid}, {<<"time">>, Ago}];
report(_) -> [].
