%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Takes places out of rows. A row whose last gateway left stays for `ring_seconds': numbers go on and its ring is filled, for a page
%%% that comes back, maybe at another gateway. There are no more of them than `idle_rows': whoever may ask for ids may ask for any, so beyond it
%%% the oldest go early.
-module(megaphone_comet_lingering).

-export([new/0, leave/4, inherit/3, expire/1]).
-export_type([lingering/0]).

-type id() :: megaphone_comet_id:canonical().
%% {Until, Id}, in order: what is due is in front.
-opaque lingering() :: ets:tid().

%% So many in one step, among other work.
-define(STEP, 1000).

%% @doc It belongs to the calling process.
-spec new() -> lingering().
new() -> ets:new(lingering, [ordered_set, private]).

-spec leave(megaphone_comet_table:kind(), id(), node(), lingering()) -> ok.
leave(Kind, Id, Node, Lingering) ->
    Until = now_s() + megaphone_comet_keeper:linger_seconds() + 1,
    case megaphone_comet_table:leave(Kind, Id, Node, Until) of
        lingers -> inherit(Id, Until, Lingering);
        left -> ok
    end.

%% @doc A row that lingers already.
-spec inherit(id(), Until :: integer(), lingering()) -> ok.
inherit(Id, Until, Lingering) ->
    true = ets:insert(Lingering, {{Until, Id}}),
    ok.

%% @doc Some of those whose time is over, or that are too many; `more' where others are.
-spec expire(lingering()) -> done | more.
expire(Lingering) ->
    TooMany = ets:info(Lingering, size) - megaphone_comet_keeper:idle_rows(),
    expire(ets:first(Lingering), now_s(), TooMany, ?STEP, Lingering).

-spec expire('$end_of_table' | {integer(), id()}, Now :: integer(), TooMany :: integer(), non_neg_integer(), lingering()) -> done | more.
expire({Until, _}, Now, TooMany, 0, _) when Until =< Now; TooMany > 0 ->
    more;
expire({Until, Id} = Key, Now, TooMany, Steps, Lingering) when Until =< Now; TooMany > 0 ->
    ok = megaphone_comet_table:expire(Id, Until),
    true = ets:delete(Lingering, Key),
    expire(ets:next(Lingering, Key), Now, TooMany - 1, Steps - 1, Lingering);
expire(_, _, _, _, _) ->
    done.

-spec now_s() -> integer().
now_s() -> erlang:monotonic_time(second).
