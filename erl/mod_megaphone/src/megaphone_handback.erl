%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session could not deliver goes back through ejabberd's router: messages to another resource or to offline
%%% storage, with the time when they came; requests to their sender. But where the client logs in again, messages go to its
%%% new session (megaphone_handover). Each stanza goes back as the stream sent it, with the notes that ejabberd made in it
%%% on its way: one that is in the archive is not archived again.
-module(megaphone_handback).

-export([is_owed/2, is_resumable/1, requeue/3, terminated/2]).

-type owed() :: megaphone_queue:owed().
-type stanza() :: tuple().

%% @doc Is this to reach the user though the session should end before it does? Where the client uses
%% stream management (XEP-0198), ejabberd keeps what it sends. Rooms and errors know no offline user, and
%% stream elements nobody else.
-spec is_owed(stanza() | tuple(), xmpp_stream_in:state()) -> boolean().
is_owed(Stanza, Stream) when element(1, Stanza) =:= message ->
    not (lists:member(xmpp:get_type(Stanza), [groupchat, error]) orelse
        is_spare(Stanza) orelse
        is_resumable(Stream));
is_owed(Stanza, Stream) when element(1, Stanza) =:= iq ->
    lists:member(xmpp:get_type(Stanza), [get, set]) andalso not is_resumable(Stream);
is_owed(_, _) ->
    false.

%% Of copies another resource has the original. What the client fetched from an archive (XEP-0313), or from
%% offline storage itself (XEP-0013), is still there, and was for the resource that asked.
-spec is_spare(stanza()) -> boolean().
is_spare(Stanza) when element(1, Stanza) =:= message ->
    xmpp:get_meta(Stanza, carbon_copy, false) orelse
        xmpp:get_meta(Stanza, sm_copy, false) orelse
        lists:any(fun is_fetched/1, xmpp:get_els(Stanza));
is_spare(_) ->
    false.

-spec is_fetched(tuple()) -> boolean().
is_fetched(El) ->
    case {xmpp:get_ns(El), xmpp:get_name(El)} of
        {<<"urn:xmpp:mam:", _/binary>>, Name} -> Name =:= <<"result">> orelse Name =:= <<"fin">>;
        {<<"http://jabber.org/protocol/offline">>, Name} -> Name =:= <<"offline">>;
        _ -> false
    end.

%% @doc May the client resume this stream (XEP-0198) after its session's end?
-spec is_resumable(xmpp_stream_in:state()) -> boolean().
is_resumable(#{mgmt_state := State}) -> State =/= inactive;
is_resumable(_) -> false.

%% @doc Puts the stanzas back into the mailbox, before those that came there late and whatever waits; tells
%% how many, and how many could not be. The stream routes its mailbox when it terminates, once the
%% resource is gone, or hands it over: so the order stays.
-spec requeue([owed()], Late :: [stanza()], xmpp_stream_in:state()) -> {non_neg_integer(), Failed :: non_neg_integer()}.
requeue(Owed, Late, Stream) ->
    Stanzas = lists:flatmap(fun(Item) -> stanza(Item, Stream) end, Owed),
    [Late1, Waiting] = [[Stanza || Stanza <- Came, goes_on(Stream) orelse not is_spare(Stanza)]
                        || Came <- [Late, megaphone_handover:take_routed()]],
    ok = megaphone_handover:offer(),
    ok = case {Stanzas ++ Late1 ++ Waiting, Stream} of
        {[_ | _], #{jid := Jid}} -> megaphone_handover:hands_back(Jid);
        _ -> ok
    end,
    lists:foreach(fun(Stanza) -> self() ! {route, Stanza} end, Stanzas ++ Late1 ++ Waiting),
    {length(Stanzas) + length(Late1), length(Owed) - length(Stanzas)}.

%% The client resumed it (XEP-0198): all of it is for its new process.
-spec goes_on(xmpp_stream_in:state()) -> boolean().
goes_on(#{mgmt_state := State}) -> State =:= resumed;
goes_on(_) -> false.

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

%% Each on its own: one that is odd must not take the others with it.
-spec stanza(owed(), xmpp_stream_in:state()) -> [stanza()].
stanza({At, Stanza}, #{jid := Jid, lserver := Server}) ->
    try
        Addressed = case xmpp:get_to(Stanza) of undefined -> xmpp:set_to(Stanza, Jid); _ -> Stanza end,
        case Addressed of
            _ when element(1, Addressed) =:= message ->
                [misc:add_delay_info(Addressed, jid:make(Server), came_at(At), <<"Resent">>)];
            _ ->
                [Addressed]
        end
    catch
        Class:Reason:Stack ->
            ok = megaphone_fault:log("hands back all but one stanza", Class, Reason, Stack),
            []
    end.

%% From the clock that never jumps to the one of the world.
-spec came_at(integer()) -> erlang:timestamp().
came_at(At) ->
    Micro = erlang:system_time(microsecond) - (erlang:monotonic_time(millisecond) - At) * 1000,
    {Micro div 1000000000000, Micro div 1000000 rem 1000000, Micro rem 1000000}.
