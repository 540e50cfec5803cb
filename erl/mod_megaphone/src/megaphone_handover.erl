%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% From a session to the one that takes its place, where a client logs in again with the same resource, or resumes its
%%% stream (XEP-0198) in another process. What the old one has left goes to the new one's process, which waits for it: it
%%% is told before what came to the new one directly. By the router it would come behind that, and what is for the bare
%%% JID would pass through offline storage while the new presence empties that, or stay there.
%%%
%%% ejabberd's storage in Mnesia loses what comes in while a login takes all out: so the next session of the user, with whatever
%%% resource, waits also for one that is in the table no more and still hands back. Which do is kept by pg, of all nodes.
%%%
%%% These are ejabberd's hooks, which run in the processes of the sessions, of other listeners, too.
-module(megaphone_handover).

-export([start_link/0, take_routed/0, offer/0, settle/1, sees/3, moves/0, hands_back/1, closed/3, is_given_up/2, resumes/2, opened/3]).

-type stanza() :: tuple().

-define(OFFERED, megaphone_handover).
-define(RESUMES, megaphone_handover_resumes).
-define(MOVES, megaphone_handover_moves).
%% How long a login waits for sessions before it: for one on another node, of which we hear no more.
-define(WAIT_MS, 5000).
%% The same where a client resumes its stream, which nobody is to notice; and how long the other session waits until all nodes see that.
-define(RESUMES_MS, 15000).
-define(SETTLE_MS, 12000).
-define(LINGER_MS, 250).
%% How often it is looked for that: this is the first pause and the longest.
-define(LOOK_MS, 5).
-define(MAX_LOOK_MS, 160).
%% While the mailbox is put in order more may come, which then is to be moved, too.
-define(ROUNDS, 10).

-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    pg:start_link(?MODULE).

%% @doc Takes the stanzas that came for the user out of the mailbox, oldest first.
-spec take_routed() -> [stanza()].
take_routed() ->
    receive
        {route, Stanza} -> [Stanza | take_routed()];
        {megaphone_forwarded, {route, Stanza}} -> [Stanza | take_routed()]
    after 0 -> []
    end.

%% @doc The stanzas in the mailbox of this process, whose session ends, are for a session that replaces it.
-spec offer() -> ok.
offer() ->
    _ = put(?OFFERED, true),
    ok.

