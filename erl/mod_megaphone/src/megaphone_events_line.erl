%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% An event as it is told: a line of JSON (docs/outside.md has its members).
-module(megaphone_events_line).

-export([event/1, head/2, line/2]).

-export_type([event/0]).

-type member() :: {binary(), binary()}.
-type event() ::
    {login, At :: integer(), ejabberd_sm:sid(), jid:jid(), inet:ip_address() | undefined}
    | {logout, At :: integer(), ejabberd_sm:sid(), jid:jid()}
    | {message, At :: integer(), From :: jid:jid(), To :: jid:jid(), Type :: atom(), Id :: binary(), Body :: binary() | none}.

%% @doc Its members, as they wait; `At' in milliseconds since 1970.
-spec event(event()) -> binary().
event({login, At, Sid, Jid, Address}) ->
    members([kind(login), at(At), {<<"jid">>, jid:encode(Jid)}, {<<"session">>, session(Sid)} | address(Address)]);
event({logout, At, Sid, Jid}) ->
    members([kind(logout), at(At), {<<"jid">>, jid:encode(Jid)}, {<<"session">>, session(Sid)}]);
event({message, At, From, To, Type, Id, Body}) ->
    members(
        [kind(message), at(At), {<<"from">>, jid:encode(From)}, {<<"to">>, jid:encode(To)}, {<<"type">>, atom_to_binary(Type)}] ++
            [{<<"id">>, Id} || Id =/= <<>>] ++ [{<<"body">>, Body} || Body =/= none]
    ).

-spec kind(atom()) -> member().
kind(Kind) -> {<<"event">>, atom_to_binary(Kind)}.

-spec at(integer()) -> member().
at(Ms) -> {<<"at">>, list_to_binary(calendar:system_time_to_rfc3339(Ms, [{unit, millisecond}, {offset, "Z"}]))}.

%% Of all nodes, and of all times.
-spec session(ejabberd_sm:sid()) -> binary().
session({{Mega, Second, Micro}, Pid}) ->
    %% Of a process of another node the first number is the node's, as this one counts nodes.
    [_, Id, Serial] = string:lexemes(pid_to_list(Pid), "<.>"),
    Opened = (Mega * 1000000 + Second) * 1000000 + Micro,
    iolist_to_binary([integer_to_binary(Opened, 36), $-, Id, $., Serial]).

-spec address(inet:ip_address() | undefined) -> [member()].
address(undefined) -> [];
address(Address) -> [{<<"ip">>, list_to_binary(inet:ntoa(Address))}].

-spec members([member(), ...]) -> binary().
members(Members) -> iolist_to_binary(lists:join($,, [[string(Name), $:, string(Value)] || {Name, Value} <- Members])).

%% @doc What all lines of a host begin with.
-spec head(node(), Host :: binary()) -> binary().
head(Node, Host) -> <<"{", (members([{<<"node">>, atom_to_binary(Node)}, {<<"host">>, Host}]))/binary>>.

%% @doc Without a line feed.
-spec line(Head :: binary(), megaphone_events_queue:line()) -> binary().
line(Head, {Number, Dropped, Event}) ->
    Told = case Dropped of 0 -> <<>>; _ -> <<",\"dropped\":", (integer_to_binary(Dropped))/binary>> end,
    <<Head/binary, ",\"number\":", (integer_to_binary(Number))/binary, Told/binary, ",", Event/binary, "}">>.

-spec string(binary()) -> iolist().
string(Text) -> [$", escaped(megaphone_chars:legal(Text)), $"].

%% RFC 8259, §7. XML has no more control characters than these.
-spec escaped(binary()) -> binary().
escaped(Text) -> << <<(escape(C))/binary>> || <<C>> <= Text >>.

-spec escape(byte()) -> binary().
escape($") -> <<"\\\"">>;
escape($\\) -> <<"\\\\">>;
escape($\n) -> <<"\\n">>;
escape($\r) -> <<"\\r">>;
escape($\t) -> <<"\\t">>;
escape(C) -> <<C>>.
