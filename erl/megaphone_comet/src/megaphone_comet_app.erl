%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% Starts the application: the tables of subscriptions, then what serves them.
-module(megaphone_comet_app).
-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_, _) ->
    case megaphone_subscriptions:create_tables() of
        ok -> megaphone_comet_sup:start_link();
        {error, _} = Error -> Error
    end.

-spec stop(term()) -> ok.
stop(_) -> ok.
