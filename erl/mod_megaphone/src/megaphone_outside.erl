%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A line from outside, said in chat: gateways call this for those of `megaphone cat' (docs/outside.md). All else is ejabberd's: its
%%% router has the message archived, stored for who is offline, or refused, as one of any other sender.
%%%
%%% Who is in no room cannot speak there, but for a service administrator (`access_admin' of mod_muc). For everybody else the
%%% room says it itself, as ejabberd's own service messages: they are in its history, and not in its archive.
-module(megaphone_outside).

-export([say/3]).

-export_type([target/0, reason/0]).

%% `alice' or `alice@example.org', `room' or `room@conference.example.org'.
-type target() :: {user | room, Name :: binary()}.
-type reason() :: bad_sender | bad_text | bad_address | no_such_user | no_rooms | no_such_room | failed.
-type said() :: ok | {error, reason()}.

%% @doc What became of it for each, in their order. `ok': ejabberd's router, or the room, has it. From <<>>: from the first host itself.
-spec say([target()], From :: binary(), Text :: binary()) -> [said()].
say(Targets, From, Text) ->
    Host = hd(ejabberd_option:hosts()),
    case {sender(From, Host), Text} of
        {error, _} -> [{error, bad_sender} || _ <- Targets];
        {_, <<>>} -> [{error, bad_text} || _ <- Targets];
        {Sender, _} -> [one(Target, Sender, Host, megaphone_chars:legal(Text)) || Target <- Targets]
    end.

-spec one(target(), jid:jid(), binary(), binary()) -> said().
one({Kind, Name}, Sender, Host, Text) ->
    %% That storage, or a module, failed for one of them is none of the others' affair.
    try
        case Kind of
            user -> to_user(address(Name, Host), Sender, Text);
            room -> to_room(Name, Host, Sender, Text)
        end
    catch
        throw:Reason -> {error, Reason};
        _:_ -> {error, failed}
    end.

-spec sender(binary(), binary()) -> jid:jid() | error.
sender(<<>>, Host) -> jid:make(Host);
sender(From, _) -> try jid:decode(From) catch error:{bad_jid, _} -> error end.

%% A name alone is no address of a host, as it would be in a stanza.
-spec address(binary(), Host :: binary()) -> jid:jid().
address(Name, Host) ->
    Jid = case binary:match(Name, <<"@">>) of
        nomatch -> jid:make(Name, Host);
        _ -> try jid:decode(Name) catch error:{bad_jid, _} -> error end
    end,
    _ = (Jid =/= error andalso element(1, jid:tolower(Jid)) =/= <<>>) orelse throw(bad_address),
    Jid.

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
