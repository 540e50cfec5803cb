%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What happens in chat, told to whom is behind it (docs/outside.md): of a virtual host whose configuration asks for it, the hooks
%%% (megaphone_events_hooks) and the process that tells (megaphone_events_teller).
-module(megaphone_events).

-export([start/2, stop/1, reload/2, whom/0]).

%% @doc Of a virtual host.
-spec start(binary(), gen_mod:opts()) -> ok.
start(Host, Opts) ->
    case config(Opts) of
        #{what := []} -> ok;
        #{what := What} = Config -> ok = supervise(Host, Config), megaphone_events_hooks:add(Host, What)
    end.

%% @doc What waits is told first, as far as that goes quickly.
-spec stop(binary()) -> ok.
stop(Host) ->
    ok = megaphone_events_hooks:delete(Host),
    _ = supervisor:terminate_child(ejabberd_gen_mod_sup, {?MODULE, Host}),
    _ = supervisor:delete_child(ejabberd_gen_mod_sup, {?MODULE, Host}),
    ok.

%% @doc What waits, stays, as long as there is something to be told.
-spec reload(binary(), gen_mod:opts()) -> ok.
reload(Host, Opts) ->
    case {config(Opts), megaphone_events_hooks:teller(Host)} of
        {#{what := []}, _} ->
            stop(Host);
        {_, none} ->
            start(Host, Opts);
        {#{what := What} = Config, Teller} ->
            ok = megaphone_events_hooks:delete(Host),
            ok = megaphone_events_teller:configure(Teller, Config),
            megaphone_events_hooks:add(Host, What)
    end.

-spec config(gen_mod:opts()) -> megaphone_events_teller:config().
config(Opts) ->
    Get = fun(Option) -> gen_mod:get_opt(Option, Opts) end,
    To = Get(events_to),
    Limits = #{delivery => Get(events_delivery), count => Get(events_max), bytes => Get(events_max_bytes)},
    #{what => case To of none -> []; _ -> Get(events) end, to => To, limits => Limits}.

%% @doc An option: a URL, or the name of a process and perhaps its node.
-spec whom() -> econf:validator().
whom() ->
    Url = econf:and_then(econf:url(), fun(Text) -> {http, Text} end),
    Process = econf:and_then(
        econf:list(econf:atom()),
        fun([Name]) -> {process, {Name, node()}};
           ([Name, Node]) -> {process, {Name, Node}};
           (_) -> econf:fail({bad_enum, ['URL', '[Name]', '[Name, Node]'], none})
        end
    ),
    econf:either(econf:enum([none]), econf:either(Process, Url)).

-spec supervise(binary(), megaphone_events_teller:config()) -> ok.
supervise(Host, Config) ->
    Spec = #{id => {?MODULE, Host}, start => {megaphone_events_teller, start_link, [Host, Config]}, shutdown => 5000},
    case supervisor:start_child(ejabberd_gen_mod_sup, Spec) of
        {ok, _} -> ok;
        {error, {already_started, _}} -> ok
    end.
