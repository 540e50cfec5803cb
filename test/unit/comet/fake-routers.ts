/**
 * Routers and their links without processes, sockets and clocks: each step is one at the test's word, so that they can come in any order.
 * A router is as docs/comet.md and erl/megaphone_comet say.
 */

import { EventEmitter } from 'node:events';
import { idOfTerm, termOfId } from '../../../src/comet/ids.js';
import type { CometNode } from '../../../src/comet/ports.js';
import { MegaphoneError } from '../../../src/errors.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, type Term, Tuple, tuple } from '../../../src/etf/terms.js';
import type { NamedProcess } from '../../../src/node/processes.js';

/** Messages that are kept of an id. */
const RING = 6;
const EMPTY: Term = new Map();

interface Row {
  number: number;
  readonly gateways: Set<FakeGatewayNode>;
  readonly kept: Map<number, string>;
}

/** What a sender has looked up, and not sent yet. */
interface Sending {
  readonly to: readonly FakeGatewayNode[];
  readonly term: Term;
}

export class FakeRouter {
  readonly node: string;
  life = 1000;
  readonly lives = [1000];
  #clock = 1000;
  readonly rows = new Map<string, Row>();
  readonly sending: Sending[] = [];
  readonly #up = new Set<FakeGatewayNode>();

  constructor(node: string) {
    this.node = node;
  }

  /** Takes a number, and looks up where it goes; with `isLost` its sender is killed in between. */
  send(id: string, isLost = false): void {
    const row = this.rows.get(id);
    if (row === undefined) return;
    row.number += 1;
    if (isLost) return;
    const body = `${this.node} ${id} ${row.number}`;
    row.kept.set(row.number, body);
    row.kept.delete(row.number - RING);
    const pairs = [tuple(termOfId(id), row.number)];
    const term = tuple(atom('message'), atom(this.node), pairs, Buffer.from(body), EMPTY);
    if (row.gateways.size > 0) this.sending.push({ to: [...row.gateways], term });
  }

  /** One of those that are on their way goes. */
  enqueue(which: number): void {
    const [sending] = this.sending.splice(which % Math.max(1, this.sending.length), 1);
    for (const gateway of sending?.to ?? []) gateway.enqueue(this, (sending as Sending).term);
  }

  hear(gateway: FakeGatewayNode, term: Term): void {
    const [, word, a, b, c] = term instanceof Tuple ? term.elements : [];
    switch (word instanceof Atom ? word.name : '') {
      case 'hello':
        this.forget(gateway);
        this.#up.add(gateway);
        gateway.enqueue(this, tuple(atom('welcome'), atom(this.node), this.life, [atom(this.node)]));
        break;
      case 'login':
        if (this.#up.has(gateway)) this.#login(gateway, a as readonly Term[]);
        break;
      case 'logout':
        for (const id of a as readonly Term[]) this.rows.get(idOfTerm(id) ?? '')?.gateways.delete(gateway);
        break;
      case 'replay':
        this.#replay(gateway, a as Term, idOfTerm(b) ?? '', c as number);
        break;
    }
  }

  /** Its link is gone. */
  forget(gateway: FakeGatewayNode): void {
    this.#up.delete(gateway);
    for (const { gateways } of this.rows.values()) gateways.delete(gateway);
  }

  /** Rows that nobody has are old enough. */
  expire(): void {
    this.#clock += 1000;
    for (const [id, { gateways }] of this.rows) if (gateways.size === 0) this.rows.delete(id);
  }

  /** @param clock the time at which it begins anew; later than all before, unless it was set back */
  restart(clock = this.#clock + 1000): void {
    this.#clock = clock;
    this.life = this.#clock;
    this.lives.push(this.life);
    this.rows.clear();
    this.#up.clear();
    this.sending.length = 0;
  }

  #login(gateway: FakeGatewayNode, ids: readonly Term[]): void {
    const at = ids.map((term) => {
      const id = idOfTerm(term) ?? '';
      this.#clock += 1000;
      const row = this.rows.get(id) ?? { number: this.#clock, gateways: new Set(), kept: new Map() };
      this.rows.set(id, row);
      row.gateways.add(gateway);
      return tuple(term, row.number);
    });
    // It is said in a step of its own: a sender may have found the gateway, and overtake it.
    this.sending.push({ to: [gateway], term: tuple(atom('at'), atom(this.node), at) });
  }

  #replay(gateway: FakeGatewayNode, ask: Term, id: string, since: number): void {
    const row = this.rows.get(id);
    const to = row?.number ?? since;
    const found = [...(row?.kept ?? [])].filter(([number]) => number > since && number <= to);
    const messages = found.map(([number, body]) => tuple(number, Buffer.from(body), EMPTY));
    const whole = since === 0 || messages.length === to - since ? 'true' : 'false';
    const origin = atom(this.node);
    gateway.enqueue(this, tuple(atom('replay'), origin, ask, termOfId(id), messages, to, atom(whole)));
  }
}

