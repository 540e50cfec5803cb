%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The ejabberd module: options, start and stop on each virtual host. The hub and the sessions are shared by all hosts of the
%%% node.
-module(mod_megaphone).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_opt_type/1, mod_doc/0]).
-export([contract/0, session_seconds/0, limits/1, node_limits/0, stats/0, ejabberd_stopping/0]).

-export_type([limits/0]).

-include_lib("kernel/include/logger.hrl").

%% Of one session. Seconds; `queue' is the bytes that wait for a client before what it sends waits, too, `group' the
%% milliseconds that presence may wait for more of its kind. `strict': who asks too early is ended (XEP-0124 §11).
-type limits() :: #{
    %% Its own name, as one term for all sessions.
    host := binary(),
    wait := non_neg_integer(),
    hold := pos_integer(),
    inactivity := pos_integer(),
    maxpause := non_neg_integer(),
    polling := non_neg_integer(),
    queue := pos_integer(),
    group := non_neg_integer(),
    strict := boolean()
}.

%% How much later than its limits say a session may end.
-define(TIMERS_SECONDS, 5).

%% @doc The version of the terms that are exchanged with gateways. They ask for it through `rex',
%% and so tell this module from another process that is registered under its name.
-spec contract() -> 7.
contract() -> 7.

%% @doc After so long a time without a sign of its client no session is left here. It never falls, for open sessions
%% keep the limits that they began with.
-spec session_seconds() -> non_neg_integer().
session_seconds() ->
    megaphone_sessions:longest().

%% @doc What the sessions of this node did, for gateways and other nodes.
-spec stats() -> #{atom() => term()}.
stats() -> megaphone_stats:all().

-spec start(binary(), gen_mod:opts()) -> ok | {error, term()}.
start(Host, Opts) ->
    ok = set_limits(Host, Opts),
    ok = renew(megaphone_upgrade:changed()),
    Spec = #{id => megaphone_sup, start => {megaphone_sup, start_link, []}, type => supervisor},
    case supervisor:start_child(ejabberd_gen_mod_sup, Spec) of
        {ok, _} ->
            ok = megaphone_cluster:set(in_service),
            ok = node_hooks(add),
            ok = megaphone_commands:register(),
            ok = start_comet(),
            ok = megaphone_events:start(Host, Opts),
            hook(add, Host);
        {error, {already_started, _}} ->
            ok = megaphone_events:start(Host, Opts),
            hook(add, Host);
        {error, _} = Error ->
            Error
    end.

%% Where its beams are found, pages have this node's processes, too (docs/comet.md). Its tables may have to wait for other nodes; nobody here
%% waits for them.
-spec start_comet() -> ok.
start_comet() ->
    _ = code:where_is_file("megaphone_comet.app") =:= non_existing orelse
        spawn(fun() ->
            case application:ensure_all_started(megaphone_comet) of
                {ok, _} -> ok;
                {error, Reason} -> ?LOG_ERROR("megaphone_comet does not start: ~p", [Reason])
            end
        end),
    ok.

%% Sessions move to other nodes before those that cannot end.
-spec node_hooks(add | delete) -> ok.
node_hooks(Change) ->
    ok = ejabberd_hooks:Change(api_call, megaphone_stopping, called, 50),
    ok = ejabberd_hooks:Change(ejabberd_stopping, megaphone_stopping, stopping, 40),
    ejabberd_hooks:Change(ejabberd_stopping, ?MODULE, ejabberd_stopping, 50).

%% Before stream management's own at 50, which may change what is asked here.
-spec hook(add | delete, binary()) -> ok.
hook(Change, Host) ->
    ok = ejabberd_hooks:Change(c2s_handle_send, Host, megaphone_socket, sent, 40),
    %% Before and behind all others.
    ok = ejabberd_hooks:Change(c2s_stream_started, Host, megaphone_guests, starts, 1),
    ok = ejabberd_hooks:Change(c2s_stream_started, Host, megaphone_guests, started, 999),
    ok = ejabberd_hooks:Change(c2s_auth_result, Host, megaphone_guests, tried, 1),
    ok = ejabberd_hooks:Change(c2s_auth_result, Host, megaphone_guests, heard, 999),
    ok = ejabberd_hooks:Change(sm_remove_connection_hook, Host, megaphone_handover, closed, 50),
    ok = ejabberd_hooks:Change(c2s_copy_session, Host, megaphone_handover, resumes, 50),
    ejabberd_hooks:Change(sm_register_connection_hook, Host, megaphone_handover, opened, 50).

%% After an upgrade ejabberd loads this module anew, but not those beside it. New code never meets a
%% session of the old: those of other hosts, which are not restarted, end as those of this one did.
-spec renew(Changed :: [module()]) -> ok.
renew([]) ->
    ok;
renew(Changed) ->
    ok = megaphone_control:stop(all),
    ok = stop_supervisor(),
    ok = megaphone_control:kill(),
    megaphone_upgrade:load(Changed).

-spec stop(binary()) -> ok.
stop(Host) ->
    IsLast = not gen_mod:is_loaded_elsewhere(Host, ?MODULE),
    _ = IsLast andalso not is_configured(Host) andalso megaphone_stopping:stopping(),
    ok = megaphone_control:stop(Host),
    ok = hook(delete, Host),
    %% Behind the logouts of its sessions.
    ok = megaphone_events:stop(Host),
    case IsLast of
        true -> stop_supervisor();
        false -> ok
    end.

