%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Tells the events of a virtual host to a process or over HTTP, a batch at a time (megaphone_events_queue): sends what the queue
%%% says, and tells it what became of that. Where each event is told at least once, a process answers a batch with the number of
%%% its last line, and HTTP with any 2xx.
-module(megaphone_events_teller).
-behaviour(gen_server).

-export([start_link/2, configure/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([config/0]).

-include_lib("kernel/include/logger.hrl").

-type to() :: {process, {atom(), node()}} | {http, Url :: binary()}.
-type config() :: #{what := [megaphone_events_hooks:what()], to := none | to(), limits := megaphone_events_queue:limits()}.

%% For an answer; httpc keeps to its own before.
-define(ANSWER_MS, 30000).
-define(CONNECT_MS, 10000).
-define(LATE_MS, 45000).
%% What waits as the module stops.
-define(LAST_MS, 3000).

-record(teller, {
    host :: binary(),
    head :: binary(),
    to :: to(),
    queue :: megaphone_events_queue:queue(),
    %% What is on its way here: bytes, and how many did not fit.
    under :: atomics:atomics_ref(),
    %% Of the batch that is sent: its last number, and httpc's name of the request.
    sent = none :: none | {pos_integer(), none | reference()},
    timer = none :: none | reference(),
    %% What the node's counters know.
    told = 0 :: non_neg_integer(),
    dropped = 0 :: non_neg_integer()
}).

-spec start_link(binary(), config()) -> {ok, pid()} | {error, term()} | ignore.
start_link(Host, Config) -> gen_server:start_link(?MODULE, {Host, Config}, []).

-spec configure(pid(), config()) -> ok.
configure(Teller, Config) -> gen_server:call(Teller, {configure, Config}, infinity).

-spec init({binary(), config()}) -> {ok, #teller{}}.
init({Host, #{to := To, limits := Limits} = Config}) ->
    _ = process_flag(trap_exit, true),
    _ = process_flag(message_queue_data, off_heap),
    ok = prepare(Host, To),
    %% Larger than those of an earlier life, so that who is told knows doubles by their number.
    Queue = megaphone_events_queue:new(Limits, erlang:system_time(microsecond)),
    Head = megaphone_events_line:head(node(), Host),
    Under = atomics:new(2, []),
    ok = serves(Config, Host, Under),
    {ok, #teller{host = Host, head = Head, to = To, queue = Queue, under = Under}}.

-spec serves(config(), binary(), atomics:atomics_ref()) -> ok.
serves(#{what := What, limits := #{bytes := Bytes}}, Host, Under) -> megaphone_events_hooks:serves(Host, What, Bytes, Under).

-spec prepare(binary(), to()) -> ok.
prepare(_, {process, _}) ->
    ok;
prepare(Host, {http, _}) ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(ssl),
    _ = inets:start(httpc, [{profile, profile(Host)}]),
    %% One that the other end closes just as it is used again would lose a batch: most servers keep them for longer than this.
    httpc:set_options([{keep_alive_timeout, 2000}], profile(Host)).

-spec profile(binary()) -> atom().
profile(Host) -> binary_to_atom(<<"megaphone_events_", Host/binary>>).

-spec handle_call(term(), {pid(), term()}, #teller{}) -> {reply, ok | {error, unknown_request}, #teller{}}.
handle_call({configure, #{to := To, limits := Limits} = Config}, _, #teller{host = Host, under = Under, queue = Queue} = T) ->
    ok = prepare(Host, To),
    ok = serves(Config, Host, Under),
    {reply, ok, go(T#teller{to = To, queue = megaphone_events_queue:limits(Limits, Queue)})};
handle_call(_, _, T) ->
    {reply, {error, unknown_request}, T}.

-spec handle_cast(term(), #teller{}) -> {noreply, #teller{}}.
handle_cast({event, Bytes, Event}, T) -> {noreply, go(add(Bytes, Event, T))};
handle_cast(_, T) -> {noreply, T}.

-spec handle_info(term(), #teller{}) -> {noreply, #teller{}}.
handle_info({http, {Ref, Result}}, #teller{sent = {Number, Ref}} = T) ->
    {noreply, result(Result, Number, T)};
handle_info({taken, Number}, #teller{sent = {Number, none}} = T) ->
    {noreply, taken(Number, T)};
handle_info({timeout, Timer, late}, #teller{timer = Timer, sent = {Number, _}} = T) ->
    {noreply, failed(Number, "no answer", T)};
handle_info({timeout, Timer, again}, #teller{timer = Timer, queue = Queue} = T) ->
    {noreply, go(T#teller{timer = none, queue = megaphone_events_queue:time(Queue)})};
handle_info(_, T) ->
    {noreply, T}.

%% What has come, and what waits, as far as it goes.
-spec terminate(term(), #teller{}) -> ok.
terminate(_, #teller{host = Host, to = To} = T) ->
    ok = megaphone_events_hooks:gone(Host),
    #teller{queue = Queue} = T1 = all_that_came(T),
    ok = last_words(go(T1#teller{queue = megaphone_events_queue:time(Queue)}), now_ms() + ?LAST_MS),
    case To of
        {http, _} -> _ = inets:stop(httpc, profile(Host)), ok;
        {process, _} -> ok
    end.

-spec add(pos_integer(), megaphone_events_line:event(), #teller{}) -> #teller{}.
add(Bytes, Event, #teller{under = Under, queue = Queue} = T) ->
    ok = atomics:sub(Under, 1, Bytes),
    Lost = atomics:exchange(Under, 2, 0),
    counted(T#teller{queue = megaphone_events_queue:add(megaphone_events_line:event(Event), megaphone_events_queue:lost(Lost, Queue))}).

-spec counted(#teller{}) -> #teller{}.
counted(#teller{queue = Queue, told = KnownTold, dropped = KnownDropped} = T) ->
    Told = megaphone_events_queue:told(Queue),
    Dropped = megaphone_events_queue:dropped(Queue),
    ok = megaphone_stats:add(events_told, Told - KnownTold),
    ok = megaphone_stats:add(events_dropped, Dropped - KnownDropped),
    T#teller{told = Told, dropped = Dropped}.

%% Sends what is to be sent now.
-spec go(#teller{}) -> #teller{}.
go(#teller{queue = Queue, to = To} = T) ->
    case megaphone_events_queue:next(Queue) of
        {none, Queue1} ->
            T#teller{queue = Queue1};
        {send, Lines, Queue1} ->
            {Number, _, _} = lists:last(Lines),
            T1 = T#teller{queue = Queue1, timer = erlang:start_timer(?LATE_MS, self(), late)},
            send(To, Number, texts(Lines, T), T1#teller{sent = {Number, none}})
    end.

-spec texts([megaphone_events_queue:line()], #teller{}) -> [binary()].
texts(Lines, #teller{head = Head}) -> [megaphone_events_line:line(Head, Line) || Line <- Lines].

-spec send(to(), pos_integer(), [binary()], #teller{}) -> #teller{}.
send({process, Process}, Number, Texts, #teller{queue = Queue} = T) ->
    case {erlang:send(Process, {megaphone_events, self(), Number, Texts}, [nosuspend]), megaphone_events_queue:delivery(Queue)} of
        {ok, at_most_once} -> taken(Number, T);
        {ok, at_least_once} -> T;
        {nosuspend, _} -> failed(Number, "the node does not read", T)
    end;
send({http, Url}, Number, Texts, T) ->
    Options = [{sync, false}, {body_format, binary}],
    case httpc:request(post, request(Url, Texts), http_options(?ANSWER_MS), Options, profile(T#teller.host)) of
        {ok, Ref} -> T#teller{sent = {Number, Ref}};
        {error, _} -> failed(Number, "no request could be made", T)
    end.

-spec request(binary(), [binary()]) -> {string(), [{string(), string()}], string(), iodata()}.
request(Url, Texts) ->
    {binary_to_list(Url), [{"user-agent", "megaphone"}], "application/x-ndjson", iolist_to_binary([[Text, $\n] || Text <- Texts])}.

-spec http_options(pos_integer()) -> [{atom(), term()}].
http_options(Ms) ->
    [{timeout, Ms}, {connect_timeout, min(Ms, ?CONNECT_MS)}, {autoredirect, false}, {ssl, tls_options()}].

-spec tls_options() -> [{atom(), term()}].
tls_options() ->
    Match = public_key:pkix_verify_hostname_match_fun(https),
    Trusted = try public_key:cacerts_get() catch _:_ -> [] end,
    [{verify, verify_peer}, {depth, 10}, {cacerts, Trusted}, {customize_hostname_check, [{match_fun, Match}]}].

-spec result(term(), pos_integer(), #teller{}) -> #teller{}.
result({{_, Status, _}, _, _}, Number, T) when Status >= 200, Status < 300 -> taken(Number, T);
result({{_, Status, _}, _, _}, Number, T) -> failed(Number, ["status ", integer_to_list(Status)], T);
%% What is wrong may hold the URL, which may hold a secret.
result({error, _}, Number, T) -> failed(Number, "no answer", T).

-spec taken(pos_integer(), #teller{}) -> #teller{}.
taken(Number, #teller{queue = Queue} = T) ->
    go(counted(settled(T#teller{queue = megaphone_events_queue:taken(Number, Queue)}))).

-spec failed(pos_integer(), iolist(), #teller{}) -> #teller{}.
failed(Number, Reason, #teller{host = Host, queue = Queue} = T) ->
    {PauseMs, Queue1} = megaphone_events_queue:failed(Number, Queue),
    ?LOG_WARNING("Events of ~ts could not be told (~ts): the next attempt is in ~b ms", [Host, Reason, PauseMs]),
    counted((settled(T#teller{queue = Queue1}))#teller{timer = erlang:start_timer(PauseMs, self(), again)}).

-spec settled(#teller{}) -> #teller{}.
settled(#teller{timer = Timer} = T) ->
    _ = erlang:cancel_timer(Timer),
    T#teller{sent = none, timer = none}.

-spec all_that_came(#teller{}) -> #teller{}.
all_that_came(T) ->
    receive
        {'$gen_cast', {event, Bytes, Event}} -> all_that_came(add(Bytes, Event, T))
    after 0 -> T
    end.

%% A batch on its way is waited for, and not sent twice; one that fails is the last.
-spec last_words(#teller{}, Until :: integer()) -> ok.
last_words(#teller{sent = none}, _) ->
    ok;
last_words(T, Until) ->
    receive
        Answer when element(1, Answer) =:= http; element(1, Answer) =:= taken ->
            {noreply, T1} = handle_info(Answer, T),
            last_words(T1, Until)
    after max(0, Until - now_ms()) ->
        ok
    end.

-spec now_ms() -> integer().
now_ms() -> erlang:monotonic_time(millisecond).
