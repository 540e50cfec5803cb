%% The Erlang side of the term codec's tests: answers requests on standard input and output, each a frame with a
%% four-byte length. Started by erl.ts.
-module(etf_peer).
-export([main/0]).

main() ->
    loop(open_port({fd, 0, 1}, [binary, eof, {packet, 4}])).

loop(Port) ->
    receive
        {Port, {data, Request}} ->
            port_command(Port, answer(Request)),
            loop(Port);
        {Port, eof} ->
            halt()
    end.

%% A term there and back.
answer(<<"echo", Bytes/binary>>) ->
    try binary_to_term(Bytes) of
        Term -> canonical(Term)
    catch
        error:badarg -> <<"badarg">>
    end;
%% Are the bytes that very Erlang expression?
answer(<<"same", Size:32, Source:Size/binary, Bytes/binary>>) ->
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Source)),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Expected, _} = erl_eval:exprs(Expressions, []),
    Term = binary_to_term(Bytes),
    case Term =:= Expected of
        true -> <<"true">>;
        false -> unicode:characters_to_binary(io_lib:format("~tp", [Term]))
    end;
answer(<<"random", Seed:32>>) ->
    rand:seed(exsss, Seed),
    canonical(term(4)).

canonical(Term) -> term_to_binary(Term, [{minor_version, 2}]).

%% A random term of at most Depth levels.
term(0) -> scalar(rand:uniform(13));
term(Depth) ->
    case rand:uniform(10) of
        1 -> list_to_tuple(terms(Depth, 300));
        2 -> list_to_tuple(terms(Depth, 4));
        3 -> terms(Depth, 10);
        4 -> terms(Depth, 4) ++ scalar(rand:uniform(13));
        5 -> maps:from_list([{term(Depth - 1), term(Depth - 1)} || _ <- lists:seq(1, rand:uniform(5))]);
        6 -> maps:from_list([{scalar(rand:uniform(13)), I} || I <- lists:seq(1, rand:uniform(60))]);
        7 -> Free = term(Depth - 1), fun(X) -> {X, Free} end;
        _ -> scalar(rand:uniform(13))
    end.

%% Few or, rarely, up to Most.
terms(Depth, Most) ->
    Count = case rand:uniform(20) of
        1 -> rand:uniform(Most);
        _ -> rand:uniform(4) - 1
    end,
    [term(min(Depth - 1, if Count > 10 -> 0; true -> Depth end)) || _ <- lists:seq(1, Count)].

scalar(1) -> rand:uniform(600) - 300;
scalar(2) -> (rand:uniform(2) * 2 - 3) * ((1 bsl rand:uniform(70)) + rand:uniform(3) - 2);
scalar(3) -> (rand:uniform(2) * 2 - 3) * rand:uniform(1 bsl rand:uniform(2200));
scalar(4) -> (rand:uniform() - 0.5) * math:pow(10, rand:uniform(600) - 300);
scalar(5) -> list_to_atom([character() || _ <- lists:seq(1, rand:uniform(20))]);
scalar(6) -> rand:bytes(rand:uniform(50) - 1);
scalar(7) -> Bits = rand:uniform(100), <<(rand:uniform(1 bsl Bits) - 1):Bits>>;
scalar(8) -> [rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(40))];
scalar(9) -> spawn(fun() -> ok end);
scalar(10) -> lists:nth(rand:uniform(2), [make_ref(), erlang:alias()]);
scalar(11) -> hd(erlang:ports());
scalar(12) -> fun lists:map/2;
scalar(13) -> [].

character() ->
    case rand:uniform(4) of
        1 -> rand:uniform(16#80) - 1;
        2 -> 16#7f + rand:uniform(16#80);
        3 -> 16#ff + rand:uniform(16#d000);
        4 -> 16#ffff + rand:uniform(16#100000)
    end.
