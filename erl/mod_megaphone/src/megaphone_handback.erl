%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session could not deliver goes back through ejabberd's router: messages to another
%%% resource or to offline storage, with the time when they were sent; requests to their sender.
-module(megaphone_handback).

-export([is_wanted/1, requeue/2, terminated/2]).

-export_type([undelivered/0]).

%% An answer with the time it was made (monotonic milliseconds), or what came when the session had ended.
-type undelivered() :: {integer(), Body :: binary()} | {route, tuple()}.

-define(NS_CARBONS, <<"urn:xmpp:carbons:2">>).

%% @doc Only a bound session has stanzas to hand back, and where the client uses stream management
%% (XEP-0198) ejabberd hands back what was not acknowledged there.
-spec is_wanted(xmpp_stream_in:state()) -> boolean().
is_wanted(#{mgmt_state := State}) when State =/= inactive -> false;
is_wanted(Stream) -> is_map_key(jid, Stream) andalso maps:get(resource, Stream, <<>>) =/= <<>>.

%% @doc Puts the stanzas back into the mailbox, before whatever waits there; returns how many. The
%% stream routes its mailbox when it terminates, once the resource is gone: so the order stays.
-spec requeue([undelivered()], xmpp_stream_in:state()) -> non_neg_integer().
requeue(Undelivered, Stream) ->
    Routes = lists:flatmap(fun(Item) -> routes(Item, Stream) end, Undelivered),
    Waiting = waiting(),
    lists:foreach(fun(Route) -> self() ! Route end, Routes ++ Waiting),
    length(Routes).

%% @doc After the stream's own terminate. When the server stops, ejabberd takes the hook out by which it
%% says `unavailable' for the user, closes its session and routes its mailbox, while sessions end: where
%% that was missed, it is done now.
-spec terminated(term(), xmpp_stream_in:state()) -> ok.
terminated(Reason, #{sid := Sid, jid := Jid} = Stream) ->
    {User, Server, Resource} = jid:tolower(Jid),
    case lists:member(Sid, ejabberd_sm:get_session_sids(User, Server, Resource)) of
        true -> _ = ejabberd_c2s:process_terminated(Stream, Reason), ok;
        false -> ok
    end;
terminated(_, _) ->
    ok.

-spec waiting() -> [{route, tuple()}].
waiting() ->
    receive
        {route, _} = Route -> [Route | waiting()]
    after 0 -> []
    end.

-spec routes(undelivered(), xmpp_stream_in:state()) -> [{route, tuple()}].
routes({route, _} = Route, _) ->
    [Route];
routes({At, Body}, Stream) ->
    {xmlel, _, _, Els} = fxml_stream:parse_element(Body),
    [{route, stanza(El, At, Stream)} || El <- Els, is_handed_back(El)].

%% Carbon copies: the resource that got the original has it. Rooms and errors know no offline user.
-spec is_handed_back(megaphone_body:xmlel()) -> boolean().
is_handed_back({xmlel, <<"message">>, _, Children} = El) ->
    IsCopy = lists:any(fun(Child) -> has_namespace(?NS_CARBONS, Child) end, Children),
    not (IsCopy orelse lists:member(fxml:get_tag_attr_s(<<"type">>, El), [<<"groupchat">>, <<"error">>]));
is_handed_back({xmlel, <<"iq">>, _, _} = El) ->
    lists:member(fxml:get_tag_attr_s(<<"type">>, El), [<<"get">>, <<"set">>]);
is_handed_back(_) ->
    false.

%% It was encoded by this server a moment ago, so it decodes.
-spec stanza(megaphone_body:xmlel(), integer(), xmpp_stream_in:state()) -> tuple().
stanza({xmlel, Name, _, _} = El, At, #{jid := Jid, lserver := Server}) ->
    Decoded = xmpp:decode(El, <<"jabber:client">>, [ignore_els]),
    Stanza = case xmpp:get_to(Decoded) of undefined -> xmpp:set_to(Decoded, Jid); _ -> Decoded end,
    case Name of
        <<"message">> -> misc:add_delay_info(Stanza, jid:make(Server), sent_at(At), <<"Resent">>);
        _ -> Stanza
    end.

-spec sent_at(integer()) -> erlang:timestamp().
sent_at(At) ->
    Micro = erlang:system_time(microsecond) - (erlang:monotonic_time(millisecond) - At) * 1000,
    {Micro div 1000000000000, Micro div 1000000 rem 1000000, Micro rem 1000000}.

-spec has_namespace(binary(), megaphone_body:xmlel() | {xmlcdata, binary()}) -> boolean().
has_namespace(Namespace, {xmlel, _, _, _} = El) -> fxml:get_tag_attr_s(<<"xmlns">>, El) =:= Namespace;
has_namespace(_, _) -> false.
