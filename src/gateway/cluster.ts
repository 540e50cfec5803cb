/**
 * Which ejabberd nodes there are, which of them are in service, and which one gets a request.
 *
 * A node is in service while its connection is up, `mod_megaphone` is registered there (we monitor it), and it has said
 * which version of the contract it speaks. It is asked through `rex`, never in a call to `mod_megaphone` itself,
 * because that name may be a person at a shell; a shell has no such function, and gets the plain form of requests.
 *
 * A node that tells no ends of processes is none of Erlang's own (jinterface is such a one): there is no `rex` to ask and
 * no process to monitor, so its connection is all that it needs to be in service.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { Atom, type Term, Tuple } from '../etf/terms.js';
import { type BodyBudget, Outbox } from './outbox.js';
import type { ErlangNode } from './ports.js';
import { tagOf, tagOfSid } from './sid.js';

export const MODULE = 'mod_megaphone';
export const CONTRACT_VERSION = 3;

const PROBE_TIMEOUT_MS = 5_000;
/** How long a node's sessions live without a sign of their clients, while it never said so itself. */
const SESSION_SECONDS = 300;
/** Seconds after which it is asked again: its configuration may have changed. */
const ASKED_EVERY = 60;

/** `plain`: something registered as `mod_megaphone` that is not our module, such as a shell. */
export type PeerKind = 'module' | 'plain';

export class ClusterNode {
  readonly name: string;
  readonly tag: string;
  /** `undefined` while out of service. */
  kind: PeerKind | undefined;
  /** Why it is out of service, for people. */
  reason = 'not connected yet';
  sessionsStarted = 0;
  /** Second until which it takes no new sessions, as it said. */
  fullUntil = 0;
  readonly outbox: Outbox;

  linked = false;
  /** Which connection it is, by number. */
  connection = 1;
  /** Second since which it has been out of service, if it is. */
  awaySince = 0;
  /** For so long its sessions live without a sign of their clients. */
  sessionSeconds = SESSION_SECONDS;
  /** Second when it was last asked for it. */
  askedAt = Number.NEGATIVE_INFINITY;
  /** Numbers the probes, so that the outcome of an outdated one is told by its number. */
  probe = 0;
  /** Set while the module is monitored, that is from the probe on until it fails or the module goes down. */
  demonitor: (() => void) | undefined;

  constructor(name: string, budget: BodyBudget) {
    this.name = name;
    this.tag = tagOf(name);
    this.outbox = new Outbox(budget);
  }

  /** In service, and not behind. A shell does not say what it took, and need not. */
  get takesRequests(): boolean {
    return this.kind === 'plain' || (this.kind === 'module' && this.outbox.hasRoom);
  }

  /** None of its sessions can live any more, unless their clients reach it on another way. */
  isGone(now: number): boolean {
    return this.kind === undefined && now - this.awaySince > this.sessionSeconds;
  }
}

export interface ClusterListener {
  inService(node: ClusterNode): void;
  /** What was sent there may never be taken. @param kind what it was */
  outOfService(node: ClusterNode, kind: PeerKind): void;
  /** The connection is gone: what was sent there may never have arrived, and answers may be lost. */
  linkLost(node: ClusterNode): void;
}

