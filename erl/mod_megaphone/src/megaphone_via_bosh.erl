%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% BOSH as a session's transport: it reaches its client over the HTTP exchanges that gateways hold, as megaphone_bosh decides
%%% and this carries out. Requests come in as they are, past the shaper (megaphone_intake) and within what one may
%%% bring (megaphone_allowance); what the stream sent goes out as answers. Late requests are answered by megaphone_ended.
%%%
%%% | message                    | from                  |                                                            |
%%% |----------------------------|-----------------------|------------------------------------------------------------|
%%% | bosh_request, ConnId, Body | the hub, for gateways | a client's request                                         |
%%% | bosh_asked, ConnId, Rid    | the same              | the gateway holds that one, and asks whether we do: what was on its way between us may be lost |
%%% | bosh_closed, ConnId        | the same              | the client of an unanswered exchange went away             |
%%% | bosh_release, ConnId       | the same              | the gateway wants to hold that one no longer               |
-module(megaphone_via_bosh).
-include("megaphone_transport.hrl").

-export([new/4, name/0, open/3, begun/3, enter/3, failed/1, hear/4, late/2, rest/1, wait/3, next/2, flow/2, sent/2, flush/3, finish/5]).
-export([due/1, is_expired/1, info/1, conns/1, socket/1, shift/3]).

-type sid() :: megaphone_sid:sid().
-type who() :: megaphone_allowance:who().
-type reason() :: megaphone_condition:reason().
-type step() :: {ok, transport()} | {stop, reason(), transport()}.
-type ms() :: integer().

-record(transport, {
    bosh :: megaphone_bosh:bosh(),
    headers :: [{binary(), binary()}],
    max_body :: pos_integer() | infinity,
    shaper = none :: ejabberd_shaper:shaper(),
    intake = megaphone_intake:new() :: megaphone_intake:intake()
}).
-type transport() :: #transport{}.

%% Beside those that a client may have open: requests that wait for the shaper, of connections since cut, too.
-define(WAITING_BODIES, 8).

%%% How it begins

-spec name() -> http_bind.
name() -> http_bind.

%% @doc From the creation request.
-spec open(pid(), binary(), sid()) -> {ok | body_too_large, Host :: binary(), transport()} | refused.
open(ConnId, Body, Sid) ->
    case megaphone_opening:request(Body) of
        {ok, Request, Host} ->
            ok = megaphone_stats:add(sessions_opened, 1),
            ok = megaphone_stats:add(bytes_in, byte_size(Body)),
            #{host := Own} = Limits = mod_megaphone:limits(Host),
            {First, T} = new(Request, {ConnId, Body}, megaphone_c2s:max_bytes(), {Sid, Limits}),
            {First, Own, T};
        {error, Legacy, Condition} ->
            {Status, Answer} = megaphone_condition:failure(Legacy, Condition),
            ok = megaphone_gateway:last_answer(ConnId, Status, [], Answer),
            ok = megaphone_stats:add(sessions_refused, 1),
            refused
    end.

