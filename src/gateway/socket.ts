/**
 * One WebSocket: what is known of it, and its life from the request for the upgrade to its end, as a table.
 *
 *   asked   the module was told of it, and has not said which session it is (how long its client waits, the front knows)
 *   plain   its client talks with a peer that is no module of ours: whatever has the name there gets its frames
 *   open    its client talks with a session, whose pid gets its frames
 *   lost    its session, or the way to it, is gone: it waits for its turn to be closed, and takes no frames any more
 *   over    its client has heard so, or is gone
 *
 *   event           asked        plain        open         lost
 *   session         open+accept  open+adopt   open+adopt   drop
 *   elsewhere       open+accept  drop         open+adopt   drop
 *   answer          over+refuse  drop         drop         drop
 *   noRoom          over+refuse  over+refuse  –            –
 *   serverFrame     drop         send         send         drop
 *   notText         drop         over+end     over+end     drop
 *   taken           drop         drop         take         drop
 *   serverClose     over+refuse  over+close   over+close   drop
 *   clientFrame     –            pass         pass         ·
 *   progress        –            pass         pass         ·
 *   linkFull        –            over+end     over+end     –
 *   clientLeft      over         over+tell    over+tell    over
 *   moduleDown      over+refuse  lost         ·            ·
 *   connectionDown  over+refuse  lost         lost         ·
 *   turn            ·            ·            ·            over+close
 *   stopping        over+refuse  over+end     over+end     over+close
 *
 * Behind the plus is what is to be done: `accept` or `refuse` the upgrade; `adopt` the pid that gets the frames from now on, of which the former hears last;
 * `send` to the client; `pass` to the server, or `take` what this said it took of that; `close` the client's side, `tell`
 * the server's that the client is gone, or `end` both; or `drop` what came, where nothing else changes either. A dot:
 * nothing changes; a dash: does not happen. What the client hears at the end, and the server, is the event's matter.
 *
 * A server that asks for the end itself is told nothing more. Who says `session` of one that is over, or drops it, is told
 * that it is closed: its client may have left while the server was about to answer.
 */

import type { ClusterNode } from './cluster-node.js';
import type { FrameWindow } from './frame-window.js';
import type { ClientSocket } from './ports.js';

export interface Socket {
  readonly client: ClientSocket;
  node: ClusterNode;
  /** When it was asked for, by the clock of turns. */
  readonly since: number;
  state: SocketState;
  /** The session's pid on that node, its numbers signed, which keeps them small; all 0 before there is one. */
  id: number;
  serial: number;
  creation: number;
  /** `undefined`: its peer does not say what it took. */
  readonly window: FrameWindow | undefined;
}

export type SocketState = 'asked' | 'plain' | 'open' | 'lost';

export type SocketEvent =
  /** The upgrade is granted, or another process takes the session's place. */
  | 'session'
  /** The same, of a process on another node than the one it belongs to. */
  | 'elsewhere'
  /** An answer of HTTP. */
  | 'answer'
  /** The module cannot be told of it, as its node does not read. */
  | 'noRoom'
  | 'serverFrame'
  /** A frame of the server that is no text (RFC 6455 §8.1). */
  | 'notText'
  /** The session says how many frames of the client it took. */
  | 'taken'
  | 'serverClose'
  | 'clientFrame'
  /** The kernel took what the session asked about, or the client has it. */
  | 'progress'
  /** What the client sent cannot be passed on, as its node does not read. */
  | 'linkFull'
  | 'clientLeft'
  /** What has the name on its node went out of service. */
  | 'moduleDown'
  | 'connectionDown'
  /** It is its turn to be closed. */
  | 'turn'
  /** This gateway stops. */
  | 'stopping';

export interface SocketStep {
  readonly to: SocketState | 'over' | 'same';
  readonly effect:
    | 'none'
    | 'accept'
    | 'refuse'
    | 'adopt'
    | 'send'
    | 'pass'
    | 'take'
    | 'close'
    | 'tell'
    | 'end'
    | 'drop';
}

const step = (to: SocketStep['to'], effect: SocketStep['effect']): SocketStep => ({ to, effect });
const stays = step('same', 'none');
/** It does not happen. */
const never = stays;
const drops = step('same', 'drop');
const accepts = step('open', 'accept');
const adopts = step('open', 'adopt');
const sends = step('same', 'send');
const passes = step('same', 'pass');
const takes = step('same', 'take');
const loses = step('lost', 'none');
const over = step('over', 'none');
const refuses = step('over', 'refuse');
const closes = step('over', 'close');
const tells = step('over', 'tell');
const ends = step('over', 'end');

export const SOCKET_LIFE: Readonly<Record<SocketEvent, Readonly<Record<SocketState, SocketStep>>>> = {
  session: { asked: accepts, plain: adopts, open: adopts, lost: drops },
  elsewhere: { asked: accepts, plain: drops, open: adopts, lost: drops },
  answer: { asked: refuses, plain: drops, open: drops, lost: drops },
  noRoom: { asked: refuses, plain: refuses, open: never, lost: never },
  serverFrame: { asked: drops, plain: sends, open: sends, lost: drops },
  notText: { asked: drops, plain: ends, open: ends, lost: drops },
  taken: { asked: drops, plain: drops, open: takes, lost: drops },
  serverClose: { asked: refuses, plain: closes, open: closes, lost: drops },
  clientFrame: { asked: never, plain: passes, open: passes, lost: stays },
  progress: { asked: never, plain: passes, open: passes, lost: stays },
  linkFull: { asked: never, plain: ends, open: ends, lost: never },
  clientLeft: { asked: over, plain: tells, open: tells, lost: over },
  moduleDown: { asked: refuses, plain: loses, open: stays, lost: stays },
  connectionDown: { asked: refuses, plain: loses, open: loses, lost: stays },
  turn: { asked: stays, plain: stays, open: stays, lost: closes },
  stopping: { asked: refuses, plain: ends, open: ends, lost: closes },
};
