%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% Whatever the template is, what was packed comes back.
-module(prop_megaphone_pack).

-include_lib("proper/include/proper.hrl").

-export([prop_unpacks_to_what_was_packed/0]).

prop_unpacks_to_what_was_packed() ->
    ?FORALL(
        {Host, Streams},
        {binary(), non_empty(list(stream()))},
        begin
            Packed = [megaphone_pack:pack(Host, Stream) || Stream <- Streams],
            [megaphone_pack:unpack(P) || P <- Packed] =:= Streams
        end
    ).

%% Few keys and values, so that streams share some and lack others; 1 and 1.0 are different things.
stream() ->
    ?LET(Pairs, list({oneof([a, b, c, d, user]), oneof([0, 1, 1.0, true, <<"x">>, [1], #{}])}), maps:from_list(Pairs)).
