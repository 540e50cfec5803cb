%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A session on its way to another node (megaphone_move): what others have to know of it, and all that it is, as plain terms.
%%% Its times are milliseconds from now: the clocks of two nodes have nothing in common.
-module(megaphone_export).

-export([export/1, import/1]).

-export_type([exported/0]).

-type session() :: megaphone_ending:session().
-type exported() :: #{
    host := binary(),
    %% Its client's, and may something be on its way there?
    socket := pid() | none,
    under_way := boolean(),
    %% Who waits for an answer of it, or for all that comes.
    conns := [pid()],
    row := megaphone_passage:row(),
    state := {session(), megaphone_c2s:exported(), megaphone_mailbox:mailbox()} | none
}.

%% @doc Or why it stays. Who has not logged in, or whose session ended but for what is told still, is better off where they are.
-spec export(megaphone_bridge:bridge()) -> {ok, exported()} | {stays, megaphone_move:reason()}.
export(B) ->
    case megaphone_bridge:moves(B) of
        {#{phase := {open, _}, who := stranger}, _} ->
            {stays, login};
        {#{c2s := C2s} = Session, Mailbox} ->
            case is_movable(Session) andalso megaphone_passage:row(megaphone_c2s:stream(C2s)) of
                false -> {stays, ends};
                none -> {stays, replaced};
                {ok, Row} -> {ok, exported(Row, Session, Mailbox)}
            end
    end.

-spec is_movable(session()) -> boolean().
is_movable(#{phase := {open, Transport}, via := Via, c2s := C2s}) ->
    #{terminating := IsTerminating} = Via:info(Transport),
    megaphone_c2s:is_established(C2s) andalso not IsTerminating;
is_movable(#{phase := {ended, _}, c2s := C2s}) ->
    megaphone_c2s:is_pending(C2s);
is_movable(_) ->
    false.

-spec exported(megaphone_passage:row(), session(), megaphone_mailbox:mailbox()) -> exported().
exported(Row, #{host := Host, c2s := C2s} = Session, Mailbox) ->
    {Socket, IsUnderWay, Conns} = connections(Session),
    Connected = [node() | nodes(connected)],
    Plain = shift(-now_ms(), fun(Limits) -> Limits end, Session#{c2s := megaphone_c2s:none()}),
    #{
        host => Host,
        socket => Socket,
        under_way => IsUnderWay,
        conns => [ConnId || ConnId <- Conns, lists:member(node(ConnId), Connected)],
        row => Row,
        state => {Plain, megaphone_c2s:export(C2s), Mailbox}
    }.

-spec connections(session()) -> {pid() | none, boolean(), [pid()]}.
connections(#{phase := {open, Transport}, via := Via}) ->
    case Via:socket(Transport) of
        none -> {none, false, Via:conns(Transport)};
        {ConnId, IsUnderWay} -> {ConnId, IsUnderWay, [ConnId]}
    end;
connections(_) ->
    {none, false, []}.

%% @doc In the process that is to be it.
-spec import(exported()) -> megaphone_bridge:bridge().
import(#{state := {Plain, Exported, Mailbox}}) ->
    {Sent, C2s} = megaphone_c2s:import(Exported),
    megaphone_bridge:moved(heard(Sent, shift(now_ms(), fun own/1, Plain#{c2s := C2s})), Mailbox).

%% What its stream says to its socket there.
-spec heard([megaphone_socket:event()], session()) -> session().
heard(Sent, #{phase := {open, Transport}, via := Via} = Session) ->
    {ok, Transport1} = Via:sent(Sent, Transport),
    Session#{phase := {open, Transport1}};
heard(_, Session) ->
    Session.

-spec shift(integer(), fun((Limits) -> Limits), session()) -> session().
shift(By, Own, #{phase := {open, Transport}, via := Via} = Session) -> Session#{phase := {open, Via:shift(By, Own, Transport)}};
shift(By, _, #{phase := {ended, Back}} = Session) -> Session#{phase := {ended, megaphone_ending:shift(By, Back)}}.

%% Where they are alike it is the one term that others have here.
-spec own(Limits) -> Limits.
own(#{host := Host} = Limits) ->
    case mod_megaphone:limits(Host) of
        Limits = Own -> Own;
        _ -> Limits
    end.

-spec now_ms() -> integer().
now_ms() -> erlang:monotonic_time(millisecond).
