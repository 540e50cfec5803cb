%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session could not deliver goes back through ejabberd's router: messages to another
%%% resource or to offline storage, with the time when they were sent; requests to their sender.
-module(megaphone_handback).

-export([is_wanted/1, route/2]).

-define(NS_CARBONS, <<"urn:xmpp:carbons:2">>).

%% @doc Only a bound session has stanzas to hand back, and where the client uses stream management
%% (XEP-0198) ejabberd hands back what was not acknowledged there.
-spec is_wanted(xmpp_stream_in:state()) -> boolean().
is_wanted(#{mgmt_state := State}) when State =/= inactive -> false;
is_wanted(Stream) -> is_map_key(jid, Stream) andalso maps:get(resource, Stream, <<>>) =/= <<>>.

%% @doc Routes the stanzas in these answers, in their order, and tells how many. Times are monotonic
%% milliseconds.
-spec route([{integer(), Body :: binary()}], xmpp_stream_in:state()) -> non_neg_integer().
route(Undelivered, Stream) ->
    lists:sum([stanza(El, sent_at(At), Stream) || {At, Body} <- Undelivered, El <- elements(Body)]).

-spec elements(binary()) -> [megaphone_body:xmlel()].
elements(Body) ->
    {xmlel, _, _, Children} = fxml_stream:parse_element(Body),
    [El || {xmlel, _, _, _} = El <- Children].

-spec sent_at(integer()) -> erlang:timestamp().
sent_at(At) ->
    Micro = erlang:system_time(microsecond) - (erlang:monotonic_time(millisecond) - At) * 1000,
    {Micro div 1000000000000, Micro div 1000000 rem 1000000, Micro rem 1000000}.

-spec stanza(megaphone_body:xmlel(), erlang:timestamp(), xmpp_stream_in:state()) -> 0..1.
stanza({xmlel, <<"message">>, _, Children} = El, At, #{lserver := Server} = Stream) ->
    IsCopy = lists:any(fun(Child) -> has_namespace(?NS_CARBONS, Child) end, Children),
    Type = fxml:get_tag_attr_s(<<"type">>, El),
    %% The resource that got the original has it; rooms and errors know no offline user.
    case IsCopy orelse Type =:= <<"groupchat">> orelse Type =:= <<"error">> of
        true ->
            0;
        false ->
            Message = decode(El, Stream),
            ok = ejabberd_router:route(misc:add_delay_info(Message, jid:make(Server), At, <<"Resent">>)),
            1
    end;
stanza({xmlel, <<"iq">>, _, _} = El, _, #{lang := Lang} = Stream) ->
    case fxml:get_tag_attr_s(<<"type">>, El) of
        Type when Type =:= <<"get">>; Type =:= <<"set">> ->
            Text = <<"User session terminated">>,
            ok = ejabberd_router:route_error(decode(El, Stream), xmpp:err_service_unavailable(Text, Lang)),
            1;
        _ ->
            0
    end;
stanza(_, _, _) ->
    0.

%% It was encoded by this server a moment ago, so it decodes.
-spec decode(megaphone_body:xmlel(), xmpp_stream_in:state()) -> tuple().
decode(El, #{jid := Jid}) ->
    Stanza = xmpp:decode(El, <<"jabber:client">>, [ignore_els]),
    case xmpp:get_to(Stanza) of
        undefined -> xmpp:set_to(Stanza, Jid);
        _ -> Stanza
    end.

-spec has_namespace(binary(), megaphone_body:xmlel() | {xmlcdata, binary()}) -> boolean().
has_namespace(Namespace, {xmlel, _, _, _} = El) -> fxml:get_tag_attr_s(<<"xmlns">>, El) =:= Namespace;
has_namespace(_, _) -> false.