%% @doc Another session has taken the place of this one, which still is in ejabberd's table: a node that does not see the other's
%% row, as this one may not, routes to this one; if it lost this one's row before, to nobody. What a node sent here before it
%% told that it sees the other has come when it tells.
-spec settle(xmpp_stream_in:state() | megaphone_passage:name()) -> ok.
settle(#{sid := Sid, jid := Jid}) ->
    _ = erpc:multicall(ejabberd_cluster:get_nodes(), ?MODULE, sees, [Sid, Jid, ?SETTLE_MS], ?SETTLE_MS),
    %% What they sent may be on its way.
    timer:sleep(?LINGER_MS);
settle(_) ->
    ok.

%% @doc Returns when this node sees a session that took the place of that one, and nobody here goes by what was before, or the
%% time is over.
-spec sees(ejabberd_sm:sid(), jid:jid(), Ms :: integer()) -> boolean().
sees(Sid, Jid, Ms) ->
    Until = now_ms() + Ms,
    %% Who found the old one before, and was held up, has sent then.
    sees(Sid, Jid, Until, ?LOOK_MS) andalso megaphone_turns:pass(max(0, Until - now_ms())).

-spec sees(ejabberd_sm:sid(), jid:jid(), Until :: integer(), PauseMs :: pos_integer()) -> boolean().
sees(Sid, Jid, Until, PauseMs) ->
    Sees = lists:any(fun(Other) -> Other > Sid end, sids(Jid)),
    case Sees orelse now_ms() > Until of
        true ->
            Sees;
        false ->
            ok = timer:sleep(PauseMs),
            sees(Sid, Jid, Until, min(2 * PauseMs, ?MAX_LOOK_MS))
    end.

%% @doc From now to its end this process routes what its user did not get. Where nobody keeps who does so, as when the module stops,
%% logins wait for nothing.
-spec hands_back(jid:jid()) -> ok.
hands_back(Jid) ->
    try pg:join(?MODULE, user(Jid), self())
    catch exit:_ -> ok
    end.

-spec user(jid:jid()) -> {binary(), binary()}.
user(Jid) ->
    {User, Server, _} = jid:tolower(Jid),
    {User, Server}.

%% @doc A hook: the session is not in ejabberd's table any more, its mailbox not routed yet.
-spec closed(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
closed({_, Pid} = Sid, Jid, _) when Pid =:= self() ->
    case erase(?OFFERED) =:= true andalso successor(Sid, Jid) of
        false -> ok;
        none -> ok;
        Successor -> lists:foreach(fun(Stanza) -> hand_over(Stanza, Successor) end, take_routed())
    end;
closed(_, _, _) ->
    ok.

-spec successor(ejabberd_sm:sid(), jid:jid()) -> pid() | none.
successor(Sid, Jid) ->
    case [Other || Other <- sids(Jid), Other > Sid] of
        [] ->
            none;
        Newer ->
            {_, Pid} = lists:max(Newer),
            case node(Pid) =/= node() orelse is_process_alive(Pid) of
                true -> Pid;
                false -> none
            end
    end.

%% Others find their way by themselves: a request may be for a resource that is there, presence is out of date.
-spec hand_over(stanza(), pid()) -> ok.
hand_over(Stanza, Successor) when element(1, Stanza) =:= message ->
    ejabberd_c2s:route(Successor, {route, mark(Stanza)});
hand_over(Stanza, _) ->
    self() ! {route, Stanza},
    ok.

%% @doc Did somebody ask this process for its stream, to resume it (XEP-0198), and waits no more? The stream would be lost if it
%% were given to him: the next who asks is to get it. A caller monitors whom it calls until it has the answer, or gives up.
-spec is_given_up(Call :: term(), From :: {pid(), term()}) -> boolean().
is_given_up({resume_session, _}, {Caller, _}) ->
    {monitored_by, Callers} = erlang:process_info(self(), monitored_by),
    not lists:member(Caller, Callers);
is_given_up(_, _) ->
    false.

%% @doc A hook: this session resumes a stream (XEP-0198), and got its state. The one that had it would only be told to end when
%% this one is in ejabberd's table, behind the hook that waits for that.
-spec resumes(xmpp_stream_in:state(), xmpp_stream_in:state()) -> xmpp_stream_in:state().
resumes(Stream, #{sid := {Opened, Former}}) ->
    ok = next_second(Opened),
    _ = put(?RESUMES, Former),
    Stream.

%% ejabberd takes the session with the greatest id for the latest. Within a second ids of two nodes have no order, and that of a
%% session that moved and came back may be ahead of the next one here.
-spec next_second(erlang:timestamp()) -> ok.
next_second({Mega, Second, _} = Opened) ->
    case ejabberd_sm:make_sid() of
        {{Mega, Second, _} = Next, _} when Next =< Opened ->
            {_, _, Micro} = erlang:timestamp(),
            timer:sleep(1000 - Micro div 1000);
        _ ->
            ok
    end.

%% @doc The calling process takes over a session that moved to it: what is with the old one, which does not end, comes by another
%% way (megaphone_departure).
-spec moves() -> ok.
moves() ->
    _ = put(?MOVES, true),
    ok.

%% @doc A hook: the session is in ejabberd's table, and those that it replaces know that they are to end.
-spec opened(ejabberd_sm:sid(), jid:jid(), ejabberd_sm:info()) -> ok.
opened({_, Pid} = Sid, Jid, _) when Pid =:= self() ->
    case erase(?MOVES) of
        true -> ok;
        undefined -> take_over(Sid, Jid)
    end;
opened(_, _, _) ->
    ok.

-spec take_over(ejabberd_sm:sid(), jid:jid()) -> ok.
take_over(Sid, Jid) ->
    Older = [Old || {_, Old} = Other <- sids(Jid), Other < Sid],
    {Resumed, Ms} = case erase(?RESUMES) of
        undefined -> {[], ?WAIT_MS};
        Former -> ok = ejabberd_c2s:stop_async(Former), {[Former], ?RESUMES_MS}
    end,
    %% Who leaves the table said before that it hands back: it is seen in one of both.
    Waited = lists:usort(Resumed ++ Older ++ pg:get_members(?MODULE, user(Jid))),
    ok = await([erlang:monitor(process, Old) || Old <- Waited], now_ms() + Ms),
    put_in_order(?ROUNDS).

-spec sids(jid:jid()) -> [ejabberd_sm:sid()].
sids(Jid) ->
    {User, Server, Resource} = jid:tolower(Jid),
    ejabberd_sm:get_session_sids(User, Server, Resource).

-spec await([reference()], Until :: integer()) -> ok.
await([], _) ->
    ok;
await([Monitor | Monitors], Until) ->
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after max(0, Until - now_ms()) ->
        true = erlang:demonitor(Monitor, [flush]),
        ok
    end,
    await(Monitors, Until).

%% What was handed over goes before what came directly. Most mailboxes are empty or in order: they are left alone.
-spec put_in_order(Rounds :: non_neg_integer()) -> ok.
put_in_order(0) ->
    ok;
put_in_order(Rounds) ->
    {messages, Messages} = erlang:process_info(self(), messages),
    case is_in_order([is_marked(Stanza) || {route, Stanza} <- Messages]) of
        true ->
            ok;
        false ->
            {First, Then} = lists:partition(fun is_marked/1, take_routed()),
            lists:foreach(fun(Stanza) -> self() ! {route, mark(Stanza)} end, First ++ Then),
            put_in_order(Rounds - 1)
    end.

-spec is_in_order(Marked :: [boolean()]) -> boolean().
is_in_order(Marked) ->
    not lists:member(true, lists:dropwhile(fun(IsMarked) -> IsMarked end, Marked)).

-spec mark(stanza()) -> stanza().
mark(Stanza) -> xmpp:put_meta(Stanza, ?MODULE, true).

-spec is_marked(stanza()) -> boolean().
is_marked(Stanza) -> xmpp:get_meta(Stanza, ?MODULE, false).

-spec now_ms() -> integer().
now_ms() -> erlang:monotonic_time(millisecond).
