%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Events as they happen: ejabberd's hooks, which run in the processes of the sessions. There is a hook for what the configuration
%%% asks for alone; each event is one small message to the host's megaphone_events_teller, or one more that is dropped, where that
%%% does not keep up.
-module(megaphone_events_hooks).

-export([add/2, delete/1, serves/4, teller/1, gone/1]).
-export([login/3, logout/3, message/1]).

-export_type([what/0]).

-include("xmpp.hrl").

-type what() :: logins | logouts | messages | bodies.

%% An event on its way to the teller, without its body.
-define(EACH_BYTES, 500).

-spec add(binary(), [what()]) -> ok.
add(Host, What) -> change(add, Host, What).

-spec delete(binary()) -> ok.
delete(Host) -> change(delete, Host, [logins, logouts, messages]).

%% Logins before the hook that may wait for the session before (megaphone_handover); messages behind those who may drop them.
-spec change(add | delete, binary(), [what()]) -> ok.
change(Change, Host, What) ->
    Hooks = [{sm_register_connection_hook, login, 40} || lists:member(logins, What)] ++
        [{sm_remove_connection_hook, logout, 60} || lists:member(logouts, What)] ++
        [{user_send_packet, message, 95} || lists:member(messages, What) orelse lists:member(bodies, What)],
    lists:foreach(fun({Hook, Function, Order}) -> ejabberd_hooks:Change(Hook, Host, ?MODULE, Function, Order) end, Hooks).

%% @doc This process tells the events of that host. What is on its way to it is counted: bytes, and how many did not fit.
-spec serves(binary(), [what()], Bytes :: pos_integer(), atomics:atomics_ref()) -> ok.
serves(Host, What, Bytes, Under) ->
    persistent_term:put({?MODULE, Host}, {self(), Under, Bytes, lists:member(bodies, What)}).

%% @doc Which does, if any.
-spec teller(binary()) -> pid() | none.
teller(Host) ->
    case persistent_term:get({?MODULE, Host}, none) of
        {Teller, _, _, _} -> Teller;
        none -> none
    end.

-spec gone(binary()) -> ok.
gone(Host) ->
    _ = persistent_term:erase({?MODULE, Host}),
    ok.

%% @doc A hook: somebody logged in.
-spec login(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
login(Sid, #jid{lserver = Host} = Jid, Info) ->
    Address = case lists:keyfind(ip, 1, Info) of {ip, {Ip, _}} -> Ip; _ -> undefined end,
    tell(Host, {login, now_ms(), Sid, Jid, Address}, 0).

%% @doc A hook: a session ended.
-spec logout(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
logout(Sid, #jid{lserver = Host} = Jid, _) ->
    tell(Host, {logout, now_ms(), Sid, Jid}, 0).

%% @doc A hook: a user sends this, and nobody dropped it. What has no text (states, receipts) is none of a portal's affair.
-spec message({stanza() | drop, State}) -> {stanza() | drop, State} when State :: xmpp_stream_in:state().
message({#message{type = Type, from = #jid{lserver = Host} = From, to = #jid{} = To, id = Id, body = [_ | _] = Body}, _} = Acc) when Type =/= error ->
    case persistent_term:get({?MODULE, Host}, none) of
        {_, _, _, true} ->
            Text = xmpp:get_text(Body),
            tell(Host, {message, now_ms(), From, To, Type, Id, Text}, byte_size(Text));
        _ ->
            tell(Host, {message, now_ms(), From, To, Type, Id, none}, 0)
    end,
    Acc;
message(Acc) ->
    Acc.

-spec tell(binary(), megaphone_events_line:event(), non_neg_integer()) -> ok.
tell(Host, Event, More) ->
    case persistent_term:get({?MODULE, Host}, none) of
        {Teller, Under, Most, _} ->
            Bytes = ?EACH_BYTES + More,
            case atomics:add_get(Under, 1, Bytes) > Most of
                true -> ok = atomics:sub(Under, 1, Bytes), atomics:add(Under, 2, 1);
                false -> gen_server:cast(Teller, {event, Bytes, Event})
            end;
        none ->
            ok
    end.

-spec now_ms() -> integer().
now_ms() -> erlang:system_time(millisecond).
