/**
 * Whatever happens in whatever order to WebSockets, their sessions and their nodes: each frame comes once, in order and to
 * the one it is for, in both directions; nothing is said behind an end; and each session hears of an end that it did not bring.
 */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { Counters } from '../../../src/observe/counters.js';
import { FakeNode, OPTIONS, type Sent } from './fake-node.js';
import { FakeSocket } from './fake-socket.js';
import './never.js';

const PEERS = ['one@localhost', 'two@localhost'] as const;
type Peer = (typeof PEERS)[number];
const CLIENT = { ip: '', port: 0, secure: false, path: '/ws', origin: '', userAgent: '' };
const MAX_EXCHANGES = 10;
const isNamed = (term: Term | undefined, name: string): boolean => term instanceof Atom && term.name === name;
const keyOf = ({ id, serial }: Pid): string => `${id}.${serial}`;

/** One socket, seen from outside. */
class Client {
  readonly socket = new FakeSocket();
  readonly number: number;
  connId: Pid | undefined;
  peer = '';
  /** What its session has asked to be told of, and heard of. */
  session: Pid | undefined;
  /** The one that is about to take its place. */
  next: Pid | undefined;
  sent = 0;
  /** Frames that came to its server, in order. */
  readonly arrived: string[] = [];
  said = 0;
  taken = 0;
  mayFrame = true;
  hasLeft = false;
  /** Its session ended it, and wants to hear no more. */
  isDone = false;
  /** Its node was lost after it was opened: nobody there has it any more. */
  isCut = false;
  closedHeard = 0;

  constructor(number: number) {
    this.number = number;
  }

  get isAccepted(): boolean {
    return this.socket.heard[0] === 'accept';
  }

  get isOpen(): boolean {
    return this.isAccepted && !this.hasLeft && !this.socket.isOver;
  }
}

class World {
  readonly node = new FakeNode();
  readonly gateway: Gateway;
  readonly clients: Client[] = [];
  readonly #byConnId = new Map<string, Client>();
  #seen = 0;
  #now = 0;
  #pids = 0;

  constructor() {
    const options = {
      ...OPTIONS,
      nodes: PEERS.map((name) => ({ name })),
      maxExchanges: MAX_EXCHANGES,
      maxSockets: 6,
    };
    this.gateway = new Gateway(this.node.asNode, options, new Counters(), pino({ level: 'silent' }));
    this.tick(0);
  }

  get open(): readonly Client[] {
    return this.clients.filter(({ isOpen }) => isOpen);
  }

  get asked(): readonly Client[] {
    return this.clients.filter(
      ({ connId, isAccepted, socket, hasLeft }) => connId && !isAccepted && !socket.isOver && !hasLeft,
    );
  }

  connect(): void {
    const client = new Client(this.clients.length);
    this.clients.push(client);
    client.socket.handle = this.gateway.sockets.open(client.socket, CLIENT);
    this.look(client);
    assert.equal(client.socket.handle === 0, client.socket.isOver);
  }

  /** Its server grants it, or hands it over. @param to also to a process on another node */
  session(client: Client | undefined, to = client?.peer ?? ''): void {
    if (client?.connId === undefined || (to !== client.peer && !this.node.isUp(to))) return;
    this.#pids += 1;
    const pid = new Pid(to, this.#pids, 0, 4_000_000_000);
    const isOver = client.hasLeft || client.socket.isOver || client.isCut;
    // A shell cannot hand over what is told to its name.
    const isOfNobody = client.isAccepted && client.session === undefined && to !== client.peer;
    const isUseless = isOver || isOfNobody;
    if (!isUseless) client.next = pid;
    this.#sayFrom(to, client, atom('session'), pid);
    if (isUseless) {
      if (!this.node.isUp(to)) return;
      const last = this.node.sent.at(-1);
      assert.deepEqual(last?.to, pid, 'it waits for a client that is gone');
      assert.ok(isNamed(last?.term[1], 'closed'));
      this.#seen = this.node.sent.length;
      return;
    }
    this.look();
    // Else the former heard of it.
    if (client.session === undefined) this.#adopt(client);
    assert.equal(client.session, pid);
  }

  #adopt(client: Client): void {
    assert.ok(client.next !== undefined);
    client.session = client.next;
    client.peer = client.next.node;
  }