%% @doc From one that is for a host of ours, which has these limits; ejabberd takes bodies up to `MaxBody'.
-spec new(megaphone_body:request(), {ConnId :: pid(), Body :: binary()}, MaxBody, {sid(), mod_megaphone:limits()}) ->
    {ok | body_too_large, transport()} when MaxBody :: pos_integer() | infinity.
new(Request, {ConnId, Body}, MaxBody, {Sid, Limits}) ->
    IsTaken = byte_size(Body) =< MaxBody andalso megaphone_allowance:has_room(Request, stranger),
    T = #transport{
        bosh = megaphone_bosh:new(Request, ConnId, now_ms(), {Sid, Limits}),
        headers = megaphone_opening:headers(Request),
        max_body = MaxBody
    },
    {case IsTaken of true -> ok; false -> body_too_large end, T}.

%% @doc The creation request is charged late: the shaper is there once the stream has begun.
-spec begun(pid(), binary(), transport()) -> {ok, transport()}.
begun(ConnId, Body, #transport{shaper = Shaper, intake = Intake} = T) ->
    {now, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, 1, now_ms(), Shaper, Intake),
    {ok, T#transport{shaper = Shaper1, intake = Intake1}}.

-spec enter(sid(), megaphone_sessions:gauges(), transport()) -> ok.
enter(Sid, Gauges, _) -> megaphone_sessions:open(Sid, self(), Gauges).

-spec failed(pid()) -> ok.
failed(ConnId) ->
    {Status, Answer} = megaphone_condition:failure(false, <<"internal-server-error">>),
    megaphone_gateway:last_answer(ConnId, Status, [], Answer).

%%% What the client sends

-spec hear(tuple(), sid(), who(), transport()) -> step().
hear({bosh_request, ConnId, Body}, Sid, Who, #transport{bosh = Bosh, shaper = Shaper, intake = Intake} = T) ->
    ok = megaphone_stats:add(bytes_in, byte_size(Body)),
    Most = megaphone_bosh:requests(Bosh) + ?WAITING_BODIES,
    {When, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, Most, now_ms(), Shaper, Intake),
    T1 = T#transport{shaper = Shaper1, intake = Intake1},
    case When of
        now ->
            read(ConnId, Body, Sid, Who, T1);
        flood ->
            refuse(ConnId, too_many_requests, T1);
        later ->
            case megaphone_allowance:may_wait(Body, Who) of
                true -> {ok, T1};
                false -> refuse(ConnId, too_much_ahead, T1)
            end
    end;
hear({bosh_asked, ConnId, Rid}, _, _, #transport{bosh = Bosh, intake = Intake} = T) ->
    case megaphone_intake:is_waiting(ConnId, Intake) of
        true -> {ok, T};
        false -> done(carry_out(megaphone_bosh:asked(Rid, ConnId, now_ms(), Bosh), T))
    end;
hear({bosh_closed, ConnId}, _, _, #transport{intake = Intake} = T) ->
    {ok, cut(ConnId, T#transport{intake = megaphone_intake:closed(ConnId, Intake)})};
hear({bosh_release, ConnId}, _, _, #transport{bosh = Bosh} = T) ->
    {ok, T#transport{bosh = megaphone_bosh:release(ConnId, now_ms(), Bosh)}};
%% A WebSocket's, and so none of it.
hear(_, _, _, T) ->
    {ok, T}.

%% @doc Bodies whose time has come.
-spec wait(sid(), who(), transport()) -> step().
wait(Sid, Who, #transport{intake = Intake} = T) ->
    case megaphone_intake:take(now_ms(), Intake) of
        none ->
            {ok, T};
        {ConnId, State, Body, Intake1} ->
            case read(ConnId, Body, Sid, Who, T#transport{intake = Intake1}) of
                {ok, T1} when State =:= gone -> wait(Sid, Who, cut(ConnId, T1));
                {ok, T1} -> wait(Sid, Who, T1);
                Stop -> Stop
            end
    end.

-spec read(pid(), binary(), sid(), who(), transport()) -> step().
read(ConnId, Body, Sid, Who, #transport{bosh = Bosh, max_body = MaxBody} = T) ->
    case megaphone_allowance:read(Body, Who, MaxBody) of
        {ok, #{rid := Rid} = Request} ->
            Kind = megaphone_bosh:kind(Rid, Bosh),
            ok = count(Kind),
            case megaphone_allowance:check(Request, Body, Kind =:= overtaking, Who) of
                ok -> arrive(Request, ConnId, Sid, T);
                {error, Reason} -> refuse(ConnId, Reason, T)
            end;
        {error, Reason} ->
            refuse(ConnId, Reason, T)
    end.

-spec count(next | overtaking | repeat) -> ok.
count(next) -> megaphone_stats:add(requests, 1);
count(overtaking) -> ok = megaphone_stats:add(requests_overtaken, 1), megaphone_stats:add(requests, 1);
count(repeat) -> megaphone_stats:add(requests_repeated, 1).

-spec arrive(megaphone_body:request(), pid(), sid(), transport()) -> step().
arrive(#{rid := Rid} = Request, ConnId, Sid, #transport{bosh = Bosh} = T) ->
    {Effects, _} = Arrived = megaphone_bosh:arrive(Request, ConnId, now_ms(), Bosh),
    case Effects of
        %% Its sender may have lost its session, which then expires; or be nobody any more.
        [{refuse, _, _, _}] -> ok = megaphone_report:not_kept(Sid, Rid);
        _ -> ok
    end,
    done(carry_out(Arrived, T)).

-spec refuse(pid(), reason(), transport()) -> step().
refuse(ConnId, Reason, #transport{bosh = Bosh} = T) ->
    done(carry_out(megaphone_bosh:refuse(ConnId, Reason, Bosh), T)).

-spec cut(pid(), transport()) -> transport().
cut(ConnId, #transport{bosh = Bosh} = T) ->
    {[], T1} = carry_out(megaphone_bosh:closed(ConnId, now_ms(), Bosh), T),
    T1.

%% @doc What the client sent next, in its order, for its stream at `Host': how many bytes it took, and what it says.
-spec next(Host :: binary(), transport()) -> megaphone_transport:next().
next(Host, #transport{bosh = Bosh} = T) ->
    case carry_out(megaphone_bosh:next(now_ms(), Bosh), T) of
        {[{deliver, #{els := Els, bytes := Bytes} = Request}], T1} ->
            ok = megaphone_stats:add(stanzas_in, length(Els)),
            {ok, Bytes, megaphone_stream:events(Request, Host), T1};
        {[{stop, Reason}], T1} ->
            {stop, Reason, T1};
        {[], _} ->
            none
    end.

%% @doc May that go on, or does too much wait for the client?
-spec flow(who(), transport()) -> megaphone_pending:flow().
flow(_, #transport{bosh = Bosh}) -> megaphone_bosh:flow(Bosh).

%%% What the client is sent

%% @doc Takes what the stream sent, up to its last word, if it said that.
-spec sent([megaphone_socket:event()], transport()) -> megaphone_transport:sent().
sent([], T) -> {ok, T};
sent(Sent, T) -> sent(Sent, now_ms(), none, T).

-spec sent([megaphone_socket:event()], ms(), none | {full, reason()}, transport()) -> megaphone_transport:sent().
sent([{xmlstreamelement, {xmlel, <<"stream:error">>, _, Children} = El} | Rest], _, _, T) ->
    case megaphone_stream:condition(Children) of
        <<"remote-stream-error">> = Condition -> {ended, Condition, element(1, megaphone_stream:payload(El)), Rest, T};
        Condition -> {ended, Condition, [], Rest, T}
    end;
sent([{xmlstreamelement, El} | Rest], Now, Full, T) ->
    {Payload, Kind} = megaphone_stream:payload(El),
    enqueue({Payload, none}, Kind, Rest, Now, Full, T);
sent([{owed, El, Stanza} | Rest], Now, Full, T) ->
    {Payload, Kind} = megaphone_stream:payload(El),
    enqueue({Payload, {Now, Stanza}}, Kind, Rest, Now, Full, T);
sent([{xmlstreamstart, _, Attrs} | Rest], Now, Full, #transport{bosh = Bosh} = T) ->
    {_, Id} = lists:keyfind(<<"id">>, 1, Attrs),
    sent(Rest, Now, Full, T#transport{bosh = megaphone_bosh:authid(Id, Bosh)});
sent([{shaper, Shaper} | Rest], Now, Full, T) ->
    sent(Rest, Now, Full, T#transport{shaper = Shaper});
sent([_ | Rest], Now, Full, T) ->
    sent(Rest, Now, Full, T);
sent([], _, none, T) ->
    {ok, T};
sent([], _, {full, Reason}, T) ->
    {stop, Reason, T}.

-spec enqueue(megaphone_queue:item(), megaphone_queue:kind(), Rest, ms(), none | {full, reason()}, transport()) -> megaphone_transport:sent() when
    Rest :: [megaphone_socket:event()].
enqueue(Item, Kind, Rest, Now, Full, #transport{bosh = Bosh} = T) ->
    case carry_out(megaphone_bosh:enqueue(Item, Kind, Now, Bosh), T) of
        {[], T1} -> sent(Rest, Now, Full, T1);
        {[{stop, Reason}], T1} -> sent(Rest, Now, {full, Reason}, T1)
    end.

%% @doc Due answers leave.
-spec flush(boolean(), Left :: megaphone_pending:pending(), transport()) -> {ok, transport()}.
flush(IsBusy, _, #transport{bosh = Bosh} = T) ->
    {[], T1} = carry_out(megaphone_bosh:flush(IsBusy, now_ms(), Bosh), T),
    {ok, present(T1)}.

%% A client whose requests wait here for their time is there.
-spec present(transport()) -> transport().
present(#transport{bosh = Bosh, intake = Intake} = T) ->
    case megaphone_intake:due(Intake) of
        infinity -> T;
        Due -> T#transport{bosh = megaphone_bosh:present(Due, Bosh)}
    end.

%% What megaphone_bosh wants done, but for what is left to the session.
-spec carry_out({[megaphone_effects:effect()], megaphone_bosh:bosh()}, transport()) -> {[megaphone_effects:rest()], transport()}.
carry_out({Effects, Bosh}, #transport{headers = Headers} = T) ->
    {Undelivered, Rest} = megaphone_effects:carry_out(Effects, Headers),
    {Rest, T#transport{bosh = lists:foldl(fun(Answer, B) -> megaphone_bosh:undelivered(Answer, now_ms(), B) end, Bosh, Undelivered)}}.

-spec done({[megaphone_effects:rest()], transport()}) -> step().
done({[], T}) -> {ok, T};
done({[{stop, Reason}], T}) -> {stop, Reason, T}.

%% @doc Answers every open request, those that still wait for their time, and later ones, if there is somebody to do so `For'.
-spec finish(megaphone_condition:condition() | resumable, Error :: iodata(), For :: who() | nobody, sid(), transport()) -> [megaphone_queue:owed()].
finish(resumable, Error, For, Sid, T) ->
    finish(<<"remote-connection-failed">>, Error, For, Sid, T);
finish(Condition, Error, For, Sid, #transport{bosh = Bosh, headers = Headers, intake = Intake}) ->
    {Effects, Owed, Ended} = megaphone_bosh:finish(Condition, Error, now_ms(), Bosh),
    {[], []} = megaphone_effects:carry_out(Effects, Headers),
    ok = case For of nobody -> ok; _ -> megaphone_ended:put(Sid, Ended, For) end,
    lists:foreach(fun({ConnId, Body}) -> megaphone_ended:request(Sid, ConnId, Body) end, megaphone_intake:all(Intake)),
    Owed.

%% @doc It was on its way here when the session ended.
-spec late(tuple(), sid()) -> ok.
late({bosh_request, ConnId, Body}, Sid) -> megaphone_ended:request(Sid, ConnId, Body);
late({bosh_asked, ConnId, Rid}, Sid) -> megaphone_ended:asked(Sid, ConnId, Rid);
late(_, _) -> ok.

-spec rest(sid()) -> ok.
rest(Sid) ->
    receive
        {Kind, _, _} = Message when Kind =:= bosh_request; Kind =:= bosh_asked -> ok = late(Message, Sid), rest(Sid)
    after 0 -> ok
    end.

%%% What it is like

%% @doc When wait/3, flush/3 or is_expired/1 will next have something to say.
-spec due(transport()) -> ms() | infinity.
%% Atoms sort behind numbers: `infinity' is the largest.
due(#transport{bosh = Bosh, intake = Intake}) -> min(megaphone_bosh:deadline(Bosh), megaphone_intake:due(Intake)).

-spec is_expired(transport()) -> boolean().
is_expired(#transport{bosh = Bosh}) -> megaphone_bosh:is_expired(now_ms(), Bosh).

%% @doc For whoever reports it or needs its room.
-spec info(transport()) -> megaphone_transport:info().
info(#transport{bosh = Bosh}) -> megaphone_bosh:info(Bosh).

-spec conns(transport()) -> [pid()].
conns(#transport{bosh = Bosh, intake = Intake}) ->
    megaphone_bosh:conns(Bosh) ++ [ConnId || {ConnId, _} <- megaphone_intake:all(Intake)].

-spec socket(transport()) -> none.
socket(_) -> none.

-spec shift(ms(), fun((Limits) -> Limits), transport()) -> transport().
shift(By, Own, #transport{bosh = Bosh, intake = Intake} = T) ->
    T#transport{bosh = megaphone_bosh:shift(By, Own, Bosh), intake = megaphone_intake:shift(By, Intake)}.

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
