%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the old process of a session that moved becomes once the new one serves (megaphone_move): it passes on what still comes here,
%%% to the end of its time.
-module(megaphone_forwarder).

-export([become/6, settle/3, forward/1, close_socket/1, left/0]).

-type asker() :: {pid(), reference()}.
-type move() :: {Id :: reference(), New :: pid(), megaphone_watch:watch()}.

%% Those who look it up in a table that is not up to date.
-define(PASS_MS, 60000).
-define(SLEEP_MS, 1000).
%% Of one client, that hear at once that the new one is gone: its latest.
-define(MOST_CONNS, 16).
%% RFC 6455 §7.4.1, the registry's 1012.
-define(SERVICE_RESTART, 1012).

-record(forwarder, {
    sid :: megaphone_sid:sid(),
    move :: move(),
    state = settling :: settling | passing | over,
    asker :: asker(),
    %% Exchanges that the new one is to answer: their gateways may not know that yet.
    conns :: [pid()],
    %% Of a WebSocket, until its gateway has nothing more for this process, and knows the new one.
    socket = none :: pid() | none,
    %% The old row of ejabberd's table, if it is there still.
    row :: megaphone_passage:name() | none
}).

%% @doc It was the session with this id. Does not return.
-spec become(megaphone_sid:sid(), move(), asker(), Conns :: [pid()], Socket :: pid() | none, megaphone_passage:name() | none) -> no_return().
become(Sid, {Id, _, _} = Move, Asker, Conns, Socket, Row) ->
    _ = spawn(?MODULE, settle, [Row, self(), Id]),
    %% It is none of the sessions any more (megaphone_control).
    _ = put('$initial_call', {?MODULE, forward, 1}),
    proc_lib:hibernate(?MODULE, forward, [#forwarder{sid = Sid, move = Move, asker = Asker, conns = Conns, socket = Socket, row = Row}]).

%% @doc A process that waits until all nodes know where the session is, and for those who looked before that.
-spec settle(megaphone_passage:name(), pid(), reference()) -> ok.
settle(Row, Old, Id) ->
    try
        ok = megaphone_handover:settle(Row)
    after
        Old ! {Id, time}
    end.

%% @doc Passes on what comes.
-spec forward(#forwarder{}) -> ok.
forward(F) ->
    receive
        Message -> forward(passed(Message, F), noted(Message, F))
    after ?SLEEP_MS -> proc_lib:hibernate(?MODULE, forward, [F])
    end.

-spec forward(next(), #forwarder{}) -> ok.
forward(same, F) -> forward(F);
forward(Event, #forwarder{move = {Id, New, Watch}, state = Before, asker = {From, Ref}} = F) ->
    case megaphone_move:next(Event, Before) of
        passing ->
            ok = close(F),
            New ! {Id, settled},
            From ! {Ref, moved},
            _ = erlang:send_after(?PASS_MS, self(), {Id, time}),
            proc_lib:hibernate(?MODULE, forward, [F#forwarder{state = passing, conns = [], row = none}]);
        over ->
            _ = Before =:= settling andalso (From ! {Ref, moved}),
            %% Where the new one ended early it is there still, and other nodes would route here for ever.
            ok = close(F),
            ok = megaphone_forwarders:leave(F#forwarder.sid),
            %% Their clients would wait in vain, where the new one died before it told the gateway; if it lives, they lose nothing.
            _ = Event =:= no_way andalso lists:foreach(fun megaphone_gateway:repeat/1, F#forwarder.conns),
            ok = close_socket(F#forwarder.socket),
            ok = megaphone_watch:stop(Watch),
            left()
    end.

%% @doc Its gateway has nobody who takes its frames, or soon will not: the new one counts it as closed, if it lives.
-spec close_socket(pid() | none) -> ok.
close_socket(none) -> ok;
close_socket(ConnId) -> megaphone_gateway:close(ConnId, ?SERVICE_RESTART).

-spec close(#forwarder{}) -> ok.
close(#forwarder{row = none}) -> ok;
close(#forwarder{row = Row}) -> megaphone_passage:close(Row).

-type next() :: same | megaphone_move:event().

-spec passed(term(), #forwarder{}) -> next().
passed({Id, time}, #forwarder{move = {Id, _, _}}) ->
    time;
passed({'DOWN', Monitor, process, _, Reason}, #forwarder{move = {_, _, {_, Monitor}}}) ->
    case megaphone_watch:reason(Reason) of noconnection -> no_way; _ -> died end;
passed({megaphone_move, _, {From, Ref}}, _) ->
    From ! {Ref, {stays, moved}},
    same;
passed({megaphone_arrival, Id, Late, _}, _) ->
    Late ! {Id, over},
    same;
%% It is none of this node's sessions any more, whoever still takes it for one.
passed({megaphone_stop, _, {From, Ref}}, _) ->
    From ! {Ref, staying},
    same;
passed({megaphone_announce, {From, Ref}}, _) ->
    From ! {Ref, here},
    same;
%% Late, of the place where it was before.
passed({Id, settled}, _) when is_reference(Id) ->
    same;
%% Its own.
passed({timeout, _, tick}, _) ->
    same;
passed({bosh_request, ConnId, Body}, F) ->
    to_hub({ConnId, Body}, F);
passed({bosh_asked, ConnId, Rid}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, held, Sid, Rid}, F);
passed({bosh_closed, ConnId}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, closed, Sid}, F);
passed({bosh_release, ConnId}, #forwarder{sid = Sid} = F) ->
    to_hub({ConnId, release, Sid}, F);
passed({megaphone_forwarded, _} = Message, #forwarder{move = {_, New, _}}) ->
    New ! Message,
    same;
passed(Message, #forwarder{move = {_, New, _}}) ->
    New ! {megaphone_forwarded, Message},
    same.

%% Of one that is passed on nobody else knows, either.
-spec noted(term(), #forwarder{}) -> #forwarder{}.
noted({Kind, ConnId, _}, #forwarder{state = settling, conns = Conns} = F) when Kind =:= bosh_request; Kind =:= bosh_asked ->
    F#forwarder{conns = lists:sublist([ConnId | Conns], ?MOST_CONNS)};
noted({ConnId, moved}, #forwarder{socket = ConnId} = F) ->
    F#forwarder{socket = none};
noted({ConnId, closed, _}, #forwarder{socket = ConnId} = F) ->
    F#forwarder{socket = none};
noted(_, F) ->
    F.

%% That knows the session, and what its last answers were where it ended meanwhile.
-spec to_hub(tuple(), #forwarder{}) -> same.
to_hub(Message, #forwarder{move = {_, New, _}}) ->
    {mod_megaphone, node(New)} ! {passed, 1, Message},
    same.

%% @doc What nobody took finds its way by the router.
-spec left() -> ok.
left() -> lists:foreach(fun ejabberd_router:route/1, megaphone_handover:take_routed()).
