/** The feed of the admin port over real sockets: what viewers get, how many there may be, and that a slow one is cut. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import type { AdminConfig } from '../../../src/http/admin-door.js';
import { encodeHead } from '../../../src/http/admin-response.js';
import { AdminServer } from '../../../src/http/admin-server.js';
import { Viewers } from '../../../src/http/admin-viewers.js';
import { NOT_ASKED, type Reports, type Stats } from '../../../src/observe/report.js';
import { NOTHING } from '../../../src/observe/totals.js';
import { happens, until } from '../../support/until.js';
import { NO_DESK } from './no-desk.js';

const CONFIG: AdminConfig = {
  node: 'megaphone@gateway.internal',
  admin_ip: '127.0.0.1',
  admin_port: 0,
  admin_token_file: '',
  admin_hosts: [],
};
let made = 0;
const stats = (): Stats => {
  made += 1;
  return {
    ...NOTHING,
    status: 'ok',
    node: 'megaphone@h',
    uptime_seconds: 1,
    state: 'in_service',
    connections: made,
  };
};
const reports: Reports = {
  state: () => 'in_service',
  health: () => ({ status: 'ok', state: 'in_service', nodes: {} }),
  stats,
  asked: async () => NOT_ASKED,
};
let admin: AdminServer;
before(async () => {
  admin = await AdminServer.listen(CONFIG, reports, NO_DESK, pino({ level: 'silent' }));
});
after(() => admin.close());

/** One that reads; what it was told so far. */
class Viewer {
  readonly #controller = new AbortController();
  #text = '';
  response: Response | undefined;

  async come(headers: Record<string, string> = {}): Promise<this> {
    const { signal } = this.#controller;
    this.response = await fetch(`http://127.0.0.1:${admin.port}/events`, { headers, signal });
    void this.#read(this.response);
    return this;
  }

  /** All events so far, with their data. */
  get events(): readonly { readonly event: string; readonly data: Record<string, never> }[] {
    return this.#text
      .split('\n\n')
      .slice(0, -1)
      .map((block) => {
        const [, event = '', data = ''] = /event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
        return { event, data: JSON.parse(data) };
      });
  }

  snapshots(count: number): Promise<void> {
    return until(() => this.events.filter(({ event }) => event === 'snapshot').length >= count);
  }

  leave(): void {
    this.#controller.abort();
  }

  async #read({ body }: Response): Promise<void> {
    try {
      const decoder = new TextDecoder();
      for await (const bytes of body ?? []) this.#text += decoder.decode(bytes, { stream: true });
    } catch {
      // It left.
    }
  }
}

test('a viewer hears of the past first, and then each second; all hear the same, made once', async () => {
  const [one, other] = [await new Viewer().come(), await new Viewer().come()];
  assert.equal(one.response?.status, 200);
  assert.equal(one.response?.headers.get('content-type'), 'text/event-stream');
  assert.equal(one.response?.headers.get('cache-control'), 'no-store');
  await Promise.all([one.snapshots(3), other.snapshots(3)]);
  assert.equal(one.events[0]?.event, 'history');
  const [second] = one.events.slice(-1);
  const same = other.events.find(({ data }) => data.at === second?.data.at);
  assert.deepEqual(same, second);
  // Each second has one.
  const told = new Set([...one.events, ...other.events].map(({ data }) => data.at)).size - 1;
  assert.ok(told <= made, `${told} were told, ${made} made`);
  const late = await new Viewer().come();
  await late.snapshots(1);
  const [history] = late.events as unknown as [{ data: { figures: { connections: number[] } } }];
  assert.ok(history.data.figures.connections.length >= 3);
  for (const viewer of [one, other, late]) viewer.leave();
});

test('a page of another site may not look, nor under a name that is not ours', async () => {
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]) {
    const { status } = await fetch(`http://127.0.0.1:${admin.port}/events`, { headers });
    // fetch() itself sends Sec-Fetch-Mode alone.
    assert.equal(status, 403, JSON.stringify(headers));
  }
  const asking = request({
    port: admin.port,
    host: '127.0.0.1',
    path: '/events',
    headers: { host: 'evil.example' },
  });
  const [response] = await happens(asking.end(), 'response');
  assert.equal(response.statusCode, 421);
  response.resume();
  const own = await new Viewer().come({
    'sec-fetch-site': 'same-origin',
    origin: `http://127.0.0.1:${admin.port}`,
  });
  assert.equal(own.response?.status, 200);
  own.leave();
});

