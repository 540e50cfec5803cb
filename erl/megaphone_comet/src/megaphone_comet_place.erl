%%% SPDX-License-Identifier: Apache-2.0
%%%
%%% The life of a place, a gateway or another node, as this node sees it:
%%%
%%%   unknown    it has no rows here
%%%   up         it was told welcome: what it says of its ids counts
%%%   sweeping   it is gone, and its rows are being taken out
%%%   waiting    the same, and it is back, or said that it begins anew: it is welcome once that is done
%%%
%%%            | hello   | down     | swept
%%%   unknown  | up      | ·        | –
%%%   up       | waiting | sweeping | –
%%%   sweeping | waiting | ·        | unknown
%%%   waiting  | ·       | sweeping | up
%%%
%%% (·: nothing changes; –: cannot happen. The test reads this table.) Swept: all rows were looked at since it left `up'.
-module(megaphone_comet_place).

-export([next/2]).
-export_type([phase/0, event/0]).

-type phase() :: unknown | up | sweeping | waiting.
-type event() :: hello | down | swept.

-spec next(phase(), event()) -> phase().
next(unknown, hello) -> up;
next(up, hello) -> waiting;
next(up, down) -> sweeping;
next(sweeping, hello) -> waiting;
next(sweeping, swept) -> unknown;
next(waiting, down) -> sweeping;
next(waiting, swept) -> up;
next(Phase, Event) when Event =/= swept -> Phase.
