/**
 * One ejabberd node: keeps its standing (standing.ts) up to date by asking, and knows what may be sent to it.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { encodeVersioned } from '../etf/encode.js';
import { atom, Pid, type Term, tuple } from '../etf/terms.js';
import type { ClusterInfo } from './cluster-info.js';
import {
  CONTRACT_VERSION,
  isAtom,
  isUndefinedFunction,
  MODULE,
  moduleDown,
  otherContract,
} from './contract.js';
import { NodeRoom } from './node-room.js';
import { type BodyBudget, Outbox } from './outbox.js';
import type { Clock, ErlangNode } from './ports.js';
import { tagOf } from './sid.js';
import { STANDINGS, type Standing, type StandingEvent } from './standing.js';

const PROBE_TIMEOUT_MS = 5_000;
/** How long a node's sessions live without a sign of their clients, while it never said so itself. */
const SESSION_SECONDS = 300;
/** Seconds after which it is asked again: its configuration may have changed. */
const ASKED_EVERY = 60;
/** Seconds after which its module is asked again to tell what becomes of the cluster: it forgets who does not ask. */
const WATCH_EVERY = 10;
const WATCH = atom('watch');

/** Seconds over which the clients of a node that is no more are told, where they are many: they all log in at those that are left. */
export const HERD_SECONDS = 20;

export type PeerKind = Extract<Standing, 'module' | 'plain'>;

export interface NodeListener {
  inService(node: ClusterNode): void;
  /** What was sent there may never be taken. @param kind what it was */
  outOfService(node: ClusterNode, kind: PeerKind): void;
  /** What was sent there may never have arrived, and answers may be lost. */
  connectionLost(node: ClusterNode): void;
  /** Out of service, and its process is surely no more. */
  died(node: ClusterNode): void;
}

export class ClusterNode {
  readonly name: string;
  readonly tag: string;
  readonly outbox: Outbox;
  readonly room: NodeRoom;
  /** No node knows it any more: it gets no new sessions, and is let go when it has none left. */
  isLeaving = false;
  readonly #node: ErlangNode;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listener: NodeListener;
  #standing: Standing = 'apart';
  #reason = 'not connected yet';
  #hint = '';
  /** Since this second it has been out of service, if it is. */
  #awaySince: number;
  #isDead = false;
  /** How long its sessions live without a sign of their clients, as it said last. */
  #sessionSeconds = SESSION_SECONDS;
  /** When it was asked that last, and to tell of the cluster, in seconds of the clock. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #watchedAt = Number.NEGATIVE_INFINITY;
  /** Numbers the monitors, so that what an earlier one is about is told by its number. */
  #monitor = 0;
  #demonitor: (() => void) | undefined;
  #isQuiet = false;

  constructor(
    name: string,
    budget: BodyBudget,
    node: ErlangNode,
    clock: Clock,
    log: Logger,
    listener: NodeListener,
  ) {
    this.name = name;
    this.tag = tagOf(name);
    this.outbox = new Outbox(budget);
    this.room = new NodeRoom(clock);
    this.#awaySince = clock.now;
    this.#node = node;
    this.#clock = clock;
    this.#log = log;
    this.#listener = listener;
  }

  /** `undefined` while out of service. */
  get kind(): PeerKind | undefined {
    return this.#standing === 'module' || this.#standing === 'plain' ? this.#standing : undefined;
  }

  /** There is a connection, whatever is there. */
  get isConnected(): boolean {
    return this.#standing !== 'apart';
  }

  /** Why it is out of service, for people; empty while it is in. */
  get reason(): string {
    return this.#reason;
  }

