%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A line from outside, said in chat: gateways call this for those of `megaphone cat' (docs/outside.md). All else is ejabberd's: its
%%% router has the message archived, stored for who is offline, or refused, as one of any other sender.
%%%
%%% Who is in no room cannot speak there, but for a service administrator (`access_admin' of mod_muc). For everybody else the
%%% room says it itself, as ejabberd's own service messages: they are in its history, and not in its archive.
-module(megaphone_outside).

-export([say/3]).

-export_type([target/0, options/0, reason/0]).

%% `alice' or `alice@example.org', `room' or `room@conference.example.org'.
-type target() :: {user | room, Name :: binary()}.
%% Without it the first host itself.
-type options() :: #{from => binary()}.
-type reason() :: invalid_sender | invalid_text | invalid_name | no_such_user | no_rooms | no_such_room | failed.

%% @doc Those that failed, in their order; the others have been taken by ejabberd's router, or by the room.
-spec say([target()], Text :: binary(), options()) -> ok | {error, [{Name :: binary(), reason()}]}.
say(Targets, Text, Options) ->
    Host = hd(ejabberd_option:hosts()),
    Said = case {sender(Options, Host), Text} of
        {error, _} -> [{Name, invalid_sender} || {_, Name} <- Targets];
        {_, <<>>} -> [{Name, invalid_text} || {_, Name} <- Targets];
        {Sender, _} -> [{Name, one(Target, Sender, Host, megaphone_chars:legal(Text))} || {_, Name} = Target <- Targets]
    end,
    case [Failed || {_, Result} = Failed <- Said, Result =/= ok] of
        [] -> ok;
        Failures -> {error, Failures}
    end.

-spec one(target(), jid:jid(), binary(), binary()) -> ok | reason().
one({Kind, Name}, Sender, Host, Text) ->
    %% That storage, or a module, failed for one of them is none of the others' affair.
    try
        case Kind of
            user -> to_user(address(Name, Host), Sender, Text);
            room -> to_room(Name, Host, Sender, Text)
        end
    catch
        throw:Reason -> Reason;
        _:_ -> failed
    end.

-spec sender(options(), binary()) -> jid:jid() | error.
sender(#{from := From}, _) -> try jid:decode(From) catch error:{bad_jid, _} -> error end;
sender(#{}, Host) -> jid:make(Host).

%% A name alone is no address of a host, as it would be in a stanza.
-spec address(binary(), Host :: binary()) -> jid:jid().
address(Name, Host) ->
    case binary:match(Name, <<"@">>) of
        nomatch ->
            case jid:make(Name, Host) of
                error -> throw(invalid_name);
                Jid -> named(Jid)
            end;
        _ ->
            named(try jid:decode(Name) catch error:{bad_jid, _} -> throw(invalid_name) end)
    end.

-spec named(jid:jid()) -> jid:jid().
named(Jid) ->
    case jid:tolower(Jid) of
        {<<>>, _, _} -> throw(invalid_name);
        _ -> Jid
    end.

-spec to_user(jid:jid(), jid:jid(), binary()) -> ok.
to_user(Jid, Sender, Text) ->
    {User, Server, _} = jid:tolower(Jid),
    _ = lists:member(Server, ejabberd_option:hosts()) andalso (ejabberd_auth:user_exists(User, Server) orelse throw(no_such_user)),
    route(<<"chat">>, Jid, Sender, Text).

-spec to_room(binary(), binary(), jid:jid(), binary()) -> ok.
to_room(Name, Host, Sender, Text) ->
    Service = case gen_mod:is_loaded(Host, mod_muc) of
        true -> hd(gen_mod:get_module_opt_hosts(Host, mod_muc));
        false -> Host
    end,
    Jid = jid:remove_resource(address(Name, Service)),
    {Room, RoomService, _} = jid:tolower(Jid),
    ServerHost = host_of(RoomService),
    case mod_muc:unhibernate_room(ServerHost, RoomService, Room) of
        {ok, Pid} ->
            case acl:match_rule(ServerHost, gen_mod:get_module_opt(ServerHost, mod_muc, access_admin), Sender) of
                allow -> route(<<"groupchat">>, Jid, Sender, Text);
                deny -> mod_muc_room:service_message(Pid, Text)
            end;
        _ ->
            throw(no_such_room)
    end.

%% Whose rooms these are.
-spec host_of(Service :: binary()) -> binary().
host_of(Service) ->
    Has = fun(Host) -> gen_mod:is_loaded(Host, mod_muc) andalso lists:member(Service, gen_mod:get_module_opt_hosts(Host, mod_muc)) end,
    case lists:search(Has, ejabberd_option:hosts()) of
        {value, Host} -> Host;
        false -> throw(no_rooms)
    end.

-spec route(Type :: binary(), jid:jid(), jid:jid(), binary()) -> ok.
route(Type, To, From, Text) ->
    Attributes = [{<<"type">>, Type}, {<<"id">>, p1_rand:get_string()}],
    Message = {xmlel, <<"message">>, Attributes, [{xmlel, <<"body">>, [], [{xmlcdata, Text}]}]},
    ejabberd_router:route(xmpp:set_from_to(xmpp:decode(Message, <<"jabber:client">>, []), From, To)).
