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

export type ExchangeState = 'waiting' | 'starting' | 'sent' | 'unsure' | 'lost';

export type ExchangeEvent =
  /** Its node takes it now. */
  | 'turn'
  /** There is no room to let it wait or to send it. */
  | 'noRoom'
  /** An answer to its ConnId came. */
  | 'answer'
  | 'clientLeft'
  /** Nobody answered in time. */
  | 'late'
  /** Its session was killed. */
  | 'killed'
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
  readonly effect: 'none' | 'send' | 'tellNode' | 'dropAnswer';
}

const stays: Step = { to: 'same', effect: 'none' };
const drops: Step = { to: 'same', effect: 'dropAnswer' };
const start: Step = { to: 'starting', effect: 'send' };
const sends: Step = { to: 'sent', effect: 'send' };
const doubt: Step = { to: 'unsure', effect: 'none' };
const loses: Step = { to: 'lost', effect: 'none' };
const over: Step = { to: 'over', effect: 'none' };
/** Its session holds the request, and has to know that nobody waits for the answer: `{ConnId, closed, Sid}`. */
const tell: Step = { to: 'over', effect: 'tellNode' };

/** What its client hears when it is over is the event's matter. Whose session does not know of its end learns of it from the client's repeat. */
export const LIFE: Readonly<Record<ExchangeEvent, Readonly<Record<ExchangeState, Step>>>> = {
  turn: { waiting: sends, starting: start, sent: stays, unsure: sends, lost: sends },
  noRoom: { waiting: over, starting: over, sent: over, unsure: stays, lost: stays },
  answer: { waiting: drops, starting: over, sent: over, unsure: over, lost: drops },
  clientLeft: { waiting: over, starting: tell, sent: tell, unsure: over, lost: over },
  late: { waiting: over, starting: tell, sent: tell, unsure: over, lost: over },
  killed: { waiting: over, starting: stays, sent: over, unsure: over, lost: over },
  stopping: { waiting: over, starting: tell, sent: tell, unsure: over, lost: over },
  moduleDown: { waiting: stays, starting: over, sent: doubt, unsure: stays, lost: stays },
  connectionDown: { waiting: stays, starting: over, sent: over, unsure: loses, lost: stays },
  away: { waiting: over, starting: stays, sent: stays, unsure: over, lost: over },
  cannotAsk: { waiting: stays, starting: stays, sent: stays, unsure: over, lost: over },
};