  /** What mends that, where it is known. */
  get hint(): string {
    return this.#hint;
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** What it says of the cluster, while it is in service. */
  get says(): ClusterInfo | undefined {
    return this.#standing === 'module' ? this.room.says : undefined;
  }

  get sessionSeconds(): number {
    return this.#sessionSeconds;
  }

  /** In service, and not behind. A shell does not say what it took, and need not. */
  get takesRequests(): boolean {
    return this.#standing === 'plain' || (this.#standing === 'module' && this.outbox.hasRoom);
  }

  get takesSessions(): boolean {
    return this.takesRequests && !this.room.isClosed && !this.isLeaving;
  }

  /** Its process is surely no more, so nothing it had is to be waited for. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** None of its sessions can live any more, unless their clients reach it on another way. */
  get isGone(): boolean {
    return this.kind === undefined && this.#clock.now - this.#awaySince > this.#sessionSeconds;
  }

  up(): void {
    this.#isDead = false;
    this.#on(this.#node.tellsEnds(this.name) ? 'up' : 'upWithoutEnds');
  }

  down(error: MegaphoneError): void {
    this.#on('down', error);
    this.#listener.connectionLost(this);
  }

  unreachable(error: MegaphoneError): void {
    if (this.#standing !== 'apart') return;
    this.#tell(error);
    if (this.#isDead || !isOfDeath(error)) return;
    this.#isDead = true;
    this.#listener.died(this);
  }

  /** Every second: looks again for a module that was not there, and asks one that is what may have changed. */
  tick(): void {
    this.#on('second');
    if (this.#standing !== 'module') return;
    if (this.#clock.now - this.#askedAt >= ASKED_EVERY) this.#askSessionSeconds();
    if (this.#clock.now - this.#watchedAt >= WATCH_EVERY) this.#watch();
  }

  /** From now on it goes because this gateway does: no news. */
  stop(): void {
    this.#isQuiet = true;
  }

  /** The one place where its standing changes. @param error why it is not in service then */
  #on(event: StandingEvent, error?: MegaphoneError): void {
    const to = STANDINGS[event][this.#standing];
    if (to === undefined) return;
    const before = this.kind;
    this.#standing = to;
    if (to === 'apart' || to === 'absent' || to === 'asked') this.#endMonitor();
    if (to === 'module' || to === 'plain') {
      this.#enterService(to);
      return;
    }
    if (before !== undefined) {
      this.#awaySince = this.#clock.now;
      this.#listener.outOfService(this, before);
    }
    if (error !== undefined) this.#tell(error);
    if (to === 'asked') this.#probe();
  }

  #enterService(kind: PeerKind): void {
    this.room.reopen();
    this.#reason = '';
    this.#hint = '';
    const what = kind === 'module' ? MODULE : `a process that registered itself as ${MODULE}`;
    this.#log.info({ node: this.name, kind }, `${this.name} is in service with ${what}`);
    if (kind === 'module') this.#watch();
    this.#listener.inService(this);
  }

  /** Attempts go on for ever: each reason is told once, not each second. */
  #tell(error: MegaphoneError): void {
    if (this.#isQuiet || this.#reason === error.message) return;
    this.#reason = error.message;
    const { code, hint } = error;
    this.#hint = hint ?? '';
    this.#log.warn({ node: this.name, code, hint }, `out of service: ${error.message}`);
  }

  #endMonitor(): void {
    const demonitor = this.#demonitor;
    this.#monitor += 1;
    this.#demonitor = undefined;
    demonitor?.();
  }

  #probe(): void {
    const monitor = this.#monitor;
    const isCurrent = (): boolean => monitor === this.#monitor;
    const demonitor = this.#node.monitor(this.name, MODULE, (reason) => {
      if (isCurrent()) this.#onModuleDown(reason);
    });
    if (!isCurrent()) return;
    this.#demonitor = demonitor;
    this.#node.rpc(this.name, MODULE, 'contract', [], PROBE_TIMEOUT_MS).then(
      (answer) => {
        if (isCurrent()) this.#onContract(answer);
      },
      (error: unknown) => {
        if (isCurrent()) this.#onProbeFailed(error);
      },
    );
  }

  #onContract(answer: Term): void {
    if (answer === CONTRACT_VERSION) {
      this.#on('ourContract');
      this.#askSessionSeconds();
    } else {
      this.#on('otherContract', otherContract(this.name, answer));
    }
  }

  #onProbeFailed(error: unknown): void {
    const hasNoRex = error instanceof MegaphoneError && error.code === 'NODE_NOPROC';
    if (hasNoRex || isUndefinedFunction(error)) this.#on('noFunction');
    else this.#on('noAnswer', error instanceof MegaphoneError ? error : otherContract(this.name, undefined));
  }

  #onModuleDown(reason: Term): void {
    // `down` follows, and knows why.
    if (isAtom(reason, 'noconnection')) return;
    this.#on(isAtom(reason, 'noproc') ? 'noProcess' : 'crashed', moduleDown(this.name, reason));
  }

  #watch(): void {
    const { name, creation } = this.#node;
    this.#watchedAt = this.#clock.now;
    this.#node.sendToName(this.name, MODULE, encodeVersioned(tuple(new Pid(name, 0, 0, creation), WATCH)));
  }

  #askSessionSeconds(): void {
    this.#askedAt = this.#clock.now;
    this.#node.rpc(this.name, MODULE, 'session_seconds', [], PROBE_TIMEOUT_MS).then(
      (seconds) => {
        if (typeof seconds === 'number') this.#sessionSeconds = seconds;
      },
      // What was known before is as good.
      () => {},
    );
  }
}

/** EPMD has no such name, or nothing listens where it should. */
function isOfDeath({ code, cause }: MegaphoneError): boolean {
  if (code === 'EPMD_NOT_REGISTERED') return true;
  return (
    code === 'NODE_UNREACHABLE' && cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
  );
}
