/** A hidden node without sockets: its peers come and go, run the module or not, and read or not, at the test's word. */

import { EventEmitter } from 'node:events';
import type { PidNumbers } from '../../../src/distribution/send-controls.js';
import { MegaphoneError } from '../../../src/errors.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { Atom, atom, Pid, type Term, Tuple, tuple } from '../../../src/etf/terms.js';
import { CONTRACT_VERSION } from '../../../src/gateway/contract.js';
import type { GatewayOptions } from '../../../src/gateway/gateway.js';
import type { ErlangNode } from '../../../src/gateway/ports.js';

/** A gateway's, where a test does not care. */
export const OPTIONS: GatewayOptions = {
  nodes: [],
  discover: true,
  maxExchanges: 100,
  maxSockets: 100,
  answerTimeout: 30,
  nodeReturnWait: 10,
  maxWaiting: 1e6,
  failedLogins: undefined,
  exemptNetworks: [],
  trustedProxies: [],
};

const LOST = new MegaphoneError('LINK_CLOSED', 'gone');
const TIMEOUT = new MegaphoneError('NODE_TIMEOUT', 'no answer');
const UNDEFINED = new MegaphoneError('NODE_BADRPC', 'failed', {
  cause: tuple(atom('EXIT'), tuple(atom('undef'), [])),
});

/**
 * What is registered as `mod_megaphone`: another module is one that speaks another version of the contract, a stranger has
 * no such function, a shell's node has no `rex`, and the `rex` beside a mute one or a slow one answers never, or too late.
 */
export type Registered = 'module' | 'other module' | 'stranger' | 'shell' | 'nobody' | 'mute' | 'slow';

interface Peer {
  isUp: boolean;
  tellsEnds: boolean;
  reads: boolean;
  registered: Registered;
  monitors: ((reason: Term) => void)[];
}

export interface Sent {
  readonly peer: string;
  /** The elements of the term. */
  readonly term: readonly Term[];
  /** `undefined` where it was sent to the name. */
  readonly to?: Pid;
}

export class FakeNode extends EventEmitter {
  readonly name = 'megaphone@localhost';
  readonly creation = 7;
  /** Without what is asked of the cluster: */
  readonly sent: Sent[] = [];
  /** the nodes that were. */
  readonly watched: string[] = [];
  /** The nodes that are to be connected. */
  readonly kept = new Set<string>();
  /** The pids that ended. */
  readonly ended: Pid[] = [];
  sessionSeconds = 60;
  /** How often how long sessions live was asked. */
  asked = 0;
  readonly adoptPids = (): void => {};
  readonly #peers = new Map<string, Peer>();

  get asNode(): ErlangNode {
    return this as unknown as ErlangNode;
  }

  /** It is there, with this, when the returned promise resolves. */
  async up(name: string, registered: Registered = 'module', tellsEnds = true): Promise<void> {
    const peer = this.#peer(name);
    if (peer.isUp) this.down(name);
    Object.assign(peer, { isUp: true, tellsEnds, registered });
    this.emit('up', name);
    await settled();
  }

  down(name: string): void {
    const peer = this.#peer(name);
    if (!peer.isUp) return;
    peer.isUp = false;
    this.#end(peer, 'noconnection');
    this.emit('down', name, LOST);
  }

  /** The module ends, and what is registered in its place afterwards can be asked. */
  async crash(name: string, afterwards: Registered): Promise<void> {
    const peer = this.#peer(name);
    peer.registered = afterwards;
    this.#end(peer, 'killed');
    await settled();
  }

  /** Something is registered where nobody was, or in its place without a word: it is noticed when it is looked for again. */
  register(name: string, registered: Registered): void {
    this.#peer(name).registered = registered;
  }

  /** @param reads whether what is sent to it is taken */
  reads(name: string, reads: boolean): void {
    this.#peer(name).reads = reads;
  }

  isUp(name: string): boolean {
    return this.#peer(name).isUp;
  }

  isMonitored(name: string): boolean {
    return this.#peer(name).monitors.length > 0;
  }

  exited(pid: Pid): void {
    this.ended.push(pid);
  }

  tellsEnds(name: string): boolean | undefined {
    const { isUp, tellsEnds } = this.#peer(name);
    return isUp ? tellsEnds : undefined;
  }

  keepConnected(name: string): void {
    this.kept.add(name);
  }

  letGo(name: string): void {
    this.kept.delete(name);
    this.down(name);
  }

  monitor(name: string, _registered: string, onDown: (reason: Term) => void): () => void {
    const peer = this.#peer(name);
    if (peer.registered === 'nobody') queueMicrotask(() => onDown(atom('noproc')));
    else peer.monitors.push(onDown);
    return () => {
      peer.monitors = peer.monitors.filter((each) => each !== onDown);
    };
  }

  sendToName(name: string, _registered: string, ...parts: readonly (Uint8Array | undefined)[]): boolean {
    return this.#send(name, undefined, parts);
  }

  sendToPid(
    name: string,
    { id, serial, creation }: PidNumbers,
    ...parts: readonly (Uint8Array | undefined)[]
  ): boolean {
    return this.#send(name, new Pid(name, id >>> 0, serial >>> 0, creation >>> 0), parts);
  }

  /** Never refused. */
  tell(to: Pid, payload: Uint8Array): void {
    if (this.isUp(to.node)) this.sent.push({ peer: to.node, to, term: elements(payload) });
  }

  rpc(name: string, _module: string, fun: string): Promise<Term> {
    const { registered } = this.#peer(name);
    if (registered === 'mute') return new Promise(() => {});
    if (registered === 'nobody' || registered === 'slow') return Promise.reject(TIMEOUT);
    if (registered === 'stranger') return Promise.reject(UNDEFINED);
    if (registered === 'shell') return Promise.reject(new MegaphoneError('NODE_NOPROC', 'no rex'));
    if (fun === 'contract') return Promise.resolve(CONTRACT_VERSION + (registered === 'module' ? 0 : 1));
    this.asked += 1;
    return Promise.resolve(this.sessionSeconds);
  }

  #send(peer: string, to: Pid | undefined, parts: readonly (Uint8Array | undefined)[]): boolean {
    const { isUp, reads } = this.#peer(peer);
    if (!isUp || !reads) return false;
    const term = elements(Buffer.concat(parts.filter((part) => part !== undefined)));
    if (isWatch(term)) this.watched.push(peer);
    else this.sent.push(to === undefined ? { peer, term } : { peer, to, term });
    return true;
  }

  #peer(name: string): Peer {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      peer = { isUp: false, tellsEnds: true, reads: true, registered: 'nobody', monitors: [] };
      this.#peers.set(name, peer);
    }
    return peer;
  }

  #end(peer: Peer, reason: string): void {
    for (const onDown of peer.monitors.splice(0)) onDown(atom(reason));
  }
}

function elements(bytes: Uint8Array): readonly Term[] {
  const term = decodeVersioned(bytes);
  return term instanceof Tuple ? term.elements : [term];
}

const isWatch = ([, word]: readonly Term[]): boolean => word instanceof Atom && word.name === 'watch';

/** What was asked meanwhile is answered. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