  clientSends(client: Client | undefined, length: number): void {
    if (client === undefined || !client.isOpen || !client.mayFrame) return;
    client.sent += 1;
    const text = `${client.number}:${client.sent}:${'x'.repeat(length)}`;
    const { isCut } = client;
    client.mayFrame = this.gateway.sockets.frame(client.socket.handle, Buffer.from(text));
    if (isCut) client.sent -= 1;
    this.look();
    // What could not be passed on was the last.
    if (client.socket.isOver && client.arrived.length < client.sent) client.sent -= 1;
  }

  serverSends(client: Client | undefined): void {
    if (client?.connId === undefined) return;
    client.said += 1;
    const isHeard = client.isOpen && !client.isCut;
    const before = client.socket.heard.length;
    const text = `text ${client.number}:${client.said}`;
    this.#say(client, atom('frame'), Buffer.from(text.slice(5)));
    assert.deepEqual(client.socket.heard.slice(before), isHeard ? [text] : []);
  }

  serverTakes(client: Client | undefined): void {
    if (client?.connId === undefined || client.arrived.length === 0) return;
    client.taken = client.arrived.length;
    this.#say(client, atom('taken'), client.taken);
    if (client.isOpen && client.socket.heard.at(-1) === 'resume') client.mayFrame = true;
    if (client.isOpen && !client.isCut && client.session) assert.ok(client.mayFrame, 'stays closed');
  }

  serverCloses(client: Client | undefined): void {
    if (client?.connId === undefined) return;
    client.isDone ||= client.isOpen && !client.isCut;
    this.#say(client, atom('close'), 1000, Buffer.alloc(0));
  }

  leaves(client: Client | undefined): void {
    if (client === undefined || client.socket.isOver || client.hasLeft || client.socket.handle === 0) return;
    client.hasLeft = true;
    this.gateway.sockets.closed(client.socket.handle, 1001);
    this.look();
  }

  tick(seconds: number): void {
    this.#now += seconds;
    this.gateway.tick(this.#now);
  }

  turns(): void {
    mock.timers.tick(5_000);
    for (const client of this.clients) if (client.isCut) assert.ok(!client.isOpen);
  }

  down(peer: Peer): void {
    if (!this.node.isUp(peer)) return;
    this.#cut(peer, () => true);
    this.node.down(peer);
  }

  async up(peer: Peer, isShell: boolean): Promise<void> {
    this.down(peer);
    await this.node.up(peer, isShell ? 'shell' : 'module');
  }

  async crash(peer: Peer): Promise<void> {
    if (!this.node.isUp(peer)) return;
    // Whoever has a session of its own keeps it.
    this.#cut(peer, ({ session }) => session === undefined);
    await this.node.crash(peer, 'nobody');
  }

  #cut(peer: Peer, which: (client: Client) => boolean): void {
    for (const client of this.clients) if (client.peer === peer && which(client)) client.isCut = true;
  }

  /** Reads what was sent since the last time. @param opening whose `open` may be among it */
  look(opening?: Client): void {
    for (const sent of this.node.sent.slice(this.#seen)) this.#read(sent, opening);
    this.#seen = this.node.sent.length;
  }

  #read({ peer, to, term }: Sent, opening: Client | undefined): void {
    const [connId, second, third] = term;
    assert.ok(connId instanceof Pid);
    if (isNamed(second, 'mark')) return;
    assert.ok(connId.id > MAX_EXCHANGES);
    const client = this.#byConnId.get(keyOf(connId));
    if (isNamed(second, 'open')) {
      assert.ok(opening !== undefined && client === undefined && to === undefined, 'opened twice');
      opening.connId = connId;
      opening.peer = peer;
      this.#byConnId.set(keyOf(connId), opening);
      return;
    }
    assert.ok(client !== undefined && client.peer === peer && !client.isDone);
    // Straight to its session, and to no other.
    assert.equal(to && keyOf(to), client.session && keyOf(client.session));
    assert.equal(client.closedHeard, 0, 'something behind the end');
    if (isNamed(second, 'moved')) {
      this.#adopt(client);
    } else if (isNamed(second, 'closed')) {
      client.closedHeard += 1;
      assert.ok(typeof third === 'number');
    } else {
      client.arrived.push(String(second).replace(/x*$/, ''));
    }
  }

  checkAll(): void {
    this.look();
    for (const client of this.clients) {
      const { number, arrived, sent, hasLeft, socket, isDone, isCut, closedHeard, isAccepted } = client;
      assert.deepEqual(
        arrived,
        Array.from({ length: sent }, (_, index) => `${number}:${index + 1}:`),
      );
      // A shell is told as well as it can be.
      const isOver = (hasLeft || socket.isOver) && isAccepted && client.session !== undefined;
      if (isOver && !isDone && !isCut) assert.equal(closedHeard, 1, 'its session does not know');
    }
    const there = this.clients.filter(
      ({ connId, socket, hasLeft }) => connId && !socket.isOver && !hasLeft,
    ).length;
    assert.equal(this.gateway.sockets.size, there);
  }

  #say(client: Client, ...words: readonly Term[]): void {
    this.#sayFrom(client.peer, client, ...words);
  }