export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly #node: ErlangNode;
  readonly #log: Logger;
  readonly #listener: ClusterListener;
  #next = 0;
  #stopped = false;

  /** @param budget for the bodies of requests, of all nodes together */
  constructor(
    node: ErlangNode,
    names: readonly string[],
    budget: BodyBudget,
    log: Logger,
    listener: ClusterListener,
  ) {
    this.nodes = names.map((name) => new ClusterNode(name, budget));
    this.#node = node;
    this.#log = log;
    this.#listener = listener;
    node.on('up', (name) => this.#onUp(name));
    node.on('down', (name, error) => this.#onDown(name, error));
    node.on('unreachable', (name, error) => this.#onUnreachable(name, error));
  }

  get inService(): number {
    return this.nodes.reduce((count, node) => (node.kind === undefined ? count : count + 1), 0);
  }

  /**
   * The node for a request: that of its sid (it may be out of service, or behind), or without a sid the next that takes
   * new sessions. `undefined`: there is none.
   * @param now seconds
   */
  route(sid: string | undefined, now: number): ClusterNode | undefined {
    const [only] = this.nodes;
    // A person at a shell wants to see whatever is sent.
    if (this.nodes.length === 1 && only?.kind === 'plain') return only;
    if (sid === undefined) return this.#nextForSession(now);
    const tag = tagOfSid(sid);
    return this.nodes.find((node) => node.tag === tag);
  }

  /** Some node in service takes no new sessions, by its own word. */
  isFull(now: number): boolean {
    return this.nodes.some(({ kind, fullUntil }) => kind !== undefined && fullUntil > now);
  }

  find(name: string): ClusterNode | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  /** From now on nodes go because this one does: no news. */
  stop(): void {
    this.#stopped = true;
  }

  /** Every second: looks again for a module that was not there, and asks the others what may have changed. */
  tick(now: number): void {
    for (const node of this.nodes) {
      if (node.linked && node.demonitor === undefined) this.#probe(node);
      if (node.kind === 'module' && now - node.askedAt >= ASKED_EVERY) {
        node.askedAt = now;
        this.#askSessionSeconds(node);
      }
    }
  }

  /** Round robin: sessions cost about the same, and clients that come back spread evenly. */
  #nextForSession(now: number): ClusterNode | undefined {
    for (let i = 0; i < this.nodes.length; i += 1) {
      const node = this.nodes[(this.#next + i) % this.nodes.length];
      if (node?.takesRequests === true && node.fullUntil <= now) {
        this.#next = (this.#next + i + 1) % this.nodes.length;
        return node;
      }
    }
    return undefined;
  }

  #onUp(name: string): void {
    const node = this.find(name);
    if (node === undefined) return;
    node.linked = true;
    this.#probe(node);
  }

  #onDown(name: string, error: MegaphoneError): void {
    const node = this.find(name);
    if (node === undefined) return;
    node.linked = false;
    this.#stopMonitor(node);
    this.#takeOut(node, error);
    node.connection += 1;
    this.#listener.linkLost(node);
  }

  #onUnreachable(name: string, error: MegaphoneError): void {
    const node = this.find(name);
    if (node !== undefined) this.#takeOut(node, error);
  }

  #probe(node: ClusterNode): void {
    const probe = node.probe + 1;
    node.probe = probe;
    if (!this.#node.tellsEnds(node.name)) {
      node.demonitor = () => {};
      this.#putIn(node, 'plain');
      return;
    }
    const isCurrent = () => probe === node.probe;
    const demonitor = this.#node.monitorName(node.name, MODULE, (reason) => {
      if (isCurrent()) this.#onModuleDown(node, reason);
    });
    if (!isCurrent()) return;
    node.demonitor = demonitor;
    this.#node.rpc(node.name, MODULE, 'contract', [], PROBE_TIMEOUT_MS).then(
      (answer) => {
        if (isCurrent()) this.#onContract(node, answer);
      },
      (error: unknown) => {
        if (isCurrent()) this.#onProbeFailed(node, error);
      },
    );
  }

  #onContract(node: ClusterNode, answer: Term): void {
    if (answer !== CONTRACT_VERSION) {
      this.#takeOut(node, otherContract(node.name, answer));
      return;
    }
    this.#putIn(node, 'module');
    this.#askSessionSeconds(node);
  }

  #askSessionSeconds(node: ClusterNode): void {
    this.#node.rpc(node.name, MODULE, 'session_seconds', [], PROBE_TIMEOUT_MS).then(
      (seconds) => {
        if (typeof seconds === 'number') node.sessionSeconds = seconds;
      },
      // What was known before is as good.
      () => {},
    );
  }

  #onProbeFailed(node: ClusterNode, error: unknown): void {
    const hasNoRex = error instanceof MegaphoneError && error.code === 'NODE_NOPROC';
    if (hasNoRex || isUndefinedFunction(error)) {
      this.#putIn(node, 'plain');
      return;
    }
    // The connection may just have been lost (then `down` follows), or `rex` is slow: the next tick tries again.
    this.#stopMonitor(node);
    this.#takeOut(node, error instanceof MegaphoneError ? error : otherContract(node.name, undefined));
  }

  #onModuleDown(node: ClusterNode, reason: Term): void {
    // `down` follows, and knows why.
    if (isAtom(reason, 'noconnection')) return;
    node.probe += 1;
    node.demonitor = undefined;
    this.#takeOut(node, noModule(node.name, reason));
    // One that crashed is started again at once.
    if (!isAtom(reason, 'noproc')) this.#probe(node);
  }

  #stopMonitor(node: ClusterNode): void {
    const demonitor = node.demonitor;
    node.probe += 1;
    node.demonitor = undefined;
    demonitor?.();
  }

  #putIn(node: ClusterNode, kind: PeerKind): void {
    node.kind = kind;
    node.fullUntil = 0;
    node.reason = '';
    const what = kind === 'module' ? MODULE : `a process that registered itself as ${MODULE}`;
    this.#log.info({ node: node.name, kind }, `${node.name} is in service with ${what}`);
    this.#listener.inService(node);
  }

  #takeOut(node: ClusterNode, error: MegaphoneError): void {
    const { kind } = node;
    node.kind = undefined;
    if (kind !== undefined) this.#listener.outOfService(node, kind);
    // Attempts go on for ever: each reason is told once, not each second.
    if (this.#stopped || node.reason === error.message) return;
    node.reason = error.message;
    this.#log.warn(
      { node: node.name, code: error.code, hint: error.hint },
      `out of service: ${error.message}`,
    );
  }
}

/** `{badrpc, {'EXIT', {undef, _}}}`: there is no `mod_megaphone:contract/0` on that node. */
export function isUndefinedFunction(error: unknown): boolean {
  if (!(error instanceof MegaphoneError) || error.code !== 'NODE_BADRPC') return false;
  return isAtom(element(element(error.cause, 1), 0), 'undef');
}

function element(term: unknown, index: number): Term | undefined {
  return term instanceof Tuple ? term.elements[index] : undefined;
}

function isAtom(term: Term | undefined, name: string): boolean {
  return term instanceof Atom && term.name === name;
}

function otherContract(node: string, answer: Term | undefined): MegaphoneError {
  const version = typeof answer === 'number' ? `version ${answer}` : 'no version it could tell';
  return new MegaphoneError(
    'GATEWAY_CONTRACT',
    `${MODULE} on ${node} speaks ${version} of the contract, this gateway speaks version ${CONTRACT_VERSION}`,
    { node, hint: `install the gateway and ${MODULE} of the same release` },
  );
}

export const HOW_TO_START = `"ejabberdctl module_install ${MODULE}" installs and starts it; if its options are in ejabberd.yml, it must stand there under "modules:"`;

function noModule(node: string, reason: Term): MegaphoneError {
  if (isAtom(reason, 'noproc')) {
    return new MegaphoneError('GATEWAY_NO_MODULE', `no process is registered as ${MODULE} on ${node}`, {
      node,
      hint: HOW_TO_START,
    });
  }
  return new MegaphoneError('GATEWAY_MODULE_DOWN', `${MODULE} on ${node} went down`, {
    node,
    hint: "look into ejabberd's log for the reason",
  });
}
