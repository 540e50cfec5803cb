%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the <body/> of an answer says beside its stanzas: how the session was created, in its first (XEP-0124 §7.2);
%%% which answer the client does not have (§9.2), and which requests we have (§9.1); that the session ends (§13, §17).
-module(megaphone_answer).

-export([creation/4, authid/2, report/3, first/6, blank/2, final/2]).

-export_type([say/0, what/0]).

-type attributes() :: [{binary(), binary() | integer()}].
%% What is to be said soon, once.
-type say() :: {creation, attributes()} | {report, rid(), Ago :: integer()} | nothing.
-type rid() :: megaphone_body:rid().
%% With what waits for the client; with nothing; or as the last, with a stream error or nothing more.
-type what() :: payload | empty | {terminate, megaphone_condition:condition(), Error :: iodata()}.
-type content() :: {megaphone_condition:condition() | none, UsesStream :: boolean(), [megaphone_queue:item()]}.

%% The version whose rules these are.
-define(VERSION, {1, 11}).

%% @doc What the client is told of its session.
-spec creation(megaphone_body:request(), megaphone_sid:sid(), {Wait :: non_neg_integer(), Hold :: non_neg_integer()}, mod_megaphone:limits()) ->
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

%% @doc Which answer the client does not have, and when it was sent.
-spec report(Missed :: {rid(), Sent :: integer()} | none, Now :: integer(), say()) -> say().
report({Rid, Sent}, Now, _) -> {report, Rid, Now - Sent};
report(none, _, {report, _, _}) -> nothing;
report(none, _, Say) -> Say.

%% @doc Answers the first request that has a connection, within the limit of an answer. Those before it get one with nothing
%% in it, kept for their repeats. `Received': up to this rid we have all requests of one that acknowledges (§9.1).
-spec first(what(), {say(), Received :: rid() | none, Legacy :: boolean(), Limit :: pos_integer()}, Now :: integer(), Requests, Kept, Out) ->
    {megaphone_kept:answer(), Requests, Kept, Out}
when
    Requests :: megaphone_requests:requests(), Kept :: megaphone_kept:kept(), Out :: megaphone_queue:queue().
first(What, {Say, Received, Legacy, Limit}, Now, Requests, Kept, Out) ->
    {{Condition, _, Items} = Content, Out1} = content(What, Limit, Now, Out),
    Kind = case Items of [] -> blank; _ -> payload end,
    {Cut, {Rid, Conn, Key}, Requests1} = megaphone_requests:answer(Kind, Requests),
    Blank = fun({CutRid, _} = Id, K) -> megaphone_kept:add(Id, 200, {blank, blank(CutRid, Received)}, [], Now, K) end,
    Status = case Condition of none -> 200; _ -> megaphone_condition:status(Legacy, Condition) end,
    Body = write(Say, Rid, Received, Content),
    Kept1 = megaphone_kept:add({Rid, Key}, Status, {Kind, Body}, megaphone_queue:owed(Items), Now, lists:foldl(Blank, Kept, Cut)),
    {{Rid, Conn, Status, Body}, Requests1, Kept1, Out1}.

-spec content(what(), Limit :: pos_integer(), Now :: integer(), megaphone_queue:queue()) -> {content(), megaphone_queue:queue()}.
content(empty, _, _, Out) ->
    {{none, false, []}, Out};
content(What, Limit, Now, Out) ->
    {Items, UsesStream, Rest} = megaphone_queue:take(Limit, Now, Out),
    case What of
        payload -> {{none, UsesStream, Items}, Rest};
        {terminate, Condition, []} -> {{Condition, UsesStream, Items}, Rest};
        {terminate, Condition, Error} -> {{Condition, true, Items ++ [{Error, none}]}, Rest}
    end.

%% @doc One with nothing in it.
-spec blank(rid() | none, Received :: rid() | none) -> binary().
blank(Rid, Received) -> write(nothing, Rid, Received, {none, false, []}).

%% @doc For whoever comes after the last.
-spec final(megaphone_condition:condition(), Error :: iodata()) -> binary().
final(Condition, Error) ->
    {Content, _} = content({terminate, Condition, Error}, 1, 0, megaphone_queue:new()),
    write(nothing, none, none, Content).

-spec write(say(), rid() | none, Received :: rid() | none, content()) -> binary().
write(Say, Rid, Received, {Condition, UsesStream, Items}) ->
    Attributes = created(Say) ++ ending(Condition) ++ stream(UsesStream) ++ acknowledged(Rid, Received) ++ report(Say),
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

%% Left out where it would be the rid of the request answered.
-spec acknowledged(rid() | none, Received :: rid() | none) -> attributes().
acknowledged(_, none) -> [];
acknowledged(Rid, Rid) -> [];
acknowledged(_, Received) -> [{<<"ack">>, Received}].

-spec report(say()) -> attributes().
report({report, Rid, Ago}) -> [{<<"report">>, Rid}, {<<"time">>, Ago}];
report(_) -> [].
