%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% ejabberd's part of a session on its way to another node: the stream's state as plain terms, with no clock and no process of
%%% a node in it, and its row in ejabberd's table of sessions. It is taken over as XEP-0198 has a stream resumed, but whole: no
%%% hook tells others that somebody came or went.
%%%
%%% | in the state                       | on its way                       | there                                       |
%%% |------------------------------------|----------------------------------|---------------------------------------------|
%%% | owner, the socket's monitor        | -                                | the new process, a reference of its own     |
%%% | the session's id                   | as it is                         | the same time and a little more, the new process |
%%% | timers of mod_stream_mgmt          | milliseconds left                | new ones                                    |
%%% | its queue, if it is a file         | in memory                        | a file again                                |
%%% | the time-out of the stream         | milliseconds since               | the same                                    |
-module(megaphone_passage).

-export([release/0, export/1, import/1, row/1, open/2, ask/1, name/1, close/1]).

-export_type([row/0, name/0]).

-include("ejabberd_sm.hrl").

-type stream() :: xmpp_stream_in:state().
-type name() :: #{sid => ejabberd_sm:sid(), jid => jid:jid(), user => binary(), server => binary(), resource => binary()}.
-type row() :: {Priority :: integer() | undefined, ejabberd_sm:info()}.

-define(TIMERS, #{mgmt_ack_timer => ack_timeout, mgmt_pending_timer => pending_timeout}).

%% @doc Nodes where this differs do not understand each other's streams.
-spec release() -> term().
release() -> [application:get_key(App, vsn) || App <- [ejabberd, xmpp, fast_xml]].

%% @doc As plain terms; the stream itself goes on, if it has to.
-spec export(stream()) -> stream().
export(Stream) ->
    ok = pass_ids(),
    maps:map(fun out/2, maps:without([owner, socket_monitor], Stream)).

-spec out(atom(), term()) -> term().
out(mgmt_queue, Queue) -> p1_queue:file_to_ram(Queue);
out(stream_timeout, {Timeout, At}) -> {Timeout, At - now_ms()};
out(Key, Timer) when is_map_key(Key, ?TIMERS), is_reference(Timer) ->
    %% One that just ran out says so in a message, which nobody will know there.
    case erlang:read_timer(Timer) of false -> 0; Left -> Left end;
out(_, Value) -> Value.

%% @doc Of the calling process.
-spec import(stream()) -> stream().
import(#{sid := {Time, _}} = Exported) ->
    ok = pass_ids(),
    Stream = maps:map(fun(Key, Value) -> in(Key, Value, Exported) end, Exported),
    shape(Stream#{owner => self(), socket_monitor => make_ref(), sid := {later(Time), self()}}).

-spec in(atom(), term(), stream()) -> term().
in(mgmt_queue, Queue, #{mgmt_queue_type := file}) -> p1_queue:ram_to_file(Queue);
in(stream_timeout, {Timeout, Age}, _) -> {Timeout, Age + now_ms()};
in(Key, Left, _) when is_map_key(Key, ?TIMERS), is_integer(Left) -> erlang:start_timer(Left, self(), map_get(Key, ?TIMERS));
in(_, Value, _) -> Value.

%% Of two with a resource ejabberd takes the later; one who logs in meanwhile is to be later than this.
-spec later(erlang:timestamp()) -> erlang:timestamp().
later({Mega, Seconds, Micro}) when Micro < 999999 -> {Mega, Seconds, Micro + 1};
later({Mega, Seconds, _}) -> {Mega, Seconds + 1, 0}.

%% Within a second a node counts its ids: those that a session is given when it moves on, and comes back, are taken by nobody.
-spec pass_ids() -> ok.
pass_ids() -> lists:foreach(fun(_) -> ejabberd_sm:make_sid() end, [leaves, comes]).

%% The other node's clock is not this one's, so it begins anew; with a client that is gone, not at all.
-spec shape(stream()) -> stream().
shape(#{socket := _, shaper := Name, ip := {Ip, _}, jid := Jid, lserver := Server} = Stream) ->
    Shaper = ejabberd_shaper:match(Server, Name, #{usr => jid:split(Jid), ip => Ip}),
    xmpp_stream_in:change_shaper(Stream, ejabberd_shaper:new(Shaper));
shape(Stream) ->
    Stream.

%% @doc Where another login took its place, it has none.
-spec row(stream()) -> {ok, row()} | none.
row(#{sid := Sid, jid := Jid}) ->
    {User, Server, Resource} = jid:tolower(Jid),
    case ejabberd_sm:get_user_info(User, Server, Resource) of
        [{node, _}, {ts, Time}, {pid, Pid}, {priority, Priority} | Info] when {Time, Pid} =:= Sid -> {ok, {Priority, Info}};
        _ -> none
    end.

%% @doc The stream's own row, beside the old process' one. By ejabberd_sm:open_session/6 it would count as one more session of
%% the user, and end another where he has as many as he may (max_user_sessions).
-spec open(row(), stream()) -> ok.
open({Priority, Info}, #{sid := Sid, user := User, server := Server, resource := Resource}) ->
    Jid = jid:make(User, Server, Resource),
    {LUser, LServer, _} = USR = jid:tolower(Jid),
    Table = list_to_existing_atom("ejabberd_sm_" ++ atom_to_list(ejabberd_option:sm_db_type(LServer))),
    _ = Table:set_session(#session{sid = Sid, usr = USR, us = {LUser, LServer}, priority = Priority, info = Info}),
    ok = forget_cached({LUser, LServer}, Table),
    ok = megaphone_handover:moves(),
    ejabberd_hooks:run(sm_register_connection_hook, LServer, [Sid, Jid, Info]).

%% As ejabberd_sm does whenever a row changes.
-spec forget_cached({binary(), binary()}, Table :: module()) -> ok.
forget_cached({_, LServer} = US, Table) ->
    UsesCache = case erlang:function_exported(Table, use_cache, 1) of
        true -> Table:use_cache(LServer);
        false -> ejabberd_option:sm_use_cache(LServer)
    end,
    Nodes = case erlang:function_exported(Table, cache_nodes, 1) of
        true -> Table:cache_nodes(LServer);
        false -> ejabberd_cluster:get_nodes()
    end,
    _ = UsesCache andalso ets_cache:delete(?SM_CACHE, US, Nodes),
    ok.

%% @doc What the client can do (XEP-0115), as when it sent its presence: each node keeps that for itself, and events (XEP-0163)
%% go by it.
-spec ask(stream()) -> ok.
ask(#{jid := Jid, lserver := LServer, pres_last := Presence} = Stream) ->
    try
        _ = gen_mod:is_loaded(LServer, mod_caps) andalso
            mod_caps:user_send_packet({xmpp:set_from_to(Presence, Jid, jid:remove_resource(Jid)), Stream}),
        ok
    catch
        Class:Reason:Stack -> megaphone_fault:log("goes on", Class, Reason, Stack)
    end;
ask(_) ->
    ok.

%% @doc What is needed to close its row; none of the user's messages.
-spec name(stream()) -> name().
name(Stream) -> maps:with([sid, jid, user, server, resource], Stream).

%% @doc That of the old process goes, when all know the new one.
-spec close(name()) -> ok.
close(#{sid := Sid, user := User, server := Server, resource := Resource}) ->
    _ = ejabberd_sm:close_session(Sid, User, Server, Resource),
    ok.

-spec now_ms() -> integer().
now_ms() -> erlang:monotonic_time(millisecond).
