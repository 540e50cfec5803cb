/**
 * One exchange: what is known of it, and its life from the request to its end, as a table.
 *
 *   waiting     not sent yet: its node is away, or behind
 *   starting    sent, and starts a session: it never waits, and is not sent twice, for there would be two
 *   sent        sent, to a session that there is
 *   unsure      sent before the module went down, so it may be lost; or its node has no way to its session
 *   lost        sent before the connection went, so answers of its session may be lost, too
 *   ended       its session is over, and its client hears so in its turn
 *   over        its client has an answer, or is gone
 *
 *   event           waiting          starting        sent            unsure          lost          ended
 *   turn            sent+send        starting+send   –               sent+send       sent+send     –
 *   noRoom          over             over            over            over            –             –
 *   answer          drop             over            over            over            drop          drop
 *   sessionOver     drop             –               ended           ended           drop          drop
 *   session         drop             starting+adopt  sent+adopt      sent+adopt      drop          drop
 *   elsewhere       waiting+reroute  –               –               unsure+reroute  lost+reroute  –
 *   noWay           drop             –               unsure+reroute  drop            drop          drop
 *   clientLeft      over             over+tell       over+tell       over            over          over
 *   late            over             over+tell       over+tell       over            over          –
 *   killed          ended            –               ended           ended           ended         ·
 *   goodbye         –                –               –               –               –             over
 *   release         ·                ·               release         ·               ·             ·
 *   stopping        over             over+tell       over+tell       over            over          over
 *   moduleDown      ·                over            unsure          ·               ·             ·
 *   connectionDown  ·                over            over            lost            ·             ·
 *   away            over             –               –               over            over          –
 *   cannotAsk       –                –               –               over            over          –
 *
 * Behind the plus is what is to be done: `send` it, `tell` its node that nobody waits for the answer, `adopt` the node that its
 * session is at, `reroute` it to wait for another node; or alone, where nothing else changes: `drop` what came, or let its
 * session `release` it. A dot: nothing changes; a dash: does not happen. What its client hears when it is over is the event's
 * matter.
 *
 * From `unsure` and `lost` it goes on as `waiting` does; then its request is sent again, which its session takes once, or
 * the session is asked what became of it. Until then an answer to a `lost` one is not taken: an earlier one of its session
 * may be missing, which comes again, in order, when all are asked for. (One that the session gives of itself just before
 * it is asked may still overtake an earlier one, as any two on connections of their own.) Nor is the word of a session that
 * moved: it can be asked where it was.
 */

import type { ClusterNode } from './cluster-node.js';
import type { HttpExchange } from './ports.js';

export interface Exchange {
  readonly http: HttpExchange;
  node: ClusterNode;
  readonly sid: string | undefined;
  /** 0 for none. */
  readonly rid: number;
  /** When it came, by the clock of turns. */
  readonly since: number;
  /** Its node answers in the place of that which its sid names. */
  isStray: boolean;
  state: ExchangeState;
}

type ExchangeState = 'waiting' | 'starting' | 'sent' | 'unsure' | 'lost' | 'ended';

export type ExchangeEvent =
  /** Its node takes it now. */
  | 'turn'
  /** There is no room to let it wait or, when its turn had come, to send it. */
  | 'noRoom'
  /** An answer to its ConnId came. */
  | 'answer'
  /** One of a node that answers for others: there is no such session. */
  | 'sessionOver'
  /** Its session says that it has the request, and where that is. */
  | 'session'
  /** Another node may have it, for its own is no more. */
  | 'elsewhere'
  /** Its session is on another node, to which its own has no way. */
  | 'noWay'
  | 'clientLeft'
  /** Nobody answered in time. */
  | 'late'
  /** Its session was killed. */
  | 'killed'
  /** It is its client's turn to hear of the end. */
  | 'goodbye'
  /** Its client is to have its answer now, whatever that is. */
  | 'release'
  /** This gateway stops. */
  | 'stopping'
  /** The module on its node is out of service, where there was one; or that to which it may have passed the request on. */
  | 'moduleDown'
  | 'connectionDown'
  /** Its node stayed away for too long. */
  | 'away'
  /** Its node is back without the module, and can only be sent requests, not asked for what became of them. */
  | 'cannotAsk';

export interface Step {
  readonly to: ExchangeState | 'over' | 'same';
  readonly effect: 'none' | 'send' | 'tell' | 'adopt' | 'reroute' | 'drop' | 'release';
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
const reroutes = (to: ExchangeState): Step => ({ to, effect: 'reroute' });
const adopts = (to: ExchangeState): Step => ({ to, effect: 'adopt' });
const ends: Step = { to: 'ended', effect: 'none' };
/** A session that holds the request nevertheless learns of this when its client sends that again. */
const over: Step = { to: 'over', effect: 'none' };
/** The node has the request, and is told `{ConnId, closed, Sid}`. */
const tells: Step = { to: 'over', effect: 'tell' };

export const LIFE: Readonly<Record<ExchangeEvent, Readonly<Record<ExchangeState, Step>>>> = {
  turn: { waiting: sends, starting: start, sent: never, unsure: sends, lost: sends, ended: never },
  noRoom: { waiting: over, starting: over, sent: over, unsure: over, lost: never, ended: never },
  answer: { waiting: drops, starting: over, sent: over, unsure: over, lost: drops, ended: drops },
  sessionOver: { waiting: drops, starting: never, sent: ends, unsure: ends, lost: drops, ended: drops },
  session: {
    waiting: drops,
    starting: adopts('starting'),
    sent: adopts('sent'),
    unsure: adopts('sent'),
    lost: drops,
    ended: drops,
  },
  elsewhere: {
    waiting: reroutes('waiting'),
    starting: never,
    sent: never,
    unsure: reroutes('unsure'),
    lost: reroutes('lost'),
    ended: never,
  },
  noWay: {
    waiting: drops,
    starting: never,
    sent: reroutes('unsure'),
    unsure: drops,
    lost: drops,
    ended: drops,
  },
  clientLeft: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over, ended: over },
  late: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over, ended: never },
  killed: { waiting: ends, starting: never, sent: ends, unsure: ends, lost: ends, ended: stays },
  goodbye: { waiting: never, starting: never, sent: never, unsure: never, lost: never, ended: over },
  release: { waiting: stays, starting: stays, sent: releases, unsure: stays, lost: stays, ended: stays },
  stopping: { waiting: over, starting: tells, sent: tells, unsure: over, lost: over, ended: over },
  moduleDown: { waiting: stays, starting: over, sent: doubt, unsure: stays, lost: stays, ended: stays },
  connectionDown: { waiting: stays, starting: over, sent: over, unsure: loses, lost: stays, ended: stays },
  away: { waiting: over, starting: never, sent: never, unsure: over, lost: over, ended: never },
  cannotAsk: { waiting: never, starting: never, sent: never, unsure: over, lost: over, ended: never },
};
