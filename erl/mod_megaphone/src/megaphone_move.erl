%%% SPDX-License-Identifier: GPL-2.0-or-later
%%%
%%% A session moves to another node: what its old process (megaphone_departure) and its new one (megaphone_arrival) do, as a
%%% pure state machine of both. At no moment do both serve the session: up to `go' the old one could go on as if nothing had
%%% happened, and from then on it only passes on what still comes to it.
%%%
%%% The old process:
%%%   asked     it sent all that the session is, and leaves its mailbox alone
%%%   going     it said `go', and cannot know whether that came: it leaves its mailbox alone still
%%%   settling  the new one serves: what comes is passed on, in order
%%%   passing   the same; but what others send now goes to the new one, which need not wait for more from here
%%%   stays     it is the session, as before
%%%   ends      the new one failed, for sure: the session ends here, with all that it has, as after a fault
%%%   killed    the new one may live: the session ends here without a word, as one that is killed
%%%   over      its process ends
%%%
%%% The new one:
%%%   ready     it has become the session, but for its name: nobody knows it
%%%   both      it serves; what comes directly waits for what may still be with the old one: from ejabberd, and from its
%%%             client's socket
%%%   routes    the same, but for what is from its socket
%%%   socket    the same, but for what is from ejabberd
%%%   open      it is a session as any other
%%%   cut       the same; but what its client sent may be lost, so its socket counts as closed
%%%   gone      its process ends, and leaves no trace
%%%
%%%            | ready | refused | go            | moved    | settled | socket | it died | no way | time
%%%   asked    | going | stays   | –             | –        | –       | –      | stays   | stays  | stays
%%%   going    | ·     | stays   | –             | settling | –       | –      | ends    | killed | ·
%%%   settling | ·     | ·       | –             | –        | –       | –      | over    | over   | passing
%%%   passing  | ·     | ·       | –             | –        | –       | –      | over    | over   | over
%%%   ready    | –     | gone    | both, routes  | –        | –       | –      | gone    | gone   | ·
%%%   both     | –     | ·       | –             | –        | socket  | routes | cut     | cut    | cut
%%%   routes   | –     | ·       | –             | –        | open    | ·      | open    | open   | open
%%%   socket   | –     | ·       | –             | –        | ·       | open   | cut     | cut    | cut
%%%
%%% (·: nothing changes; –: it cannot happen. The test reads this table.) Go: to `both', if it has a socket. Socket: the last that
%%% its gateway sent to the old process came from there. Refused, going: it was gone before that was said. It died, no way: the other process, or the connection of the nodes.
-module(megaphone_move).

-export([next/2, go/1]).

-export_type([state/0, event/0, reason/0]).

-type state() :: asked | going | settling | passing | stays | ends | killed | over | ready | both | routes | socket | open | cut | gone.
-type event() :: ready | refused | moved | settled | socket | died | no_way | time.
%% Why a session stays (docs/cluster.md, which a test holds to this).
-type reason() :: busy | draining | ends | fault | login | no_gateway | no_host | no_hub | no_node | refused | replaced | stopping | timeout | too_large | version.

%% @doc The new process is the session from now on.
-spec go(HasSocket :: boolean()) -> both | routes.
go(true) -> both;
go(false) -> routes.

-spec next(event(), state()) -> state().
next(ready, asked) -> going;
next(refused, Old) when Old =:= asked; Old =:= going -> stays;
next(refused, ready) -> gone;
next(moved, going) -> settling;
next(settled, both) -> socket;
next(settled, routes) -> open;
next(socket, both) -> routes;
next(socket, socket) -> open;
next(time, asked) -> stays;
next(time, settling) -> passing;
next(time, passing) -> over;
next(died, going) -> ends;
next(no_way, going) -> killed;
next(Lost, State) when Lost =:= died; Lost =:= no_way -> lost(State);
next(time, State) when State =:= both; State =:= routes; State =:= socket -> lost(State);
next(_, State) -> State.

%% The other process says nothing any more.
-spec lost(state()) -> state().
lost(asked) -> stays;
lost(settling) -> over;
lost(passing) -> over;
lost(ready) -> gone;
lost(both) -> cut;
lost(socket) -> cut;
lost(routes) -> open;
lost(State) -> State.
