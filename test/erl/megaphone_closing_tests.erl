%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% The table in the header of megaphone_closing, read from there, row by row.
-module(megaphone_closing_tests).

-include_lib("eunit/include/eunit.hrl").

condition(<<"the client says goodbye">>) -> client;
condition(<<"the client may resume the stream">>) -> resumable;
condition(<<"a frame is too large">>) -> too_large;
condition(<<"any other condition of a stream">>) -> <<"not-well-formed">>;
condition(Condition) -> Condition.

table_test_() ->
    ok = megaphone_chars:prepare(),
    Rows = megaphone_table:read(megaphone_closing),
    ?assertEqual(11, length(Rows)),
    [
        {binary_to_list(Row), fun() ->
            Condition = condition(Row),
            Told =
                case Error of
                    <<>> -> [];
                    <<"the same">> -> [megaphone_framing:error(Condition)];
                    _ -> [megaphone_framing:error(Error)]
                end,
            {Frames, Is, Reason} = megaphone_closing:last(Condition, []),
            Closed = [megaphone_framing:close() || Close =:= <<"yes">>],
            ?assertEqual({Told ++ Closed, binary_to_integer(Code)}, {Frames, Is}),
            %% RFC 6455 §5.5.1.
            ?assert(byte_size(Reason) =< 123),
            Said = [<<"said">> || Closed =/= []],
            ?assertEqual({Said ++ Closed, Is, Reason}, megaphone_closing:last(Condition, <<"said">>))
        end}
     || {Row, [{_, Error}, {_, Close}, {_, Code}]} <- Rows
    ].
