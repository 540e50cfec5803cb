%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% From which addresses nobody is to begin sessions for a while: all gateways, and each of their workers, are told of a login that
%%% failed, and of an address that another module of ejabberd lets nobody in from (`mod_fail2ban'). What they make of it is theirs.
%%%
%%% Such a module decides where a stream starts and where a login has ended, in ejabberd's hooks for that, and says `policy-violation'
%%% to the client there and then. So either hook has a first and a last function here, and between those this stream error
%%% means that, in whatever release and language. Elsewhere it means other things, which are no reason to shut out an office:
%%% of a header that is too long it is said before the first.
%%%
%%% A gateway lets them begin no more sessions, but does not see what is said in those that there are: so a stream ends
%%% with its fifth failed login, after the client heard of that one (RFC 6120 §6.4.5: at least 2 retries and no more than 5).
-module(megaphone_guests).

-export([starts/2, started/2, tried/3, heard/3, failed/1, said/2]).

-type stream() :: xmpp_stream_in:state().

%% In the process dictionary, while others decide.
-define(JUDGED, megaphone_guests_judged).
%% Then they ask again, for a ban may have been lifted.
-define(BAN_SECONDS, 60).
%% In the stream's state, once there are any.
-define(FAILED, megaphone_failed_logins).
-define(MOST_FAILED, 5).

%% @doc A hook, before all others: a stream starts.
-spec starts(stream(), StreamStart :: tuple()) -> stream().
starts(Stream, _) -> judged(Stream).

%% @doc Behind them.
-spec started(stream(), StreamStart :: tuple()) -> stream().
started(Stream, _) -> free(Stream).

%% @doc A hook, before all others: a login has ended.
-spec tried(stream(), true | {false, binary()}, User :: binary()) -> stream().
tried(Stream, Result, _) ->
    case is_ours(Stream) andalso Result =/= true of
        true ->
            ok = megaphone_stats:add(logins_failed, 1),
            ok = tell(Stream, fun(Ip) -> {failed_login, Ip} end),
            judged(Stream#{?FAILED => maps:get(?FAILED, Stream, 0) + 1});
        false ->
            judged(Stream)
    end.

%% @doc Behind them.
-spec heard(stream(), true | {false, binary()}, User :: binary()) -> stream().
heard(Stream, _, _) -> free(Stream).

%% @doc The stream told its client that a login failed.
-spec failed(stream()) -> stream().
failed(#{?FAILED := Failed, lang := Lang} = Stream) when Failed >= ?MOST_FAILED ->
    %% Of others at that address this says nothing.
    Text = <<"Too many failed logins">>,
    xmpp_stream_in:send(free(Stream), xmpp:serr_policy_violation(Text, Lang));
failed(Stream) ->
    Stream.

%% @doc The stream said this error.
-spec said(StreamError :: tuple(), stream()) -> ok.
said(Error, Stream) ->
    case lists:member('policy-violation', tuple_to_list(Error)) andalso erase(?JUDGED) of
        true -> tell(Stream, fun(Ip) -> {banned, Ip, ?BAN_SECONDS} end);
        _ -> ok
    end.

-spec judged(stream()) -> stream().
judged(Stream) ->
    _ = is_ours(Stream) andalso put(?JUDGED, true),
    Stream.

-spec free(stream()) -> stream().
free(Stream) ->
    _ = erase(?JUDGED),
    Stream.

%% Other listeners know other addresses, those of proxies among them.
-spec is_ours(stream()) -> boolean().
is_ours(#{socket := Socket}) -> xmpp_socket:get_sockmod(Socket) =:= megaphone_socket.

-spec tell(stream(), fun((Ip :: binary()) -> tuple())) -> ok.
%% The gateway did not tell it.
tell(#{ip := {{0, 0, 0, 0}, _}}, _) -> ok;
tell(#{ip := {Address, _}}, Message) -> megaphone_gateway:guest(Message(list_to_binary(inet:ntoa(Address)))).
