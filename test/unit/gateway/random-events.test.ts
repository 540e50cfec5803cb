/**
 * Whatever happens in whatever order to requests, clients, sessions and nodes: each client hears one answer, unless it left;
 * nothing is sent again that cannot be lost, or elsewhere while its node may come back; and when all is well again every
 * request that is open has come to a node.
 */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Counters } from '../../../src/observe/counters.js';
import { ask, type FakeRequest } from './fake-client.js';
import { FakeNode, OPTIONS, type Registered } from './fake-node.js';
import './never.js';

const SEEDS = ['one@localhost', 'two@localhost'] as const;
/** The last is found through the others. */
const PEERS = [...SEEDS, 'three@localhost'] as const;
const DEAD = new MegaphoneError('EPMD_NOT_REGISTERED', 'no such name');
type Peer = (typeof PEERS)[number];

/** What a request's exchange has come to, by what was seen of it. */
interface Seen {
  readonly connId: Pid;
  peer: string;
  /** How many breaks there were when it was last sent, or asked about; */
  breaks: number;
  /** how many connections. */
  connections: number;
  isClosed: boolean;
  /** It was sent to a node that its sid does not name. */
  isStray: boolean;
}

interface Request {
  client: FakeRequest | undefined;
  readonly startsSession: boolean;
  readonly sid: string | undefined;
  hasLeft: boolean;
  /** Its session is over, and its client hears so in its turn. */
  isEnded: boolean;
  /** Its node may have passed it on in vain. */
  mayAskAgain: boolean;
  seen: Seen | undefined;
}

/** More than may be on the way to a node that it has not taken. */
const BURST = 1025;
const isOpen = ({ client, hasLeft }: Request): boolean => client?.heard.length === 0 && !hasLeft;
const keyOf = ({ id, serial }: Pid): string => `${id}.${serial}`;
const isNamed = (term: Term | undefined, name: string): boolean => term instanceof Atom && term.name === name;

const isStray = ({ sid }: Request, peer: string): boolean => sid?.startsWith(tagOf(peer)) === false;

class World {
  readonly node = new (class extends FakeNode {
    world: World | undefined;

    override sendToName(
      name: string,
      registered: string,
      ...parts: readonly (Uint8Array | undefined)[]
    ): boolean {
      const isSent = super.sendToName(name, registered, ...parts);
      const sent = this.sent.pop();
      if (sent !== undefined) this.world?.check(name, sent.term);
      return isSent;
    }
  })();
  readonly gateway: Gateway;
  readonly requests: Request[] = [];
  readonly #byConnId = new Map<string, Request>();
  readonly #breaks = new Map<string, number>();
  readonly #connections = new Map<string, number>();
  /** How many breaks there were when a node was lost last. */
  readonly #lost = new Map<string, number>();
  readonly #marks = new Map<string, number>();
  #now = 0;

  constructor() {
    const options = {
      ...OPTIONS,
      nodes: SEEDS.map((name) => ({ name })),
      maxExchanges: 20,
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
    const rid = this.requests.length + 1;
    const sid = startsSession ? undefined : `${tagOf(peer)}.${rid}`;
    const request: Request = {
      client: undefined,
      startsSession,
      sid,
      hasLeft: false,
      isEnded: false,
      mayAskAgain: false,
      seen: undefined,
    };
    this.requests.push(request);
    // It may be sent, and heard of, before this returns.
    request.client = ask(this.gateway, rid, sid, ({ heard }) => {
      if (insists && heard.at(-1) === '503') this.request(peer, startsSession, false);
    });
    return request;
  }

  /** @param isEnd its node knows no such session */
  answer(request: Request | undefined, isEnd = false): void {
    const { client, seen } = request ?? {};
    if (request === undefined || client === undefined || seen === undefined) return;
    const wasOpen = isOpen(request) && !request.isEnded;
    const before = client.heard.length;
    this.#say(
      seen.peer,
      seen.connId,
      200,
      Buffer.from(isEnd ? "<body type='terminate' condition='item-not-found'/>" : 'answer'),
    );
    // What an earlier connection may have lost has to come first.
    const counts = wasOpen && seen.connections === this.#count(this.#connections, seen.peer);
    request.isEnded ||= counts && isEnd && seen.isStray;
    assert.equal(client.heard.length - before, counts && !request.isEnded ? 1 : 0);
  }

  /** Its session says that it is on that node. */
  moves(request: Request | undefined, to: Peer): void {
    const { seen } = request ?? {};
    if (request === undefined || seen === undefined || !this.node.isUp(to)) return;
    const isInOrder = seen.connections === this.#count(this.#connections, seen.peer);
    const isInService = this.gateway.cluster.find(to)?.kind === 'module';
    const counts = isOpen(request) && !request.isEnded && isInOrder && isInService;
    this.#say(to, seen.connId, atom('session'), new Pid(to, 1, 1, 1));
    if (!counts) return;
    seen.isStray = false;
    request.mayAskAgain = false;
    this.#isAt(to, seen);
  }

  /** Its node says that its session is on that one, to which it has no way. */
  hasNoWay(request: Request | undefined, to: Peer, isQuestion: boolean): void {
    const { seen } = request ?? {};
    if (request === undefined || seen === undefined || request.startsSession || !isOpen(request)) return;
    const { peer, connId } = seen;
    const node = this.gateway.cluster.meet(to);
    const isLost = this.gateway.cluster.isLost(node) || node.isGone;
    const isSent = seen.breaks === this.#count(this.#breaks, peer) && !request.mayAskAgain;
    const isInOrder = seen.connections === this.#count(this.#connections, peer);
    // What became of it at a crash is not known here: not every node's is noticed.
    if (!isSent && isInOrder) return;
    if (isLost) request.isEnded ||= isInOrder;
    if (!isLost && isSent && !request.isEnded) {
      // Not sent there yet.
      const connections = this.#count(this.#connections, to);
      Object.assign(seen, { peer: to, breaks: -1, connections, isStray: isStray(request, to) });
    }
    const body = isQuestion ? '' : `<body rid='${this.requests.indexOf(request) + 1}' sid='${request.sid}'/>`;
    this.#say(peer, connId, atom('elsewhere'), atom(to), Buffer.from(body));
  }

