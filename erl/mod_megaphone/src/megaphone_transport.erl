%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% How a session reaches its client: BOSH over the HTTP exchanges that gateways hold, which megaphone_bosh decides
%%% and this carries out. Requests come in as they are, past the shaper (megaphone_intake) and within what one may
%%% bring (megaphone_allowance); what the stream sent goes out as answers.
%%%
%%% A session asks of its transport: what the client sent next (next/2), whether it may go to the stream (flow/1), to
%%% take what the stream sent (sent/2), to let go what is due (flush/2), when it is due (due/1), whether the client is
%%% gone (is_expired/1), and, last of all, to take leave of the client (finish/4).
-module(megaphone_transport).

-export([new/4, charge/3, request/4, closed/2, asked/3, waiting/2, next/2, flow/1, sent/2, flush/2, finish/4, answer_rest/1]).
-export([due/1, is_expired/1, info/1]).

-export_type([transport/0, step/0]).

-include_lib("kernel/include/logger.hrl").

-type who() :: megaphone_allowance:who().
-type reason() :: megaphone_condition:reason().
-type ms() :: integer().

-record(transport, {
    sid :: megaphone_sid:sid(),
    bosh :: megaphone_bosh:bosh(),
    headers :: [{binary(), binary()}],
    max_body :: pos_integer() | infinity,
    shaper = none :: ejabberd_shaper:shaper(),
    intake = megaphone_intake:new() :: megaphone_intake:intake()
}).
-opaque transport() :: #transport{}.

%% `stop': the session is to end.
-type step() :: {ok, transport()} | {stop, reason(), transport()}.
%% `ended': the stream is to end the session.
-type taken() ::
    step()
    | {ended, megaphone_condition:condition(), Error :: iodata(), Rest :: [megaphone_socket:event()], transport()}.

%% Beside those that a client may have open: requests that wait for the shaper, of connections since cut, too.
-define(WAITING_BODIES, 8).

