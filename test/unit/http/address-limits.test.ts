/** Limits of one address, over real sockets: who is beyond them hears so, and nobody else notices. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import {
  type AddressLimitOptions,
  AddressLimits,
  FORWARDED,
  UNLIMITED,
} from '../../../src/http/address-limits.js';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import { Remembered } from '../../../src/http/remembered.js';
import { Counters } from '../../../src/observe/counters.js';
import { until } from '../../support/until.js';
import { FakeSockets } from './fake-sockets.js';
import { upgradeOf } from './frames.js';
import { listen } from './serve.js';

const fronts: BoshServer[] = [];
after(() => Promise.all(fronts.map((front) => front.close())));

/** All requests without a sid are answered, all others held. */
async function serve(options: Partial<BoshServerOptions>) {
  const counters = new Counters();
  const sockets = new FakeSockets();
  sockets.onOpen = (socket) => socket.accept();
  const service = {
    request: (exchange: { answer(status: number, headers: [], body: Buffer): void }) => {
      exchange.answer(200, [], Buffer.from('<body/>'));
      return 0;
    },
    closed: () => {},
    release: () => {},
  };
  const front = await listen(service, { ip: '::', ...options }, { counters, sockets });
  fronts.push(front);
  return { front, counters };
}

class Client {
  received = '';
  isClosed = false;
  readonly socket: Socket;

