%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What the client of a WebSocket is told at the end: the stream's error (RFC 7395 §3.5), <close/> (§3.6), and the code of
%%% the Close frame (RFC 6455 §7.4).
%%%
%%%   why a session ends                 | stream error          | <close/> | code
%%%   the client says goodbye            |                       | yes      | 1000
%%%   the client may resume the stream   |                       |          | 1012
%%%   remote-connection-failed           |                       | yes      | 1000
%%%   remote-stream-error                |                       | yes      | 1000
%%%   item-not-found                     | connection-timeout    | yes      | 1000
%%%   bad-request                        | bad-format            | yes      | 1000
%%%   policy-violation                   | policy-violation      | yes      | 1008
%%%   a frame is too large               | policy-violation      | yes      | 1009
%%%   internal-server-error              | internal-server-error | yes      | 1011
%%%   system-shutdown                    | system-shutdown       | yes      | 1012
%%%   any other condition of a stream    | the same              | yes      | 1000
%%%
%%% (BOSH's conditions, XEP-0124 §17.2, that are none of a stream's have another name there, or none. Where the stream said its
%%% error itself, that is told, and gives the code. 1012 is IANA's: come back, but not all at once. With <close/> the stream
%%% would be over, and with it what XEP-0198 keeps of it, here and at the client. The test reads this table.)
-module(megaphone_closing).

-export([last/2]).

-export_type([condition/0]).

-type condition() :: megaphone_condition:condition() | resumable | too_large.

%% @doc The last frames, and the code and reason after them. `Error' is the stream's own.
-spec last(condition(), Error :: iodata()) -> {Frames :: [iodata()], Code :: 1000..4999, Reason :: binary()}.
last(resumable, _) ->
    {[], 1012, reason(resumable)};
last(Condition, []) ->
    Frames = case stream_error(Condition) of none -> []; Error -> [megaphone_framing:error(Error)] end,
    {Frames ++ [megaphone_framing:close()], code(Condition), reason(Condition)};
last(Condition, Error) ->
    {[Error, megaphone_framing:close()], code(Condition), reason(Condition)}.

-spec stream_error(condition()) -> binary() | none.
stream_error(client) -> none;
stream_error(too_large) -> <<"policy-violation">>;
stream_error(<<"remote-connection-failed">>) -> none;
stream_error(<<"remote-stream-error">>) -> none;
stream_error(<<"item-not-found">>) -> <<"connection-timeout">>;
stream_error(<<"bad-request">>) -> <<"bad-format">>;
stream_error(Condition) -> Condition.

-spec code(condition()) -> 1000..4999.
code(<<"policy-violation">>) -> 1008;
code(too_large) -> 1009;
code(<<"internal-server-error">>) -> 1011;
code(<<"system-shutdown">>) -> 1012;
code(_) -> 1000.

-spec reason(condition()) -> binary().
reason(client) -> <<>>;
reason(resumable) -> <<"remote-connection-failed">>;
reason(too_large) -> <<"policy-violation">>;
reason(Condition) -> Condition.