interface Link {
  readonly down: Term[];
  readonly up: Term[];
  isJammed: boolean;
}

export class FakeGatewayNode extends EventEmitter {
  readonly name: string;
  readonly creation = 1;
  readonly kept = new Map<string, number>();
  readonly #routers: ReadonlyMap<string, FakeRouter>;
  readonly #links = new Map<FakeRouter, Link>();
  readonly #monitors = new Map<string, () => void>();
  #any: NamedProcess | undefined;

  constructor(name: string, routers: readonly FakeRouter[]) {
    super();
    this.name = name;
    this.#routers = new Map(routers.map((router) => [router.node, router]));
  }

  get asNode(): CometNode {
    return this as unknown as CometNode;
  }

  register(_name: string, process: NamedProcess): void {
    this.#any = process;
  }

  keepConnected(node: string): void {
    this.kept.set(node, (this.kept.get(node) ?? 0) + 1);
  }

  letGo(node: string): void {
    this.kept.delete(node);
  }

  monitor(node: string, _name: string, onDown: () => void): () => void {
    this.#monitors.set(node, onDown);
    return () => this.#monitors.delete(node);
  }

  call(): Promise<Term> {
    return Promise.reject(new MegaphoneError('NODE_NOCONNECTION', 'none'));
  }

  sendToName(node: string, _name: string, payload: Uint8Array): boolean {
    const router = this.#routers.get(node);
    const link = router && this.#links.get(router);
    if (link === undefined || link.isJammed) return false;
    link.up.push(decodeVersioned(payload));
    return true;
  }

  enqueue(router: FakeRouter, term: Term): void {
    this.#links.get(router)?.down.push(term);
  }

  connect(router: FakeRouter): void {
    if (this.#links.has(router)) return;
    this.#links.set(router, { down: [], up: [], isJammed: false });
    this.emit('up', router.node);
  }

  cut(router: FakeRouter): void {
    if (!this.#links.delete(router)) return;
    router.forget(this);
    const onDown = this.#monitors.get(router.node);
    this.#monitors.delete(router.node);
    onDown?.();
    this.emit('down', router.node);
  }

  /** Nothing more goes to it, until it reads again. */
  jam(router: FakeRouter, isJammed: boolean): void {
    const link = this.#links.get(router);
    if (link !== undefined) link.isJammed = isJammed;
  }

  /** The oldest on its way comes to the gateway, or to the router. `false`: there is none. */
  step(router: FakeRouter, isDown: boolean): boolean {
    const link = this.#links.get(router);
    const term = isDown ? link?.down.shift() : link?.up.shift();
    if (term === undefined) return false;
    // As it would be read from a connection.
    if (isDown) this.deliver(term, router.node);
    else router.hear(this, term);
    return true;
  }

  deliver(term: Term, peer: string): void {
    this.#any?.deliver(decodeVersioned(encodeVersioned(term)), peer);
  }
}
