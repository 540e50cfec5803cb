#!/usr/bin/env escript
%% -*- erlang -*-
%% Prints the golden vectors of the term codec, one JSON object a line: bytes that a real Erlang writes or
%% accepts, each with a description of the term that was made with term inspection (pid_to_list/1 and the like),
%% not from the bytes. The committed file is of OTP 25, but for the native records, which came with OTP 29; local pids,
%% references and funs differ from run to run.
%%
%%   escript test/unit/etf/make-vectors.escript > test/unit/etf/vectors.jsonl
%%
%% Every vector has `bytes`, `term` and, where OTP itself would write other bytes with UTF-8 atoms, `canonical`.
-mode(compile).

main([]) ->
    Lines = lists:flatmap(fun written/1, terms()) ++ lists:map(fun accepted/1, older_forms()),
    io:put_chars([[Line, $\n] || Line <- Lines]).

%% As written by default (Latin-1 atoms before OTP 26) and with UTF-8 atoms.
written({Name, Term}) ->
    Canonical = canonical(Term),
    case term_to_binary(Term) of
        Canonical -> [line(Name, Canonical, Term)];
        Default -> [line(Name, Canonical, Term), line(Name ++ ", Latin-1 atoms", Default, Term)]
    end.

%% Forms that only older releases write; this one still reads them, and its reading is the description.
accepted({Name, Bytes}) ->
    line(Name, Bytes, binary_to_term(Bytes)).

canonical(Term) -> term_to_binary(Term, [{minor_version, 2}]).

line(Name, Bytes, Term) ->
    Term = binary_to_term(Bytes),
    Canonical = case canonical(Term) of
        Bytes -> "";
        Other -> [",\"canonical\":", bytes(Other)]
    end,
    ["{\"name\":\"", Name, "\",\"bytes\":", bytes(Bytes), Canonical, ",\"term\":", describe(Term), "}"].

%% Hexadecimal digits; what is long is deflated, in base64.
bytes(Bytes) when byte_size(Bytes) > 1000 -> ["\"zlib:", base64:encode(zlib:compress(Bytes)), "\""];
bytes(Bytes) -> hex(Bytes).

terms() ->
    integers() ++ floats() ++ atoms() ++ binaries() ++ tuples() ++ lists_() ++ maps_() ++ identifiers() ++ funs() ++ native_records() ++ nested().

integers() ->
    Bounds = [0, 1, 255, 256, 1 bsl 31, 1 bsl 32, 1 bsl 48, 1 bsl 53, 1 bsl 59, 1 bsl 63, 1 bsl 64],
    Around = lists:usort([Sign * (Bound + Off) || Bound <- Bounds, Off <- [-1, 0, 1], Sign <- [1, -1]]),
    [{"integer " ++ integer_to_list(I), I} || I <- Around] ++
        [{"integer of 255 bytes", (1 bsl (255 * 8)) - 1},
         {"integer of 256 bytes", 1 bsl (255 * 8)},
         {"negative integer of 255 bytes", -((1 bsl (255 * 8)) - 1)},
         {"negative integer of 256 bytes", -(1 bsl (255 * 8))},
         {"integer of 5000 bytes", (1 bsl (5000 * 8)) - 12345}].

floats() ->
    [{"float " ++ float_to_list(F, [short]), F} || F <- [0.0, -0.0, 1.0, -1.5, 0.1, 5.0e-324, 1.7976931348623157e308, 3.14]].

