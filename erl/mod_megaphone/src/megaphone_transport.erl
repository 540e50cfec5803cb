%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% What a session asks of whatever reaches its client. Each transport is a module and its state, and takes its own messages
%%% from the session's mailbox; what the client said comes out as stream events, and what the stream sent goes in. A session
%%% keeps the one that it began with.
%%%
%%% It begins with open/3 and begun/3; then come hear/4 with messages, wait/3 with time, next/2 with what the client said, flow/2
%%% whether that may go on, sent/2 and flush/3 with what the stream sent; and, last of all, finish/5. From then on the transport
%%% has no state: late/2 and rest/1 take what still comes. To move to another node it is shifted to no clock, and there to another.
-module(megaphone_transport).

-export_type([transport/0, what/0, opened/0, step/0, next/0, sent/0, info/0]).

-type sid() :: megaphone_sid:sid().
-type who() :: megaphone_allowance:who().
-type reason() :: megaphone_condition:reason().
-type ms() :: integer().

%% Opaque to the session: a record of the module's.
-type transport() :: tuple().
%% What came to begin with; a body, in BOSH.
-type what() :: binary() | none.
-type opened() :: {ok | reason(), Host :: binary(), transport()} | refused.
%% `stop': the session is to end.
-type step() :: {ok, transport()} | {stop, reason(), transport()}.
%% `host': it has said for which one it is.
-type next() ::
    {ok, Bytes :: pos_integer(), [megaphone_stream:event()], transport()}
    | {host, Host :: binary(), transport()}
    | {stop, reason(), transport()}
    | none.
%% `ended': the stream is to end the session, with a condition, a stream error or nothing; the rest is what it sent after it.
-type sent() ::
    step()
    | {ended, megaphone_condition:condition(), Error :: iodata(), Rest :: [megaphone_socket:event()], transport()}.
%% Requests held; is the client away as it asked to; has it asked for the end; since when there has been no sign of one that
%% is to give one, if so.
-type info() :: #{held := non_neg_integer(), paused := boolean(), terminating := boolean(), idle_from := ms() | none}.

%% @doc How ejabberd calls it.
-callback name() -> megaphone_socket:transport().

%% @doc With what came by `ConnId' to begin with, for its host. Where that is too much already, the session is to end for
%% that reason. `refused': there is no session, and the client was told so.
-callback open(ConnId :: pid(), what(), sid()) -> opened().

%% @doc The stream has begun.
-callback begun(ConnId :: pid(), what(), transport()) -> step().

%% @doc Enters the index of sessions.
-callback enter(sid(), megaphone_sessions:gauges(), transport()) -> ok.

%% @doc Who came by this hears that what was to serve them failed.
-callback failed(ConnId :: pid()) -> ok.

%% @doc A message of its own.
-callback hear(Message :: tuple(), sid(), who(), transport()) -> step().

%% @doc The same after the session's end.
-callback late(Message :: tuple(), sid()) -> ok.

%% @doc The process ends, after the session's end: what is in its mailbox for the transport nobody will take any more.
-callback rest(sid()) -> ok.

%% @doc What waited for its time, and may go on.
-callback wait(sid(), who(), transport()) -> step().

%% @doc What the client said next, in its order, for its stream at `Host': how many bytes it took, and what it is. The host is
%% empty until it is known.
-callback next(Host :: binary(), transport()) -> next().

%% @doc May that go on, or does too much wait for the client?
-callback flow(who(), transport()) -> megaphone_pending:flow().

%% @doc Takes what the stream sent, up to its last word, if it said that.
-callback sent([megaphone_socket:event()], transport()) -> sent().

%% @doc What is due leaves. `Left': what the stream has not got yet; `IsBusy': there is some, and only the mailbox keeps it back.
-callback flush(IsBusy :: boolean(), Left :: megaphone_pending:pending(), transport()) -> step().

%% @doc The client is told of the end, and who comes late will be, if there is somebody to tell it `For'. Returns what the
%% client may lack and its user is owed. `resumable': the stream goes on without it, for its client to resume (XEP-0198). `Error' is the stream's last word.
-callback finish(megaphone_condition:condition() | resumable, Error :: iodata(), For :: who() | nobody, sid(), transport()) ->
    [megaphone_queue:owed()].

%% @doc When wait/3, flush/3 or is_expired/1 will next have something to say.
-callback due(transport()) -> ms() | infinity.

%% @doc Is the client gone?
-callback is_expired(transport()) -> boolean().

%% @doc For whoever reports it or needs its room.
-callback info(transport()) -> info().

%%% It moves to another node (megaphone_move)

%% @doc Connections of its client: they are to know where the session is.
-callback conns(transport()) -> [ConnId :: pid()].

%% @doc Its client's socket, if that is what it has; and may something be on the way to that, which must not be overtaken?
-callback socket(transport()) -> {ConnId :: pid(), IsUnderWay :: boolean()} | none.

%% @doc The same on a clock that is so much ahead, with limits as this node has them.
-callback shift(ms(), Own, transport()) -> transport() when Own :: fun((Limits) -> Limits).