%% @doc From the creation request, and why the session is to end if that is too much; ejabberd takes bodies up to `MaxBody'.
-spec new(megaphone_body:request(), {ConnId :: pid(), Body :: binary()}, MaxBody, {megaphone_sid:sid(), mod_megaphone:limits()}) ->
    {ok | body_too_large, transport()} when MaxBody :: pos_integer() | infinity.
new(Request, {ConnId, Body}, MaxBody, {Sid, Limits}) ->
    IsTaken = byte_size(Body) =< MaxBody andalso megaphone_allowance:has_room(Request, stranger),
    T = #transport{
        sid = Sid,
        bosh = megaphone_bosh:new(Request, ConnId, now_ms(), {Sid, Limits}),
        headers = megaphone_opening:headers(Request),
        max_body = MaxBody
    },
    {case IsTaken of true -> ok; false -> body_too_large end, T}.

%% @doc The creation request is charged late: the shaper is there once the stream has begun.
-spec charge(pid(), binary(), transport()) -> transport().
charge(ConnId, Body, #transport{shaper = Shaper, intake = Intake} = T) ->
    {now, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, 1, now_ms(), Shaper, Intake),
    T#transport{shaper = Shaper1, intake = Intake1}.

%%% What the client sends

-spec request(ConnId :: pid(), Body :: binary(), who(), transport()) -> step().
request(ConnId, Body, Who, #transport{bosh = Bosh, shaper = Shaper, intake = Intake} = T) ->
    ok = megaphone_stats:add(bytes_in, byte_size(Body)),
    Most = megaphone_bosh:requests(Bosh) + ?WAITING_BODIES,
    {When, Shaper1, Intake1} = megaphone_intake:arrive({ConnId, Body}, Most, now_ms(), Shaper, Intake),
    T1 = T#transport{shaper = Shaper1, intake = Intake1},
    case When of
        now ->
            read(ConnId, Body, Who, T1);
        flood ->
            refuse(ConnId, too_many_requests, T1);
        later ->
            case megaphone_allowance:may_wait(Body, Who) of
                true -> {ok, T1};
                false -> refuse(ConnId, too_much_ahead, T1)
            end
    end.

%% @doc Bodies whose time has come.
-spec waiting(who(), transport()) -> step().
waiting(Who, #transport{intake = Intake} = T) ->
    case megaphone_intake:take(now_ms(), Intake) of
        none ->
            {ok, T};
        {ConnId, State, Body, Intake1} ->
            case read(ConnId, Body, Who, T#transport{intake = Intake1}) of
                {ok, T1} when State =:= gone -> waiting(Who, cut(ConnId, T1));
                {ok, T1} -> waiting(Who, T1);
                Stop -> Stop
            end
    end.

-spec read(pid(), binary(), who(), transport()) -> step().
read(ConnId, Body, Who, #transport{bosh = Bosh, max_body = MaxBody} = T) ->
    case megaphone_allowance:read(Body, Who, MaxBody) of
        {ok, #{rid := Rid} = Request} ->
            Kind = megaphone_bosh:kind(Rid, Bosh),
            ok = count(Kind),
            case megaphone_allowance:check(Request, Body, Kind =:= overtaking, Who) of
                ok -> arrive(Request, ConnId, T);
                {error, Reason} -> refuse(ConnId, Reason, T)
            end;
        {error, Reason} ->
            refuse(ConnId, Reason, T)
    end.

-spec count(next | overtaking | repeat) -> ok.
count(next) -> megaphone_stats:add(requests, 1);
count(overtaking) -> ok = megaphone_stats:add(requests_overtaken, 1), megaphone_stats:add(requests, 1);
count(repeat) -> megaphone_stats:add(requests_repeated, 1).

-spec arrive(megaphone_body:request(), pid(), transport()) -> step().
arrive(#{rid := Rid} = Request, ConnId, #transport{sid = Sid, bosh = Bosh} = T) ->
    {Effects, _} = Arrived = megaphone_bosh:arrive(Request, ConnId, now_ms(), Bosh),
    case Effects of
        %% Its sender may have lost its session, which then expires; or be nobody any more.
        [{refuse, _, _, _}] ->
            ?LOG_DEBUG("Megaphone session ~ts goes on: request ~B is not kept any more", [megaphone_sid:short(Sid), Rid]);
        _ ->
            ok
    end,
    done(carry_out(Arrived, T)).

-spec refuse(pid(), reason(), transport()) -> step().
refuse(ConnId, Reason, #transport{bosh = Bosh} = T) ->
    done(carry_out(megaphone_bosh:refuse(ConnId, Reason, Bosh), T)).

%% @doc The client of an unanswered exchange went away.
-spec closed(pid(), transport()) -> transport().
closed(ConnId, #transport{intake = Intake} = T) ->
    cut(ConnId, T#transport{intake = megaphone_intake:closed(ConnId, Intake)}).

-spec cut(pid(), transport()) -> transport().
cut(ConnId, #transport{bosh = Bosh} = T) ->
    {[], T1} = carry_out(megaphone_bosh:closed(ConnId, now_ms(), Bosh), T),
    T1.

%% @doc The gateway holds this request, and asks whether we do.
-spec asked(pid(), megaphone_body:rid(), transport()) -> transport().
asked(ConnId, Rid, #transport{bosh = Bosh, intake = Intake} = T) ->
    case megaphone_intake:is_waiting(ConnId, Intake) of
        true -> T;
        false -> {[], T1} = carry_out(megaphone_bosh:asked(Rid, ConnId, now_ms(), Bosh), T), T1
    end.

%% @doc What the client sent next, in its order, for its stream at `Host': how many bytes it took, and what it says.
-spec next(Host :: binary(), transport()) ->
    {ok, Bytes :: pos_integer(), [megaphone_stream:event()], transport()} | {stop, reason(), transport()} | none.
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
-spec flow(transport()) -> megaphone_pending:flow().
flow(#transport{bosh = Bosh}) -> megaphone_bosh:flow(Bosh).

%%% What the client is sent

%% @doc Takes what the stream sent, up to its last word, if it said that: then the session ends with a condition, a
%% stream error or nothing, and what the stream sent after it.
-spec sent([megaphone_socket:event()], transport()) -> taken().
sent([], T) -> {ok, T};
sent(Sent, T) -> sent(Sent, now_ms(), none, T).

-spec sent([megaphone_socket:event()], ms(), none | {full, reason()}, transport()) -> taken().
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

-spec enqueue(megaphone_queue:item(), megaphone_queue:kind(), Rest, ms(), none | {full, reason()}, transport()) -> taken() when
    Rest :: [megaphone_socket:event()].
enqueue(Item, Kind, Rest, Now, Full, #transport{bosh = Bosh} = T) ->
    case carry_out(megaphone_bosh:enqueue(Item, Kind, Now, Bosh), T) of
        {[], T1} -> sent(Rest, Now, Full, T1);
        {[{stop, Reason}], T1} -> sent(Rest, Now, {full, Reason}, T1)
    end.

%% @doc Due answers leave. `IsBusy': there is more for the stream, and only the mailbox keeps it back.
-spec flush(IsBusy :: boolean(), transport()) -> transport().
flush(IsBusy, #transport{bosh = Bosh} = T) ->
    {[], T1} = carry_out(megaphone_bosh:flush(IsBusy, now_ms(), Bosh), T),
    present(T1).

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
%% Returns what the client may lack and its user is owed. `Error' is the stream's last word.
-spec finish(megaphone_condition:condition(), Error :: iodata(), For :: who() | nobody, transport()) -> [megaphone_queue:owed()].
finish(Condition, Error, For, #transport{sid = Sid, bosh = Bosh, headers = Headers, intake = Intake}) ->
    {Effects, Owed, Ended} = megaphone_bosh:finish(Condition, Error, now_ms(), Bosh),
    {[], []} = megaphone_effects:carry_out(Effects, Headers),
    ok = case For of nobody -> ok; _ -> megaphone_ended:put(Sid, Ended, For) end,
    lists:foreach(fun({ConnId, Body}) -> megaphone_ended:request(Sid, ConnId, Body) end, megaphone_intake:all(Intake)),
    Owed.

%% @doc The process ends: what is in its mailbox for the transport nobody will take any more.
-spec answer_rest(megaphone_sid:sid()) -> ok.
answer_rest(Sid) ->
    receive
        {bosh_request, ConnId, Body} ->
            ok = megaphone_ended:request(Sid, ConnId, Body),
            answer_rest(Sid);
        {bosh_asked, ConnId, Rid} ->
            ok = megaphone_ended:asked(Sid, ConnId, Rid),
            answer_rest(Sid)
    after 0 -> ok
    end.

%%% What it is like

%% @doc When waiting/2, flush/2 or is_expired/1 will next have something to say.
-spec due(transport()) -> ms() | infinity.
%% Atoms sort behind numbers: `infinity' is the largest.
due(#transport{bosh = Bosh, intake = Intake}) -> min(megaphone_bosh:deadline(Bosh), megaphone_intake:due(Intake)).

-spec is_expired(transport()) -> boolean().
is_expired(#transport{bosh = Bosh}) -> megaphone_bosh:is_expired(now_ms(), Bosh).

%% @doc For whoever reports it or needs its room.
-spec info(transport()) -> megaphone_bosh:info().
info(#transport{bosh = Bosh}) -> megaphone_bosh:info(Bosh).

-spec now_ms() -> ms().
now_ms() -> erlang:monotonic_time(millisecond).
