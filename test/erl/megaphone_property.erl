%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% For properties whose tests may fail by an exception.
-module(megaphone_property).

-export([holds/1]).

%% Debian's PropEr asks for stack traces in a way that OTP 24 took out: it must see no exception.
holds(Test) ->
    try Test() of
        true -> true;
        Failed -> io:format("~p~n", [Failed]), false
    catch
        Class:Reason:Stack -> io:format("~p ~p~n~p~n", [Class, Reason, Stack]), false
    end.
