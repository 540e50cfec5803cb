%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A stream's state in few bytes, for a session that sleeps. Streams of a host are alike in most of
%%% what they hold: the first one that sleeps becomes the template, of the others only what differs
%%% from it is kept. That takes a few microseconds each way, a tenth of what compressing takes.
-module(megaphone_pack).

-export([forget/0, pack/2, unpack/1]).

-type stream() :: xmpp_stream_in:state().

%% @doc Drops the templates of an earlier life of the module, and of an earlier version.
-spec forget() -> ok.
forget() ->
    Keys = [Key || {{?MODULE, _} = Key, _} <- persistent_term:get()],
    lists:foreach(fun persistent_term:erase/1, Keys).

-spec pack(Host :: binary(), stream()) -> binary().
pack(Host, Stream) ->
    {Id, Template} = template(Host, Stream),
    Differs = fun(Key, Value) -> case Template of #{Key := Value} -> false; _ -> true end end,
    %% What the template has and this one has not; almost always nothing.
    Lacks = maps:keys(maps:without(maps:keys(Stream), Template)),
    term_to_binary({Id, maps:filter(Differs, Stream), Lacks}).

-spec unpack(binary()) -> stream().
unpack(Packed) ->
    {Id, Differs, Lacks} = binary_to_term(Packed),
    maps:without(Lacks, maps:merge(persistent_term:get({?MODULE, Id}), Differs)).

%% Two sessions may make one at the same moment: each stays under its own id, and one is used further.
-spec template(binary(), stream()) -> {Id :: integer(), stream()}.
template(Host, Stream) ->
    case persistent_term:get({?MODULE, Host}, none) of
        none ->
            Id = erlang:unique_integer(),
            ok = persistent_term:put({?MODULE, Id}, Stream),
            ok = persistent_term:put({?MODULE, Host}, {Id, Stream}),
            {Id, Stream};
        Template ->
            Template
    end.
