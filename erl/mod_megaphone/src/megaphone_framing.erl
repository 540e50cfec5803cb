%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The frames of XMPP over WebSocket (RFC 7395 §3.3): each is one element that stands for itself, with all of its
%%% namespaces. <open/> and <close/> begin and end a stream, and nothing else of the framing's namespace is known.
%%%
%%%   what a client sends                                      | what it is
%%%   <open/> or <close/>, of the framing's namespace or none  | open, close
%%%   the same, of another namespace                           | invalid-namespace
%%%   <stream:stream/>, as over TCP                            | bad-format
%%%   any other element, with its namespace or without it      | stanza
%%%   white space before or after one                          | ·
%%%   no element, half of one, or one and something else       | not-well-formed
%%%   comments, processing instructions, a DTD                 | restricted-xml
%%%   what is no UTF-8, or is declared to be none              | unsupported-encoding
%%%   more of anything than stanzas have                       | policy-violation
%%%
%%% (·: nothing changes. What has a name of its own is the condition of a stream error, RFC 6120 §4.9.3.) As ejabberd's own
%%% does it: clients that leave `jabber:client' out, or send white space around, exist.
-module(megaphone_framing).

-export([read/2, header/0, open/1, close/0, element/1, error/1]).

-export_type([frame/0, open/0]).

-type xmlel() :: megaphone_body:xmlel().
%% Of the attributes only those that it has.
-type open() :: #{to => binary(), from => binary(), lang => binary(), version => binary()}.
-type frame() :: {open, open()} | close | {stanza, xmlel()} | {error, StreamError :: binary()}.

-define(NS_FRAMING, <<"urn:ietf:params:xml:ns:xmpp-framing">>).
-define(NS_STREAM, <<"http://etherx.jabber.org/streams">>).
-define(NS_STREAMS, <<"urn:ietf:params:xml:ns:xmpp-streams">>).

%% @doc A frame of at most so many elements and attributes.
-spec read(binary(), MaxParts :: pos_integer()) -> frame().
read(Frame, MaxParts) ->
    case megaphone_markup:parse(Frame, MaxParts) of
        {ok, {xmlel, Name, Attrs, _} = El} -> kind(Name, Attrs, El);
        {error, Error} -> {error, condition(Error)}
    end.

-spec kind(binary(), [{binary(), binary()}], xmlel()) -> frame().
kind(<<"open">>, Attrs, _) -> framing({open, lists:foldl(fun put_attribute/2, #{}, Attrs)}, Attrs);
kind(<<"close">>, Attrs, _) -> framing(close, Attrs);
kind(<<"stream:stream">>, _, _) -> {error, <<"bad-format">>};
kind(_, _, El) -> {stanza, El}.

-spec framing(frame(), [{binary(), binary()}]) -> frame().
framing(Frame, Attrs) ->
    case lists:keyfind(<<"xmlns">>, 1, Attrs) of
        {_, Other} when Other =/= ?NS_FRAMING -> {error, <<"invalid-namespace">>};
        _ -> Frame
    end.

-spec put_attribute({binary(), binary()}, open()) -> open().
put_attribute({<<"to">>, V}, Open) -> Open#{to => V};
put_attribute({<<"from">>, V}, Open) -> Open#{from => V};
put_attribute({<<"xml:lang">>, V}, Open) -> Open#{lang => V};
put_attribute({<<"version">>, V}, Open) -> Open#{version => V};
put_attribute(_, Open) -> Open.

-spec condition(megaphone_markup:error()) -> binary().
condition(not_well_formed) -> <<"not-well-formed">>;
condition(not_utf8) -> <<"unsupported-encoding">>;
condition(forbidden_markup) -> <<"restricted-xml">>;
condition(too_complex) -> <<"policy-violation">>.

%% @doc The server's own, where the stream has said none.
-spec header() -> iodata().
header() ->
    Id = binary:encode_hex(crypto:strong_rand_bytes(8)),
    open([{<<"from">>, ejabberd_config:get_myname()}, {<<"id">>, Id}, {<<"version">>, <<"1.0">>}]).

%% @doc From the attributes of a stream's header, which declares what is the stream's own.
-spec open([{binary(), binary()}]) -> binary().
open(Attrs) ->
    Own = [Attr || {Name, _} = Attr <- Attrs, Name =/= <<"xmlns">>, Name =/= <<"xmlns:stream">>],
    write(<<"open">>, [{<<"xmlns">>, ?NS_FRAMING} | Own], []).

-spec close() -> binary().
close() -> <<"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>">>.

%% @doc An element that the stream sent. In another frame nothing is declared for it.
-spec element(xmlel()) -> {binary(), megaphone_queue:kind()}.
element({xmlel, <<"stream:", _/binary>> = Name, Attrs, Children}) ->
    Declared = lists:keystore(<<"xmlns:stream">>, 1, Attrs, {<<"xmlns:stream">>, ?NS_STREAM}),
    megaphone_stream:payload({xmlel, Name, Declared, Children});
element(El) ->
    megaphone_stream:payload(El).

%% @doc §3.5: where the stream has none of its own to send.
-spec error(Condition :: binary()) -> binary().
error(Condition) ->
    Reason = {xmlel, Condition, [{<<"xmlns">>, ?NS_STREAMS}], []},
    write(<<"stream:error">>, [{<<"xmlns:stream">>, ?NS_STREAM}], [Reason]).

-spec write(binary(), [{binary(), binary()}], [xmlel()]) -> binary().
write(Name, Attrs, Children) -> megaphone_chars:legal(fxml:element_to_binary({xmlel, Name, Attrs, Children})).