  #sayFrom(peer: string, { connId }: Client, ...words: readonly Term[]): void {
    assert.ok(connId !== undefined);
    const bytes = encodeVersioned(tuple(connId, ...words));
    this.gateway.deliver(connId, bytes, 0, bytes.length, peer);
  }
}

type Action = (world: World) => void | Promise<void>;
const any = fc.nat(1000);
const peer = fc.constantFrom(...PEERS);
const pick = <Item>(items: readonly Item[], index: number): Item | undefined => items[index % items.length];
const of = (weight: number, act: (world: World, client: Client | undefined) => void, all = false) => ({
  weight,
  arbitrary: any.map((index) => (world: World) => act(world, pick(all ? world.clients : world.open, index))),
});

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant((world: World) => world.connect()) },
  {
    weight: 6,
    arbitrary: any.map((index) => (world: World) => world.session(pick(world.asked, index))),
  },
  of(1, (world, client) => world.session(client), true),
  {
    weight: 4,
    arbitrary: fc.tuple(any, peer, fc.nat(3)).map(([index, to, odd]) => (world: World) => {
      world.session(pick(odd === 0 ? world.clients : world.open, index), to);
    }),
  },
  {
    weight: 10,
    arbitrary: fc.tuple(any, fc.nat(20_000), fc.nat(70)).map(([index, length, count]) => (world: World) => {
      const client = pick(world.open, index);
      for (let frame = 0; frame <= count; frame += 1) world.clientSends(client, count > 5 ? 3 : length);
    }),
  },
  of(8, (world, client) => world.serverSends(client)),
  of(1, (world, client) => world.serverSends(client), true),
  of(8, (world, client) => world.serverTakes(client)),
  of(2, (world, client) => world.serverCloses(client)),
  of(1, (world, client) => world.serverCloses(client), true),
  of(3, (world, client) => world.leaves(client)),
  of(1, (world, client) => world.leaves(client), true),
  { weight: 1, arbitrary: fc.nat(20).map((seconds) => (world: World) => world.tick(seconds)) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.turns()) },
  { weight: 1, arbitrary: peer.map((at) => (world: World) => world.down(at)) },
  {
    weight: 3,
    arbitrary: fc.tuple(peer, fc.nat(3)).map(
      ([at, odd]) =>
        (world: World) =>
          world.up(at, odd === 0),
    ),
  },
  { weight: 1, arbitrary: peer.map((at) => (world: World) => world.crash(at)) },
  {
    weight: 1,
    arbitrary: fc.tuple(peer, fc.boolean()).map(
      ([at, reads]) =>
        (world: World) =>
          world.node.reads(at, reads),
    ),
  },
);

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

test('each frame comes once, in order, to the one it is for, and each session hears of the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 100, size: 'max' }), async (actions) => {
      const world = new World();
      await world.up('one@localhost', false);
      for (const act of actions) {
        await act(world);
        // A shell's client is accepted behind all that.
        await Promise.resolve();
        world.checkAll();
      }
      world.gateway.stop();
      world.checkAll();
      assert.equal(world.open.length, 0);
      const { ended } = world.node;
      assert.equal(new Set(ended.map(keyOf)).size, ended.length);
    }),
    { numRuns: 300 },
  );
});
