/**
 * Whatever happens in whatever order to requests, clients and nodes: each client hears one answer, unless it left; nothing
 * is sent again that cannot be lost; and when all is well again every request that is open has come to its node.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Counters } from '../../../src/observe/counters.js';
import { ask, type FakeRequest } from './fake-client.js';
import { FakeNode, type Registered } from './fake-node.js';
import './never.js';

const PEERS = ['one@localhost', 'two@localhost'] as const;
type Peer = (typeof PEERS)[number];

/** What a request's exchange has come to, by what was seen of it. */
interface Seen {
  readonly connId: Pid;
  readonly peer: string;
  /** How many breaks there were when it was last sent, or asked about; */
  breaks: number;
  /** how many connections. */
  connections: number;
  isClosed: boolean;
}

interface Request {
  client: FakeRequest | undefined;
  readonly startsSession: boolean;
  hasLeft: boolean;
  seen: Seen | undefined;
}

/** More than may be on the way to a node that it has not taken. */
const BURST = 1025;
const isOpen = ({ client, hasLeft }: Request): boolean => client?.heard.length === 0 && !hasLeft;
const keyOf = ({ id, serial }: Pid): string => `${id}.${serial}`;
const isNamed = (term: Term | undefined, name: string): boolean => term instanceof Atom && term.name === name;

class World {
  readonly node = new (class extends FakeNode {
    world: World | undefined;

    override sendToName(
      name: string,
      registered: string,
      ...parts: readonly (Uint8Array | undefined)[]
    ): boolean {
      const isSent = super.sendToName(name, registered, ...parts);
      if (isSent) this.world?.check(name, this.sent.pop()?.term ?? []);
      return isSent;
    }
  })();
  readonly gateway: Gateway;
  readonly requests: Request[] = [];
  readonly #byConnId = new Map<string, Request>();
  readonly #breaks = new Map<string, number>();
  readonly #connections = new Map<string, number>();
  readonly #marks = new Map<string, number>();
  #now = 0;

  constructor() {
    const options = {
      nodes: PEERS,
      maxExchanges: 20,
      maxSockets: 100,
      answerTimeout: 30,
      nodeReturnWait: 10,
      maxWaiting: 16 * 600,
    };
    this.gateway = new Gateway(this.node.asNode, options, new Counters(), pino({ level: 'silent' }));
    this.node.world = this;
    this.tick(0);
  }

  get open(): readonly Request[] {
    return this.requests.filter(isOpen);
  }

  /** @param insists it asks again at once, when it hears 503 */
  request(peer: Peer, startsSession: boolean, insists: boolean): Request {
    const request: Request = { client: undefined, startsSession, hasLeft: false, seen: undefined };
    const rid = this.requests.push(request);
    const sid = startsSession ? undefined : `${tagOf(peer)}.${rid}`;
    // It may be sent, and heard of, before this returns.
    request.client = ask(this.gateway, rid, sid, ({ heard }) => {
      if (insists && heard.at(-1) === '503') this.request(peer, startsSession, false);
    });
    return request;
  }

  answer(request: Request | undefined): void {
    const { client, seen } = request ?? {};
    if (request === undefined || client === undefined || seen === undefined) return;
    const wasOpen = isOpen(request);
    const before = client.heard.length;
    const bytes = encodeVersioned(tuple(seen.connId, 200, Buffer.from('answer')));
    this.gateway.deliver(seen.connId, bytes, 0, bytes.length, seen.peer);
    // What an earlier connection may have lost has to come first.
    const isInOrder = seen.connections === this.#count(this.#connections, seen.peer);
    assert.equal(client.heard.length - before, wasOpen && isInOrder ? 1 : 0);
  }

  leave(request: Request | undefined): void {
    if (request?.client === undefined) return;
    request.hasLeft = true;
    this.gateway.closed(request.client.slot);
  }

  /** So many come and are answered at once: the node is behind until it says that it took them. */
  burst(peer: Peer): void {
    for (let count = 0; count < BURST; count += 1) this.answer(this.request(peer, false, false));
  }

  taken(peer: Peer): void {
    const node = this.gateway.cluster.find(peer);
    const place = this.#marks.get(peer);
    if (node !== undefined && place !== undefined) this.gateway.taken(node, place);
  }

  kill(request: Request | undefined): void {
    const { sid } = request?.client ?? {};
    for (const node of this.gateway.cluster.nodes)
      if (sid !== undefined) this.gateway.gone(node, new Set([sid]));
  }

  full(peer: Peer): void {
    this.gateway.cluster.find(peer)?.full(5);
  }