  /** It is gone, and EPMD knows it. */
  die(peer: Peer): void {
    this.down(peer);
    this.node.emit('unreachable', peer, DEAD);
    this.#noteLost();
  }

  /** What a node says of the cluster. */
  tells(peer: Peer, running: readonly Peer[], known: readonly Peer[], state: string): void {
    const node = this.gateway.cluster.find(peer);
    if (node?.kind !== 'module') return;
    const nodes = new Set<string>([peer, ...running]);
    const gone = [...(node.room.says?.nodes ?? [])].filter((name) => !nodes.has(name));
    for (const request of this.open) {
      if (request.seen?.peer === peer && gone.length > 0 && !request.isEnded) request.mayAskAgain = true;
    }
    this.gateway.cluster.tell(node, {
      nodes,
      known: new Set([...nodes, ...known]),
      state,
      sessions: 1,
      weight: 100,
    });
    this.#noteLost();
  }

  #say(peer: string, connId: Pid, ...words: readonly Term[]): void {
    const bytes = encodeVersioned(tuple(connId, ...words));
    this.gateway.deliver(connId, bytes, 0, bytes.length, peer);
  }

  #isAt(peer: string, seen: Seen): void {
    seen.peer = peer;
    seen.breaks = this.#count(this.#breaks, peer);
    seen.connections = this.#count(this.#connections, peer);
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
    if (request === undefined || sid === undefined) return;
    request.isEnded ||= isOpen(request);
    this.gateway.gone(new Set([sid]));
  }

  full(peer: Peer): void {
    this.gateway.cluster.find(peer)?.room.full(5);
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
    this.#noteLost();
  }

  async up(peer: Peer, registered: Registered, tellsEnds: boolean): Promise<void> {
    this.down(peer);
    await this.node.up(peer, registered, tellsEnds);
  }

  async crash(peer: Peer, afterwards: Registered): Promise<void> {
    if (!this.node.isUp(peer)) return;
    this.#add(this.#breaks, peer);
    const crashed = this.node.crash(peer, afterwards);
    this.#noteLost();
    await crashed;
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
    // What is gathered first, then its turns.
    for (const time of [50, 30_000]) mock.timers.tick(time);
  }

  /** Holds at every moment. */
  checkAll(): void {
    assert.equal(this.gateway.openExchanges, this.open.length);
    for (const { client } of this.requests) assert.ok((client?.heard.length ?? 0) <= 1);
  }

  /** Every open one came to its node, and that behind the latest break. */
  checkArrived(): void {
    for (const { seen, isEnded } of this.open) {
      assert.ok(!isEnded);
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
    request.seen = { connId, peer, breaks, connections, isClosed: false, isStray: isStray(request, peer) };
    // Its client is not known here yet where it is sent at once.
    assert.ok(request.client === undefined || isOpen(request));
  }

  #sentAgain(peer: string, request: Request, seen: Seen): void {
    assert.ok(isOpen(request), 'sent for nobody');
    assert.ok(!request.startsSession, 'a session was started twice');
    assert.ok(!request.isEnded, 'sent for a session that is over');
    this.#noteLost();
    const isLost = this.#count(this.#breaks, seen.peer) > seen.breaks;
    assert.ok(isLost || request.mayAskAgain, 'sent again for no reason');
    if (peer !== seen.peer) assert.ok((this.#lost.get(seen.peer) ?? -1) > seen.breaks, 'it may come back');
    if (peer !== seen.peer) seen.isStray = isStray(request, peer);
    request.mayAskAgain = false;
    this.#isAt(peer, seen);
  }

  /** Which nodes are surely no more, or so say the others: at every moment at which that may change. */
  #noteLost(): void {
    const { nodes } = this.gateway.cluster;
    for (const node of nodes) {
      const isListed = nodes.some(({ says, isLeaving }) => !isLeaving && says?.nodes.has(node.name));
      if (node.kind !== undefined || !(node.isDead || node.room.isStopping || !isListed)) continue;
      this.#lost.set(node.name, this.#count(this.#breaks, node.name));
    }
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
const some = fc.subarray([...PEERS]);
const state = fc.constantFrom('in_service', 'in_service', 'draining', 'stopping');
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
  {
    weight: 1,
    arbitrary: any.map((index) => (world: World) => world.answer(pick(world.open, index), true)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(any, peer).map(
      ([index, to]) =>
        (world: World) =>
          world.moves(pick(world.requests, index), to),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(any, peer, fc.boolean()).map(
      ([index, to, isQuestion]) =>
        (world: World) =>
          world.hasNoWay(pick(world.open, index), to, isQuestion),
    ),
  },
  { weight: 2, arbitrary: peer.map((at) => (world: World) => world.die(at)) },
  {
    weight: 3,
    arbitrary: fc.tuple(peer, some, some, state).map(
      ([at, running, known, is]) =>
        (world: World) =>
          world.tells(at, running, known, is),
    ),
  },
  { weight: 1, arbitrary: fc.nat(2_000).map((time) => () => mock.timers.tick(time)) },
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

beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }));
afterEach(() => mock.timers.reset());

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