  constructor(front: BoshServer, from = '127.0.0.1') {
    const host = from.includes(':') ? '::1' : '127.0.0.1';
    this.socket = connect({ port: front.port, host, localAddress: from });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('data', (data) => {
      this.received += data.toString('latin1');
    });
  }

  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  }

  /** @returns the status, 0 where there was none */
  async send(text: string): Promise<number> {
    const before = this.statuses.length;
    this.socket.write(text);
    await until(() => this.statuses.length > before || this.isClosed);
    return this.statuses[before] ?? 0;
  }

  post(headers = '', body = "<body rid='1'/>"): Promise<number> {
    return this.send(
      `POST /bosh HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await until(() => this.isClosed);
  }
}

const retryAfter = ({ received }: Client): number => Number(/retry-after: (\d+)/.exec(received)?.[1]);

test('connections: one too many hears 429, others are served, and room comes back', async () => {
  const { front, counters } = await serve({ maxConnectionsPerAddress: 3 });
  const clients = [1, 2, 3].map(() => new Client(front, '127.0.0.2'));
  for (const client of clients) assert.equal(await client.post(), 200);
  const tooMany = new Client(front, '127.0.0.2');
  assert.equal(await tooMany.post(), 429);
  assert.ok(retryAfter(tooMany) > 0);
  await until(() => tooMany.isClosed);
  assert.equal(counters.refused.connections_of_address, 1);
  assert.equal(counters.refused.overload, 0);
  assert.equal(await new Client(front, '127.0.0.3').post(), 200);
  assert.equal(await new Client(front, '::1').post(), 200);
  await clients[0]?.end();
  await until(() => front.connections === 4);
  assert.equal(await new Client(front, '127.0.0.2').post(), 200);
});

test('connections: a WebSocket stays one, whatever becomes of it', async () => {
  const { front } = await serve({ maxConnectionsPerAddress: 2 });
  for (let round = 0; round < 5; round += 1) {
    const [one, two] = [new Client(front), new Client(front)];
    assert.deepEqual([await one.send(upgradeOf()), await two.post()], [101, 200]);
    assert.equal(await new Client(front).send(upgradeOf()), 429);
    await one.end();
    await two.end();
    await until(() => front.connections === 0);
  }
});

test('connections: of IPv6 all of a /64 are one', async () => {
  const limits = make({ maxConnectionsPerAddress: 1 });
  const address = limits.ofPeer({ remoteAddress: '2001:db8:1:2::3' });
  limits.enter(address);
  assert.equal(limits.hasRoom(limits.ofPeer({ remoteAddress: '2001:db8:1:2:ffff::9' })), false);
  assert.equal(limits.hasRoom(limits.ofPeer({ remoteAddress: '2001:db8:1:3::3' })), true);
});

test('connections and requests: no limit meets those who are exempt', async () => {
  const { front, counters } = await serve({
    maxConnectionsPerAddress: 1,
    maxRequestsPerAddress: { burst: 1, perSecond: 0.01 },
    exemptNetworks: ['127.0.0.0/30'],
  });
  for (let count = 0; count < 3; count += 1) {
    const client = new Client(front, '127.0.0.2');
    assert.deepEqual([await client.post(), await client.post()], [200, 200]);
  }
  const limited = new Client(front, '127.0.0.4');
  assert.deepEqual([await limited.post(), await limited.post()], [200, 429]);
  assert.equal(counters.refused.requests_of_address, 1);
});

test('requests: too many hear 429, those of a session 503, which does not end it', async () => {
  const { front, counters } = await serve({ maxRequestsPerAddress: { burst: 4, perSecond: 0.01 } });
  const client = new Client(front, '127.0.0.2');
  for (let count = 0; count < 4; count += 1) assert.equal(await client.post(), 200);
  assert.equal(await client.post(), 429);
  assert.ok(retryAfter(client) > 50 && retryAfter(client) <= 100);
  await until(() => client.isClosed);
  assert.equal(await new Client(front, '127.0.0.2').post('', "<body rid='2' sid='abcdef.x'/>"), 503);
  assert.equal(await new Client(front, '127.0.0.2').send('GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n'), 429);
  assert.equal(await new Client(front, '127.0.0.2').send(upgradeOf()), 429);
  assert.equal(counters.refused.requests_of_address, 4);
  assert.equal(await new Client(front, '127.0.0.3').post(), 200);
});

for (const [what, begun, status, rest] of [
  ['a body announced as too large', 'Content-Length: 1001\r\n\r\n', 413, 'x'.repeat(1001)],
  [
    'a body that grows too large',
    `Transfer-Encoding: chunked\r\n\r\n3ea\r\n${'x'.repeat(1001)}`,
    413,
    'x\r\n0\r\n\r\n',
  ],
  ['one that asks for leave in vain', 'Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n', 413, ''],
  ['one that is no HTTP', 'Content-Length: x\r\n\r\n', 400, ''],
] as const) {
  test(`requests: ${what} counts, and once`, async () => {
    const { front, counters } = await serve({ maxRequestsPerAddress: { burst: 4, perSecond: 0.01 } });
    let client = new Client(front, '127.0.0.2');
    for (let count = 0; count < 3; count += 1) {
      // Of these the first one is the last one.
      if (rest === '') client = new Client(front, '127.0.0.2');
      assert.equal(await client.send(`POST /bosh HTTP/1.1\r\nHost: x\r\n${begun}`), status);
      client.socket.write(rest);
    }
    assert.equal(await new Client(front, '127.0.0.2').post(), 200);
    assert.equal(await new Client(front, '127.0.0.2').post(), 429);
    if (status === 400) return;
    const again = new Client(front, '127.0.0.2');
    assert.equal(await again.send(`POST /bosh HTTP/1.1\r\nHost: x\r\n${begun}`), 429);
    await until(() => again.isClosed);
    assert.equal(counters.refused.requests_of_address, 2);
    assert.equal(counters.refused.too_large, 3);
  });
}

test('behind a trusted proxy: each client has its own limits, and the proxy none', async () => {
  const { front } = await serve({
    maxConnectionsPerAddress: 1,
    maxRequestsPerAddress: { burst: 2, perSecond: 0.01 },
    trustedProxies: ['127.0.0.0/8'],
    exemptNetworks: ['192.0.2.128/25'],
  });
  const as = (ip: string): string => `X-Forwarded-For: ${ip}\r\n`;
  const proxy = new Client(front, '127.0.0.2');
  assert.deepEqual([await proxy.post(as('192.0.2.1')), await proxy.post(as('192.0.2.1'))], [200, 200]);
  assert.deepEqual([await proxy.post(as('2001:db8::1')), await proxy.post(as('2001:db8::2'))], [200, 200]);
  // What it says itself, such as a check of its health, and who is exempt.
  for (let count = 0; count < 5; count += 1) assert.equal(await proxy.post(), 200);
  for (let count = 0; count < 5; count += 1) assert.equal(await proxy.post(as('192.0.2.129')), 200);
  assert.equal(await proxy.post(as('192.0.2.1')), 429);
  assert.equal(await new Client(front, '127.0.0.2').post(as('2001:db8::3')), 429);
  assert.equal(await new Client(front, '127.0.0.2').post(as('192.0.2.2')), 200);
  const socket = new Client(front, '127.0.0.3');
  assert.equal(await socket.send(upgradeOf('/ws', as('192.0.2.3').trim())), 101);
  assert.equal(await new Client(front, '127.0.0.3').send(upgradeOf('/ws', as('192.0.2.3').trim())), 429);
  assert.equal(await new Client(front, '127.0.0.3').send(upgradeOf('/ws', as('192.0.2.4').trim())), 101);
  await socket.end();
});

test('behind a trusted proxy: clients that it names by no address are one, at its own, unless that is exempt', async () => {
  const { front } = await serve({
    maxConnectionsPerAddress: 1,
    maxRequestsPerAddress: { burst: 3, perSecond: 0.01 },
    trustedProxies: ['127.0.0.0/8'],
    exemptNetworks: ['127.0.0.3'],
  });
  const as = (text: string): string => `X-Forwarded-For:${text}\r\n`;
  // First the one that is exempt: what is remembered of it holds for no other proxy.
  const exempt = new Client(front, '127.0.0.3');
  for (let count = 0; count < 5; count += 1) assert.equal(await exempt.post(as(' unknown')), 200);
  const proxy = new Client(front, '127.0.0.2');
  for (let count = 0; count < 5; count += 1) assert.equal(await proxy.post(), 200);
  for (const text of [' unknown', ' 088.0.0.1', '']) assert.equal(await proxy.post(as(text)), 200, text);
  for (const text of [' unknown', ' 192.0.2.1, unknown', ' 088.0.0.1', '']) {
    assert.equal(await new Client(front, '127.0.0.2').post(as(text)), 429, text);
  }
  assert.equal(await new Client(front, '127.0.0.4').post(as(' unknown')), 200);
  assert.equal(await new Client(front, '127.0.0.2').post(), 200);
  assert.equal(await new Client(front, '127.0.0.2').post(as(' 192.0.2.1')), 200);
  const socket = new Client(front, '127.0.0.5');
  assert.equal(await socket.send(upgradeOf('/ws', 'X-Forwarded-For: unknown')), 101);
  assert.equal(await new Client(front, '127.0.0.5').send(upgradeOf('/ws', 'X-Forwarded-For: unknown')), 429);
  await socket.end();
});

function make(options: Partial<AddressLimitOptions>): AddressLimits {
  return new AddressLimits(
    {
      maxConnectionsPerAddress: 0,
      maxRequestsPerAddress: undefined,
      exemptNetworks: [],
      trustedProxies: [],
      ...options,
    },
    pino({ level: 'silent' }),
  );
}

test('where there is no limit, no address is looked at', () => {
  const peer = {
    get remoteAddress(): string {
      throw new Error('looked at');
    },
  };
  assert.equal(make({}).ofPeer(peer), UNLIMITED);
  assert.equal(
    make({ maxConnectionsPerAddress: 1, trustedProxies: ['::1'] }).ofPeer({ remoteAddress: '::1' }),
    FORWARDED,
  );
});

test('whoever comes and goes, each has room for as many as it may have, and not for more', () => {
  const step = fc.record({
    address: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
    comes: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 200 }), (most, steps) => {
      const limits = make({ maxConnectionsPerAddress: most });
      const open = new Map<string, number>();
      for (const { address: remoteAddress, comes } of steps) {
        const address = limits.ofPeer({ remoteAddress });
        const count = open.get(address) ?? 0;
        assert.equal(limits.hasRoom(address), count < most);
        if (comes && count < most) {
          limits.enter(address);
          open.set(address, count + 1);
        } else if (!comes && count > 0) {
          limits.leave(address);
          open.set(address, count - 1);
        }
      }
    }),
  );
});

test('what was worked out is remembered, of those used last, and of short texts', () => {
  const remembered = new Remembered(10);
  for (let count = 0; count < 100; count += 1) {
    remembered.set(`${count}`, `of ${count}`);
    assert.equal(remembered.get('0'), 'of 0');
  }
  assert.equal(remembered.get('99'), 'of 99');
  assert.equal(remembered.get('1'), undefined);
  remembered.set('x'.repeat(65), 'long');
  assert.equal(remembered.get('x'.repeat(65)), undefined);
});
