%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Between what a client sends and ejabberd's stream: the events that a BOSH request makes, or the header of a stream, and
%%% the payload that an element of the stream becomes (XEP-0206).
-module(megaphone_stream).

-export([events/2, start/2, payload/1, condition/1, said/1]).

-export_type([event/0]).

-type event() ::
    {xmlstreamstart, binary(), [{binary(), binary()}]}
    | {xmlstreamelement, megaphone_body:xmlel()}
    | {xmlstreamend, binary()}.

-define(NS_STREAM, <<"http://etherx.jabber.org/streams">>).

%% @doc The stream events of a request. The one that creates the session is the one without a sid.
-spec events(megaphone_body:request(), Host :: binary()) -> [event()].
events(#{els := Els} = Request, Host) ->
    IsStart = not is_map_key(sid, Request) orelse is_map_key(restart, Request),
    End = [{xmlstreamend, <<"stream:stream">>} || is_map_key(terminate, Request)],
    %% XEP-0206 §5: a restart need not repeat what the creation request said.
    Version = case Request of #{restart := true} -> #{version => <<"1.0">>}; _ -> #{} end,
    [start(maps:merge(Version, Request), Host) || IsStart] ++ [{xmlstreamelement, El} || El <- Els] ++ End.

%% @doc A stream's header, of what the client says of it.
-spec start(#{to => binary(), from => binary(), lang => binary(), version => binary(), _ => _}, Host :: binary()) -> event().
start(Header, Host) ->
    {xmlstreamstart, <<"stream:stream">>, [
        {<<"to">>, maps:get(to, Header, Host)},
        {<<"xmlns">>, <<"jabber:client">>},
        {<<"xmlns:stream">>, ?NS_STREAM}
        | [
            {Name, map_get(Key, Header)}
         || {Key, Name} <- [{from, <<"from">>}, {lang, <<"xml:lang">>}, {version, <<"version">>}], is_map_key(Key, Header)
        ]
    ]}.

%% @doc An element that the stream sent. Stanzas leave the stream in its default namespace, which the wrapper does not share (XEP-0206 §1).
-spec payload(megaphone_body:xmlel()) -> {binary(), stream | stanza | presence}.
payload({xmlel, Name, Attrs, Children} = El) ->
    case {Name, lists:keymember(<<"xmlns">>, 1, Attrs)} of
        {<<"stream:", _/binary>>, _} -> {write(El), stream};
        {_, true} -> {write(El), stanza};
        {<<"presence">>, _} -> {in_jabber_client(Name, Attrs, Children), presence};
        _ -> {in_jabber_client(Name, Attrs, Children), stanza}
    end.

-spec in_jabber_client(binary(), [{binary(), binary()}], [megaphone_body:xmlel() | {xmlcdata, binary()}]) -> binary().
in_jabber_client(Name, Attrs, Children) ->
    write({xmlel, Name, [{<<"xmlns">>, <<"jabber:client">>} | Attrs], Children}).

-spec write(megaphone_body:xmlel()) -> binary().
write(El) -> megaphone_chars:legal(fxml:element_to_binary(El)).

%% @doc §17.2: the stream errors that are conditions of BOSH too; the others travel in `remote-stream-error'.
-spec condition([megaphone_body:xmlel() | {xmlcdata, binary()}]) -> megaphone_condition:condition().
condition(Children) ->
    case [Name || {xmlel, Name, _, _} <- Children, is_bosh_condition(Name)] of
        [Condition | _] -> Condition;
        [] -> <<"remote-stream-error">>
    end.

%% @doc The stream's own word for it (RFC 6120 §4.9.2).
-spec said([megaphone_body:xmlel() | {xmlcdata, binary()}]) -> Condition :: binary() | none.
said(Children) ->
    case [Name || {xmlel, Name, _, _} <- Children, Name =/= <<"text">>] of
        [Condition | _] -> Condition;
        [] -> none
    end.

-spec is_bosh_condition(binary()) -> boolean().
is_bosh_condition(Name) ->
    lists:member(Name, [<<"host-gone">>, <<"host-unknown">>, <<"improper-addressing">>, <<"system-shutdown">>]).