%% Where it still is, the module is to start again, as after an upgrade.
-spec is_configured(binary()) -> boolean().
is_configured(Host) -> lists:keymember(?MODULE, 1, ejabberd_option:modules(Host)).

-spec stop_supervisor() -> ok.
stop_supervisor() ->
    ok = megaphone_cluster:set(stopping),
    ok = node_hooks(delete),
    ok = megaphone_commands:unregister(),
    _ = supervisor:terminate_child(ejabberd_gen_mod_sup, megaphone_sup),
    _ = supervisor:delete_child(ejabberd_gen_mod_sup, megaphone_sup),
    ok.

%% @doc A hook: ejabberd is about to stop, but all of it runs still, as the ends of sessions need it.
-spec ejabberd_stopping() -> ok.
ejabberd_stopping() ->
    megaphone_control:stop(all).

%% Sessions that are open keep the limits they started with and told their client.
-spec reload(binary(), gen_mod:opts(), gen_mod:opts()) -> ok.
reload(Host, NewOpts, _OldOpts) ->
    ok = set_limits(Host, NewOpts),
    megaphone_events:reload(Host, NewOpts).

%% Stopped before it: what sessions hand back when the server stops goes to offline storage.
-spec depends(binary(), gen_mod:opts()) -> [{mod_offline, soft}].
depends(_Host, _Opts) -> [{mod_offline, soft}].

%% @doc The limits of a new session on this host. One term for all sessions, which is not copied.
-spec limits(binary()) -> limits().
limits(Host) ->
    persistent_term:get({?MODULE, Host}).

%% @doc What bounds the strangers of this node: options of its first host, for they are told apart only later.
-spec node_limits() -> megaphone_admission:limits().
node_limits() ->
    Get =
        case lists:search(fun(Host) -> gen_mod:is_loaded(Host, ?MODULE) end, ejabberd_option:hosts()) of
            {value, Host} -> fun(Option) -> gen_mod:get_module_opt(Host, ?MODULE, Option) end;
            false -> fun(Option) -> proplists:get_value(Option, mod_options(<<>>)) end
        end,
    #{
        strangers => Get(max_unauthenticated),
        per_address => Get(max_unauthenticated_per_address),
        memory => Get(max_memory)
    }.

-spec set_limits(binary(), gen_mod:opts()) -> ok.
set_limits(Host, Opts) ->
    Get = fun(Option) -> gen_mod:get_opt(Option, Opts) end,
    %% What is held when the last sign came is answered after `max_wait' at the latest, and only then nobody is there.
    Longest = max(Get(max_wait) + Get(max_inactivity), Get(max_pause)) div 1000 + ?TIMERS_SECONDS,
    ok = megaphone_sessions:may_last(Longest),
    persistent_term:put({?MODULE, Host}, #{
        host => Host,
        wait => Get(max_wait) div 1000,
        hold => Get(max_hold),
        inactivity => Get(max_inactivity) div 1000,
        maxpause => Get(max_pause) div 1000,
        polling => Get(polling) div 1000,
        queue => Get(max_queue),
        group => Get(presence_delay),
        strict => Get(strict)
    }).

-spec mod_options(binary()) -> [{atom(), term()}].
mod_options(_Host) ->
    [
        {max_wait, timer:seconds(60)},
        {max_hold, 1},
        {max_inactivity, timer:seconds(30)},
        {max_pause, timer:seconds(120)},
        {polling, timer:seconds(5)},
        {max_queue, 1048576},
        {presence_delay, 0},
        {max_unauthenticated, 10000},
        {max_unauthenticated_per_address, 100},
        {max_memory, 0},
        {strict, false},
        {weight, 100},
        {events, []},
        {events_to, none},
        {events_delivery, at_most_once},
        {events_max, 10000},
        {events_max_bytes, 16777216}
    ].

-spec mod_opt_type(atom()) -> econf:validator().
mod_opt_type(max_hold) -> econf:pos_int();
mod_opt_type(max_queue) -> econf:pos_int();
mod_opt_type(max_unauthenticated) -> econf:pos_int();
mod_opt_type(max_unauthenticated_per_address) -> econf:non_neg_int();
mod_opt_type(max_memory) -> econf:non_neg_int();
mod_opt_type(strict) -> econf:bool();
mod_opt_type(weight) -> econf:int(0, 10000);
mod_opt_type(max_wait) -> econf:timeout(second);
mod_opt_type(max_inactivity) -> econf:timeout(second);
mod_opt_type(max_pause) -> econf:timeout(second);
mod_opt_type(polling) -> econf:either(econf:int(0, 0), econf:timeout(second));
mod_opt_type(presence_delay) -> econf:either(econf:int(0, 0), econf:timeout(millisecond));
mod_opt_type(events) -> econf:list(econf:enum([logins, logouts, messages, bodies]), [unique]);
mod_opt_type(events_to) -> megaphone_events:whom();
mod_opt_type(events_delivery) -> econf:enum([at_most_once, at_least_once]);
mod_opt_type(events_max) -> econf:pos_int();
mod_opt_type(events_max_bytes) -> econf:pos_int().

-spec mod_doc() -> megaphone_doc:doc().
mod_doc() -> megaphone_doc:doc().