atoms() ->
    [{"empty atom", ''}, {"atom ok", ok}, {"quoted atom", 'Hello, \'World\'\n'}, {"atom with a zero", '\0'},
     {"Latin-1 atom", 'grün'}, {"Unicode atom", '日本語'}, {"atom beyond the basic plane", '😀'},
     {"atom of 255 characters", list_to_atom(lists:duplicate(255, $a))},
     {"atom of 255 Latin-1 characters", list_to_atom(lists:duplicate(255, 16#e9))},
     {"atom of 63 wide characters", list_to_atom(lists:duplicate(63, 16#1F600))},
     {"atom of 64 wide characters", list_to_atom(lists:duplicate(64, 16#1F600))},
     {"atom of 255 wide characters", list_to_atom(lists:duplicate(255, 16#1F600))}].

binaries() ->
    [{"empty binary", <<>>}, {"binary", <<"hello">>}, {"all bytes", list_to_binary(lists:seq(0, 255))},
     {"binary of 65536 bytes", binary:copy(<<0>>, 65536)},
     {"part of a binary", binary:part(<<"abcdefgh">>, 2, 3)}] ++
        [{"bit string of " ++ integer_to_list(8 + Bits) ++ " bits", <<16#a5, -1:Bits>>} || Bits <- lists:seq(1, 7)] ++
        [{"bit string of 1 bit", <<1:1>>}, {"bit string off its byte boundary", off_boundary(<<16#123456789a:40>>)}].

off_boundary(<<_:3, Bits:30/bitstring, _/bitstring>>) -> Bits.

tuples() ->
    [{"empty tuple", {}}, {"tuple of one", {1}}, {"tuple of 255", erlang:make_tuple(255, a)},
     {"tuple of 256", erlang:make_tuple(256, a)}, {"nested tuples", {{}, {{}, {1, {2}}}}}].

lists_() ->
    [{"nil", []}, {"list of a byte", [0]}, {"string", "hello"}, {"list with a negative", [1, -1]}, {"list up to 256", [255, 256]},
     {"list of a float", [1.0]}, {"string of 65535", lists:duplicate(65535, $a)}, {"list of 65536 bytes", lists:duplicate(65536, $a)},
     {"list of nils", [[], [], []]}, {"list of strings", ["a", "b", [$c, 300]]},
     {"improper list", [a | b]}, {"improper list of bytes", [1, 2 | 3]}, {"improper list with a binary tail", [alias | <<"x">>]},
     {"improper list in a list", [[1 | 2], [3 | {4}]]}, {"long improper list", lists:seq(1, 300) ++ tail},
     {"iolist", [<<"<body>">>, "text", [$a | <<"</body>">>]]}].

maps_() ->
    [{"empty map", #{}}, {"map", #{a => 1, <<"b">> => 2.0, 3 => [c]}},
     {"map of 32", maps:from_list([{I, I * I} || I <- lists:seq(1, 32)])},
     {"map of 33", maps:from_list([{I, I * I} || I <- lists:seq(1, 33)])},
     {"map of 1000", maps:from_list([{integer_to_binary(I), I} || I <- lists:seq(1, 1000)])},
     {"map with compound keys", #{{a, 1} => 1, [b] => 2, #{} => 3, #{c => d} => 4, 1.0 => 5, 1 => 6}},
     {"nested maps", #{a => #{b => #{c => #{}}}}}].

%% Local ones, and those of other nodes, which come into being by decoding.
identifiers() ->
    [{"local pid", self()}, {"local reference", make_ref()}, {"local port", hd(erlang:ports())},
     {"alias", erlang:alias()}] ++
        [{Name, binary_to_term(Bytes)} || {Name, Bytes} <- [
            {"remote pid", <<131, 88, (node_atom())/binary, 77:32, 3:32, (creation(remote_node())):32>>},
            {"remote pid at its limits", <<131, 88, (node_atom())/binary, -1:32, -1:32, (creation(remote_node())):32>>},
            {"remote port", <<131, 89, (node_atom())/binary, 4711:32, (creation(remote_node())):32>>},
            {"remote port of 28 bits", <<131, 89, (node_atom())/binary, 16#fffffff:32, (creation(remote_node())):32>>},
            {"remote port of 29 bits", <<131, 120, (node_atom())/binary, 16#10000000:64, (creation(remote_node())):32>>},
            {"remote port of 53 bits", <<131, 120, (node_atom())/binary, 16#1fffffffffffff:64, (creation(remote_node())):32>>},
            {"remote port of 64 bits", <<131, 120, (node_atom())/binary, -1:64, (creation(remote_node())):32>>}] ++
            [{"remote reference of " ++ integer_to_list(N) ++ " words",
              <<131, 90, N:16, (node_atom())/binary, (creation(remote_node())):32, 16#3fff1:32,
                (list_to_binary([<<(16#fffffff0 + I):32>> || I <- lists:seq(2, N)]))/binary>>} || N <- lists:seq(1, 5)]].

funs() ->
    Free = {<<"free">>, 1 bsl 70, self()},
    [{"external fun", fun lists:map/2}, {"external fun of an unloaded module", fun 'no.such':'fün'/255},
     {"fun", fun() -> ok end}, {"fun with a free variable", fun(X) -> {X, Free} end},
     {"fun in a fun in a tuple", begin F = fun() -> Free end, {F, [fun() -> F end | F], fun erlang:self/0} end}].

%% Compiled here, for an older Erlang cannot even read them.
native_records() ->
    case list_to_integer(erlang:system_info(otp_release)) of
        Release when Release < 29 -> [];
        _ ->
            {ok, Module, Beam} = compile:forms([form(Text) || Text <- [
                "-module(native).", "-export([all/0]).", "-export_record([point]).",
                "-record #empty{}.", "-record #point{x, y}.", "-record #'Räksmörgås'{a = 1}.",
                "all() -> [{empty, #empty{}}, {exported, #point{x = 1, y = [a | #empty{}]}}, {quoted, #'Räksmörgås'{}}]."]]),
            {module, Module} = code:load_binary(Module, "native.erl", Beam),
            [{"native record, " ++ atom_to_list(Kind), Record} || {Kind, Record} <- Module:all()]
    end.

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

nested() ->
    [{"gen_server call", {'$gen_call', {self(), [alias | make_ref()]}, {is_auth, remote_node()}}},
     {"answer", {binary_to_term(<<131, 88, (node_atom())/binary, 1:32, 2:32, (creation(remote_node())):32>>), 200,
                 [{<<"content-type">>, <<"text/xml">>}], [<<"<body/>">>, "x"]}},
     {"exit reason", {{badmatch, {error, enoent}}, [{mod, fun_, 2, [{file, "mod.erl"}, {line, 12}]}]}},
     {"300 lists deep", lists:foldl(fun(_, Inner) -> [Inner] end, [], lists:seq(1, 300))},
     {"300 tuples deep", lists:foldl(fun(I, Inner) -> {I, Inner} end, leaf, lists:seq(1, 300))},
     {"one of everything", [1, -1, 1 bsl 80, 2.5, ok, <<"b">>, <<5:3>>, {}, {1}, [], "s", [a | b], #{k => v}, self(),
                            make_ref(), fun lists:map/2, fun() -> ok end]}].

older_forms() ->
    Name = list_to_binary(atom_to_list(older_node())),
    Latin1 = <<100, (byte_size(Name)):16, Name/binary>>,
    [{"old float 1.5", term_to_binary(1.5, [{minor_version, 0}])},
     {"old float -1.0e-300", term_to_binary(-1.0e-300, [{minor_version, 0}])},
     {"old floats in a list", term_to_binary([0.1, 2.0], [{minor_version, 0}])},
     {"pid with a small creation", <<131, 103, Latin1/binary, 12:32, 0:32, 2>>},
     {"port with a small creation", <<131, 102, Latin1/binary, 12:32, 2>>},
     {"reference of one word", <<131, 101, Latin1/binary, 12:32, 2>>},
     {"reference with a small creation", <<131, 114, 3:16, Latin1/binary, 2, 12:32, 13:32, 14:32>>},
     {"small Latin-1 atom", <<131, 115, 4, "gr", 16#fc, "n">>},
     {"long UTF-8 tag, short atom", <<131, 118, 2:16, "ok">>},
     {"big with leading zeros", <<131, 110, 4, 0, 7, 0, 0, 0>>},
     {"big of no bytes", <<131, 110, 0, 0>>},
     {"negative big zero", <<131, 110, 1, 1, 0>>},
     {"large big that is small", <<131, 111, 2:32, 1, 7, 1>>},
     {"integer that is small", <<131, 98, 7:32>>},
     {"large tuple that is small", <<131, 105, 1:32, 97, 1>>},
     {"list that is a string", <<131, 108, 2:32, 97, 1, 97, 2, 106>>},
     {"list with a string tail", <<131, 108, 1:32, 97, 1, 107, 2:16, 2, 3>>},
     {"list with a list tail", <<131, 108, 1:32, 97, 1, 108, 1:32, 97, 2, 119, 1, $t>>},
     {"string of nothing", <<131, 107, 0:16>>}].

remote_node() -> 'ejabberd@chat.example.org'.
older_node() -> 'old@localhost'.
node_atom() -> Bytes = atom_to_binary(remote_node()), <<119, (byte_size(Bytes)), Bytes/binary>>.

%% No BIF tells the creation of a pid.
creation(Node) ->
    case Node of
        'nonode@nohost' -> 0;
        'ejabberd@chat.example.org' -> 16#65f0a1b2;
        'old@localhost' -> 2
    end.

describe(Term) when is_integer(Term) -> ["[\"integer\",\"", integer_to_list(Term, 16), "\"]"];
describe(Term) when is_float(Term) -> ["[\"float\",", hex(<<Term:64/float>>), "]"];
describe(Term) when is_atom(Term) -> ["[\"atom\",", hex(atom_to_binary(Term)), "]"];
describe(Term) when is_binary(Term), byte_size(Term) > 1000 -> ["[\"binary\",", bytes(Term), "]"];
describe(Term) when is_binary(Term) -> ["[\"binary\",", hex(Term), "]"];
describe(Term) when is_bitstring(Term) ->
    Unused = 8 - bit_size(Term) rem 8,
    ["[\"bits\",", hex(<<Term/bitstring, 0:Unused>>), $,, integer_to_list(8 - Unused), "]"];
describe(Term) when is_tuple(Term) -> ["[\"tuple\",", describe_all(tuple_to_list(Term)), "]"];
describe([Same | Rest] = Term) when length(Term) > 10000 ->
    true = lists:all(fun(Item) -> Item =:= Same end, Rest),
    ["[\"repeat\",", integer_to_list(length(Term)), $,, describe(Same), "]"];
describe(Term) when is_list(Term) ->
    case split(Term, []) of
        {Items, []} -> ["[\"list\",", describe_all(Items), "]"];
        {Items, Tail} -> ["[\"improper\",", describe_all(Items), $,, describe(Tail), "]"]
    end;
describe(Term) when is_map(Term) ->
    ["[\"map\",[", lists:join($,, [describe_all([Key, Value]) || {Key, Value} <- maps:to_list(Term)]), "]]"];
describe(Term) when is_pid(Term) -> ["[\"pid\",", identity(Term, pid_to_list(Term)), "]"];
describe(Term) when is_port(Term) -> ["[\"port\",", identity(Term, erlang:port_to_list(Term)), "]"];
describe(Term) when is_reference(Term) -> ["[\"reference\",", identity(Term, erlang:ref_to_list(Term)), "]"];
describe(_FunOrRecord) -> "[\"opaque\"]".

describe_all(Terms) -> [$[, lists:join($,, [describe(Term) || Term <- Terms]), $]].

split([Item | Rest], Items) -> split(Rest, [Item | Items]);
split(Tail, Items) -> {lists:reverse(Items), Tail}.

%% "<9.77.3>", "#Port<9.4711>", "#Ref<9.3.2.1>": the first number is local, the words of a reference stand last to first.
identity(Term, Text) ->
    [_ | Numbers] = string:lexemes(lists:dropwhile(fun(C) -> C =/= $< end, Text), "<.>"),
    Creation = integer_to_list(creation(node(Term))),
    [hex(atom_to_binary(node(Term))), $,, Creation, ",[", lists:join($,, [[$", N, $"] || N <- Numbers]), "]"].

hex(Bytes) -> [$", string:lowercase(binary:encode_hex(Bytes)), $"].
