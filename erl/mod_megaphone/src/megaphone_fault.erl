%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Faults of a session, and its state for whoever asks, told without content: the terms at hand hold
%%% users' messages.
-module(megaphone_fault).

-export([ends/3, log/4, hide/1]).

-include_lib("kernel/include/logger.hrl").

%% @doc The session ends by it.
-spec ends(error | exit | throw, term(), list()) -> ok.
ends(Class, Reason, Stack) ->
    ok = megaphone_stats:add(sessions_failed, 1),
    log("ends", Class, Reason, Stack).

%% @doc Tells where it happened and of what kind it was; `What' says what the session does about it.
-spec log(What :: string(), Class :: error | exit | throw, term(), list()) -> ok.
log(What, Class, Reason, Stack) ->
    ?LOG_ERROR("Megaphone session ~p ~ts after a fault: ~p ~p in ~p", [self(), What, Class, kind(Reason), places(Stack)]),
    ok.

%% @doc For `format_status/1' of a gen_server: nothing that could hold content, where it is not known to hold none.
-spec hide(#{atom() => term()}) -> #{atom() => term()}.
hide(Status) ->
    maps:map(
        fun
            (reason, Reason) -> kind(Reason);
            (_, [_ | _]) -> [];
            (_, Term) -> kind(Term)
        end,
        Status
    ).

%% A word that tells what term it is.
-spec kind(term()) -> atom().
kind(Term) when is_atom(Term) -> Term;
kind(Term) when is_tuple(Term), tuple_size(Term) > 0 -> kind(element(1, Term));
kind(_) -> hidden.

%% Where a function was not found for its arguments, the trace holds them.
-spec places(list()) -> [{module(), atom(), arity(), Line :: integer()}].
places(Stack) ->
    [{M, F, arity(A), proplists:get_value(line, Info, 0)} || {M, F, A, Info} <- lists:sublist(Stack, 5)].

-spec arity(arity() | [term()]) -> arity().
arity(Arity) when is_integer(Arity) -> Arity;
arity(Args) -> length(Args).
