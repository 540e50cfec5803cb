%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session takes from the request that creates it (XEP-0124 §7.1) and from what the gateway
%%% tells of the client.
-module(megaphone_opening).

-export([request/1, host/1, agreed/2, client/1, headers/1]).

-export_type([client/0]).

-type client() :: {megaphone_socket:endpoint(), IsSecure :: boolean()}.

-define(DEFAULT_WAIT, 60).
-define(DEFAULT_HOLD, 1).

%% @doc A request that starts a session on a host of ours, or the condition that refuses it. One that is too long
%% is not looked into.
-spec request(binary()) ->
    {ok, megaphone_body:request(), Host :: binary()} | {error, Legacy :: boolean(), megaphone_condition:condition()}.
request(Body) ->
    IsLittle = byte_size(Body) =< megaphone_allowance:bytes(stranger, infinity),
    case IsLittle andalso megaphone_body:parse(Body, megaphone_allowance:parts(stranger)) of
        false ->
            {error, is_legacy_unparsed(Body), <<"policy-violation">>};
        {ok, #{sid := _}} ->
            %% One that megaphone_peek did not find: no client of ours wrote it.
            {error, false, <<"bad-request">>};
        {ok, Request} ->
            case host(Request) of
                {ok, Host} -> {ok, Request, Host};
                {error, Condition} -> {error, is_legacy(Request), Condition}
            end;
        {error, _} ->
            {error, is_legacy_unparsed(Body), <<"bad-request">>}
    end.

%% A look has to tell whether the client named its version (§17.1).
-spec is_legacy_unparsed(binary()) -> boolean().
is_legacy_unparsed(Body) -> binary:match(Body, <<"ver=">>) =:= nomatch.

%% @doc The one of ours that it is for, or the condition that refuses it.
-spec host(#{to => binary(), _ => _}) -> {ok, binary()} | {error, megaphone_condition:condition()}.
host(#{to := To}) ->
    case jid:nameprep(To) of
        error ->
            {error, <<"improper-addressing">>};
        Host ->
            case ejabberd_router:is_my_host(Host) andalso gen_mod:is_loaded(Host, mod_megaphone) of
                true -> {ok, Host};
                false -> {error, <<"host-unknown">>}
            end
    end;
host(_) ->
    {error, <<"improper-addressing">>}.

-spec is_legacy(megaphone_body:request()) -> boolean().
is_legacy(Request) -> not is_map_key(ver, Request).

%% @doc For how many seconds a request is held, and how many are: as the client asks, within limits.
-spec agreed(megaphone_body:request(), mod_megaphone:limits()) -> {Wait :: non_neg_integer(), Hold :: non_neg_integer()}.
agreed(Request, #{wait := MaxWait, hold := MaxHold}) ->
    {min(maps:get(wait, Request, ?DEFAULT_WAIT), MaxWait), min(maps:get(hold, Request, ?DEFAULT_HOLD), MaxHold)}.

%% @doc The web client's address, and whether it came by HTTPS.
-spec client(map()) -> client().
client(Meta) -> {peer(Meta), case Meta of #{<<"secure">> := true} -> true; _ -> false end}.

%% One that the gateway does not tell, or not rightly, is 0.0.0.0.
-spec peer(map()) -> {inet:ip_address(), inet:port_number()}.
peer(#{<<"ip">> := Ip} = Meta) when is_binary(Ip) ->
    Port = case Meta of #{<<"port">> := P} when is_integer(P), P >= 0, P =< 65535 -> P; _ -> 0 end,
    case inet:parse_address(binary_to_list(Ip)) of
        {ok, Address} -> {Address, Port};
        {error, _} -> {{0, 0, 0, 0}, Port}
    end;
peer(_) ->
    {{0, 0, 0, 0}, 0}.

%% @doc §7.1: `content' names the Content-Type of all answers. A browser shows most types as a document,
%% in which an element of a message could be a script; but for what gateways send anyway, in their own
%% way, only a type that none does is used, and any other value is ignored.
-spec headers(megaphone_body:request()) -> [{binary(), binary()}].
headers(#{content := Type}) ->
    case re:run(Type, "^text/plain( *; *charset=\"?utf-8\"?)?$", [caseless, dollar_endonly, {capture, none}]) of
        match -> [{<<"content-type">>, <<"text/plain; charset=utf-8">>}];
        nomatch -> []
    end;
headers(_) ->
    [].