  tick(seconds: number): void {
    this.#now += seconds;
    this.gateway.tick(this.#now);
  }

  down(peer: Peer): void {
    if (!this.node.isUp(peer)) return;
    this.#add(this.#breaks, peer);
    this.#add(this.#connections, peer);
    this.node.down(peer);
  }

  async up(peer: Peer, registered: Registered, tellsEnds: boolean): Promise<void> {
    this.down(peer);
    await this.node.up(peer, registered, tellsEnds);
  }

  async crash(peer: Peer, afterwards: Registered): Promise<void> {
    if (!this.node.isUp(peer)) return;
    this.#add(this.#breaks, peer);
    await this.node.crash(peer, afterwards);
  }

  /** All nodes come back, and take all that they are sent. */
  async heal(): Promise<void> {
    for (const peer of PEERS) {
      this.node.reads(peer, true);
      await this.up(peer, 'module', true);
    }
    for (let second = 0; second < 3; second += 1) {
      this.tick(1);
      for (const peer of PEERS) this.taken(peer);
    }
  }

  /** Holds at every moment. */
  checkAll(): void {
    assert.equal(this.gateway.openExchanges, this.open.length);
    for (const { client } of this.requests) assert.ok((client?.heard.length ?? 0) <= 1);
  }

  /** Every open one came to its node, and that behind the latest break. */
  checkArrived(): void {
    for (const { seen } of this.open) {
      assert.equal(seen?.breaks, this.#count(this.#breaks, seen?.peer ?? ''));
    }
  }

  /** What is sent, at that moment. */
  check(peer: string, term: readonly Term[]): void {
    const [connId, second] = term;
    assert.ok(connId instanceof Pid);
    assert.notEqual(this.gateway.cluster.find(peer)?.kind, undefined, 'sent to a node out of service');
    if (isNamed(second, 'mark')) {
      this.#marks.set(peer, Number(term[2]));
    } else if (isNamed(second, 'closed')) {
      const seen = this.#byConnId.get(keyOf(connId))?.seen;
      assert.ok(seen !== undefined && !seen.isClosed && seen.peer === peer);
      seen.isClosed = true;
    } else if (isNamed(second, 'held')) {
      const request = this.#byConnId.get(keyOf(connId));
      assert.ok(request?.seen !== undefined);
      this.#sentAgain(peer, request, request.seen);
    } else {
      this.#checkRequest(peer, connId, term);
    }
  }

  #checkRequest(peer: string, connId: Pid, term: readonly Term[]): void {
    const rid = Number(/rid='(\d+)'/.exec(String(term[1]))?.[1]);
    const request = this.requests[rid - 1];
    assert.ok(request !== undefined);
    if (request.seen !== undefined) {
      assert.equal(keyOf(request.seen.connId), keyOf(connId));
      this.#sentAgain(peer, request, request.seen);
      return;
    }
    assert.ok(!this.#byConnId.has(keyOf(connId)), 'a ConnId was used twice');
    this.#byConnId.set(keyOf(connId), request);
    const breaks = this.#count(this.#breaks, peer);
    const connections = this.#count(this.#connections, peer);
    request.seen = { connId, peer, breaks, connections, isClosed: false };
    // Its client is not known here yet where it is sent at once.
    assert.ok(request.client === undefined || isOpen(request));
  }

  #sentAgain(peer: string, request: Request, seen: Seen): void {
    assert.ok(isOpen(request), 'sent for nobody');
    assert.ok(!request.startsSession, 'a session was started twice');
    assert.equal(peer, seen.peer);
    assert.ok(this.#count(this.#breaks, peer) > seen.breaks, 'sent again for no reason');
    seen.breaks = this.#count(this.#breaks, peer);
    seen.connections = this.#count(this.#connections, peer);
  }

  #count(counts: ReadonlyMap<string, number>, peer: string): number {
    return counts.get(peer) ?? 0;
  }

  #add(counts: Map<string, number>, peer: string): void {
    counts.set(peer, this.#count(counts, peer) + 1);
  }
}

type Action = (world: World) => void | Promise<void>;

const peer = fc.constantFrom(...PEERS);
const registered = fc.constantFrom<Registered>(
  ...(['module', 'module', 'other module', 'stranger', 'shell', 'nobody', 'mute', 'slow'] as const),
);
const any = fc.nat(1000);
const pick = <Item>(items: readonly Item[], index: number): Item | undefined => items[index % items.length];

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(peer, fc.nat(3), fc.boolean()).map(([at, kind, insists]) => (world: World) => {
      world.request(at, kind === 0, insists);
    }),
  },
  { weight: 3, arbitrary: any.map((index) => (world: World) => world.answer(pick(world.open, index))) },
  { weight: 1, arbitrary: any.map((index) => (world: World) => world.answer(pick(world.requests, index))) },
  { weight: 2, arbitrary: any.map((index) => (world: World) => world.leave(pick(world.open, index))) },
  { weight: 1, arbitrary: any.map((index) => (world: World) => world.kill(pick(world.requests, index))) },
  { weight: 3, arbitrary: peer.map((at) => (world: World) => world.taken(at)) },
  { weight: 1, arbitrary: peer.map((at) => (world: World) => world.full(at)) },
  { weight: 3, arbitrary: fc.nat(12).map((seconds) => (world: World) => world.tick(seconds)) },
  { weight: 2, arbitrary: peer.map((at) => (world: World) => world.down(at)) },
  {
    weight: 3,
    arbitrary: fc.tuple(peer, registered, fc.nat(4)).map(
      ([at, what, odd]) =>
        (world: World) =>
          world.up(at, what, odd > 0),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(peer, registered).map(
      ([at, what]) =>
        (world: World) =>
          world.crash(at, what),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(peer, registered).map(
      ([at, what]) =>
        (world: World) =>
          world.node.register(at, what),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(peer, fc.boolean()).map(
      ([at, reads]) =>
        (world: World) =>
          world.node.reads(at, reads),
    ),
  },
  { weight: 2, arbitrary: peer.map((at) => (world: World) => world.burst(at)) },
);

test('each is answered once, none is lost, and none sent twice without a reason', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 80, size: 'max' }),
      fc.boolean(),
      async (actions, endsWell) => {
        const world = new World();
        for (const act of actions) {
          await act(world);
          world.checkAll();
        }
        if (endsWell) {
          await world.heal();
          world.checkArrived();
          for (const request of world.open) world.answer(request);
          assert.equal(world.open.length, 0);
        }
        world.gateway.stop();
        world.checkAll();
        assert.equal(world.open.length, 0);
        const { ended } = world.node;
        assert.equal(new Set(ended.map(keyOf)).size, ended.length);
        for (const { client, hasLeft } of world.requests) {
          assert.equal(client?.heard.length, hasLeft ? 0 : 1);
        }
      },
    ),
    { numRuns: 200 },
  );
});
