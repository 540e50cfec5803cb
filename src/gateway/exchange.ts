/**
 * One exchange: what is known of it, and its life from the request to its end, as a table.
 *
 *   waiting     not sent yet: its node is away, or behind
 *   starting    sent, and starts a session: it never waits, and is not sent twice, for there would be two
 *   sent        sent, to a session that there is
 *   unsure      sent before the module went down, so it may be lost
 *   lost        sent before the connection went, so answers of its session may be lost, too
 *   over        its client has an answer, or is gone
 *
 *   event           waiting    starting       sent           unsure     lost
 *   turn            sent+send  starting+send  –              sent+send  sent+send
 *   noRoom          over       over           over           –          –
 *   answer          drop       over           over           over       drop
 *   clientLeft      over       over+tell      over+tell      over       over
 *   late            over       over+tell      over+tell      over       over
 *   killed          over       –              over           over       over
 *   release         ·          ·              release        ·          ·
 *   stopping        over       over+tell      over+tell      over       over
 *   moduleDown      ·          over           unsure         ·          ·
 *   connectionDown  ·          over           over           lost       ·
 *   away            over       –              –              over       over
 *   cannotAsk       –          –              –              over       over
 *
 * Behind the plus is what is to be done: `send` it, `tell` its node that nobody waits for the answer; or alone, where nothing
 * else changes: `drop` the answer, or let its session `release` it. A dot: nothing changes; a dash: does not happen. What its client hears when it is over
 * is the event's matter.
 *
 * From `unsure` and `lost` it goes on as `waiting` does; then its request is sent again, which its session takes once, or
 * the session is asked what became of it. Until then an answer to a `lost` one is not taken: an earlier one of its session
 * may be missing, which comes again, in order, when all are asked for. (One that the session gives of itself just before
 * it is asked may still overtake an earlier one, as any two on connections of their own.)
 */

import type { ClusterNode } from './cluster-node.js';
import type { HttpExchange } from './ports.js';

export interface Exchange {
  readonly http: HttpExchange;
  readonly node: ClusterNode;
  readonly sid: string | undefined;
  /** 0 for none. */
  readonly rid: number;
  state: ExchangeState;
}

type ExchangeState = 'waiting' | 'starting' | 'sent' | 'unsure' | 'lost';

export type ExchangeEvent =
  /** Its node takes it now. */
  | 'turn'
  /** There is no room to let it wait or, when its turn had come, to send it. */
  | 'noRoom'
  /** An answer to its ConnId came. */
  | 'answer'
  | 'clientLeft'
  /** Nobody answered in time. */
  | 'late'
  /** Its session was killed. */
  | 'killed'
  /** Its client is to have its answer now, whatever that is. */
  | 'release'
  /** This gateway stops. */
  | 'stopping'
  /** The module on its node is out of service, where there was one. */
  | 'moduleDown'
  | 'connectionDown'
  /** Its node stayed away for too long. */
  | 'away'
  /** Its node is back without the module, and can only be sent requests, not asked for what became of them. */
  | 'cannotAsk';

export interface Step {
  readonly to: ExchangeState | 'over' | 'same';
  readonly effect: 'none' | 'send' | 'tell' | 'drop' | 'release';
}

const stays: Step = { to: 'same', effect: 'none' };
/** It does not happen. */
const never = stays;
const drops: Step = { to: 'same', effect: 'drop' };
const releases: Step = { to: 'same', effect: 'release' };
const start: Step = { to: 'starting', effect: 'send' };
const sends: Step = { to: 'sent', effect: 'send' };
const doubt: Step = { to: 'unsure', effect: 'none' };
const loses: Step = { to: 'lost', effect: 'none' };
/** A session that holds the request nevertheless learns of this when its client sends that again. */
const over: Step = { to: 'over', effect: 'none' };
/** The node has the request, and is told `{ConnId, closed, Sid}`. */
const tells: Step = { to: 'over', effect: 'tell' };

export const LIFE: Readonly<Record<ExchangeEvent, Readonly<Record<ExchangeState, Step>>>> = {
  turn: { waiting: sends, starting: start, sent: never, unsure: sends, lost: sends },
  noRoom: { waiting: over, starting: over, sent: over, unsure: never, lost: never },
  answer: { waiting: drops, starting: over, sent: over, unsure: over, lost: drops },
  clientLeft: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over },
  late: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over },
  killed: { waiting: over, starting: never, sent: over, unsure: over, lost: over },
  release: { waiting: stays, starting: stays, sent: releases, unsure: stays, lost: stays },
  stopping: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over },
  moduleDown: { waiting: stays, starting: over, sent: doubt, unsure: stays, lost: stays },
  connectionDown: { waiting: stays, starting: over, sent: over, unsure: loses, lost: stays },
  away: { waiting: over, starting: never, sent: never, unsure: over, lost: over },
  cannotAsk: { waiting: never, starting: never, sent: never, unsure: over, lost: over },
};