test('thousands of viewers: few are let in, the others hear 503, and metrics are there for all', async () => {
  const statuses = new Map<string, number>();
  const sockets: Socket[] = [];
  for (let batch = 0; batch < 40; batch += 1) {
    const asked = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = connect({ port: admin.port, host: '127.0.0.1' });
        socket.on('error', () => {});
        socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const [bytes] = (await happens(socket, 'data')) as [Buffer];
        return { socket, status: bytes.toString('latin1').slice(9, 12) };
      }),
    );
    for (const { socket, status } of asked) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      sockets.push(socket);
    }
  }
  assert.deepEqual([...statuses.keys()].sort(), ['200', '503']);
  assert.equal(statuses.get('200'), 20);
  assert.equal((await fetch(`http://127.0.0.1:${admin.port}/metrics`)).status, 200);
  for (const socket of sockets) socket.destroy();
  // Their places are free again.
  await until(async () => {
    const viewer = await new Viewer().come();
    viewer.leave();
    return viewer.response?.status === 200;
  });
});

test('one that does not read is cut before much waits for it; others go on', async () => {
  let snapshot = '';
  const viewers = new Viewers({
    history: '{}',
    get snapshot() {
      return snapshot;
    },
  });
  const { createServer } = await import('node:net');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    viewers.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const [slow, quick] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  slow.pause();
  slow.on('error', () => {});
  let read = 0;
  quick.on('data', (bytes) => {
    read += bytes.length;
  });
  await until(() => viewers.size === 2);
  snapshot = JSON.stringify('x'.repeat(64 * 1024));
  let told = 0;
  // More than any kernel takes for one that does not read.
  await until(() => {
    if (read >= told * snapshot.length) {
      viewers.tell();
      told += 1;
    }
    return viewers.size === 1;
  });
  assert.ok(told < 1000);
  quick.destroy();
  slow.destroy();
  await until(() => viewers.size === 0);
  server.close();
});

test('a viewer stays while others come and go, until the port is closed', async () => {
  const other = await AdminServer.listen(CONFIG, reports, NO_DESK, pino({ level: 'silent' }));
  const dial = (): Socket => connect({ port: other.port, host: '127.0.0.1' }).on('error', () => {});
  const viewer = dial();
  let heard = '';
  viewer.on('data', (bytes) => {
    heard += bytes;
  });
  viewer.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(() => heard.includes('event: snapshot'));
  // One more than there may be, and the longest there is cut.
  const halves = Array.from({ length: 150 }, dial);
  await Promise.race(halves.map((half) => happens(half, 'close')));
  heard = '';
  await until(() => heard.includes('event: snapshot'));
  const gone = happens(viewer, 'close');
  await Promise.all([other.close(), gone]);
  for (const half of halves) half.destroy();
});

test('one that ends its side has left', async () => {
  const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await happens(socket, 'data');
  socket.end();
  socket.resume();
  await happens(socket, 'close');
});

test('what leads to the page, and what no other page may do with it', async () => {
  const root = await fetch(`http://127.0.0.1:${admin.port}/`, { redirect: 'manual' });
  assert.equal(root.status, 302);
  assert.equal(root.headers.get('location'), 'dashboard/');
  const headers = encodeHead(200, []);
  for (const line of [
    "frame-ancestors 'none'",
    "default-src 'none'",
    "script-src 'self'",
    "form-action 'none'",
    'x-content-type-options: nosniff',
    'x-frame-options: DENY',
    'referrer-policy: no-referrer',
    'cross-origin-resource-policy: same-origin',
  ]) {
    assert.ok(headers.includes(line), line);
  }
  for (const path of [
    '/dashboard/../package.json',
    '/dashboard/..%2f..%2fpackage.json',
    '/dashboard/nothing.js',
  ]) {
    const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 404 /);
  }
});
