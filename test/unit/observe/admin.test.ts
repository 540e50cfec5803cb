/** The admin port over real sockets: health, metrics, and all that it refuses. */
import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import type { AdminConfig } from '../../../src/http/admin-door.js';
import { AdminServer } from '../../../src/http/admin-server.js';
import { Counters } from '../../../src/observe/counters.js';
import { Histogram } from '../../../src/observe/histogram.js';
import { gatewayMetrics } from '../../../src/observe/metrics.js';
import { ProcessReport } from '../../../src/observe/process-metrics.js';
import { prometheusText } from '../../../src/observe/prometheus.js';
import {
  type GatewayState,
  health,
  type NodeState,
  type Reports,
  type Sources,
  stats,
} from '../../../src/observe/report.js';
import { happens } from '../../support/until.js';
import { NO_DESK } from './no-desk.js';

const delay = new Histogram();
const nodes: { -readonly [Key in keyof NodeState]: NodeState[Key] }[] = [
  {
    name: 'a@h',
    kind: undefined,
    reason: 'not connected yet',
    hint: '',
    takesSessions: false,
    isLeaving: false,
    room: { state: 'in_service', weight: 100, started: 3, sessions: 12 },
    outbox: { onTheWay: 5, credit: 1019, delay, waiting: { size: 2 } },
  },
  {
    name: 'b@h',
    kind: undefined,
    reason: 'no process is registered as mod_megaphone on b@h',
    hint: '',
    takesSessions: false,
    isLeaving: false,
    room: { state: 'in_service', weight: 100, started: 0, sessions: 0 },
    outbox: { onTheWay: 0, credit: 0, delay, waiting: { size: 0 } },
  },
];
let state: GatewayState = 'in_service';
const sources: Sources = {
  node: 'megaphone@h',
  counters: new Counters(),
  nodes: () => nodes,
  startedAt: Date.now(),
  openExchanges: () => 7,
  websockets: () => 6,
  connections: () => 9,
  receiving: () => 5,
  state: () => state,
  isSeed: () => true,
  usage: () => ({ pid: 1, cpu_seconds: 2, memory_bytes: 3, event_loop_delay: 0.004 }),
  link: (node) => ({
    tls: node === 'a@h' ? 'TLSv1.3' : '',
    isUp: node === 'a@h',
    opened: 2,
    bytesIn: 100,
    bytesOut: 200,
    framesIn: 3,
    framesOut: 4,
    queuedBytes: 50,
  }),
  certificates: () => ({ https: 1_700_000_000 }),
};

const CONFIG: AdminConfig = {
  node: 'megaphone@gateway.internal',
  admin_ip: '127.0.0.1',
  admin_port: 0,
  admin_token_file: '',
  admin_hosts: ['Metrics.example.org'],
};

let admin: AdminServer;
let now = 0;
const ownProcess = new ProcessReport();
let fault: Error | undefined;
/** How often each page was made. */
const made = { health: 0, metrics: 0 };
before(async () => {
  const reports: Reports = {
    state: () => state,
    health: () => {
      made.health += 1;
      return health(sources);
    },
    stats: () => stats(sources),
    asked: async () => {
      made.metrics += 1;
      if (fault !== undefined) throw fault;
      return {
        modules: {
          'a@h': { sessions: 3, requests: 8, bytes_in: 9, terminated: { client: 1, 'host-gone': 0 } },
          'b@h': { sessions: 4, login_ms: { 50: 1, 10000: 1, infinity: 1, sum: 20_040 } },
        },
        processes: await ownProcess.read(),
      };
    },
  };
  admin = await AdminServer.listen(CONFIG, reports, NO_DESK, pino({ level: 'silent' }), () => now);
});
after(() => admin.close());
beforeEach(() => {
  now += 1_000;
});

const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${admin.port}${path}`);

/** A connection that begins with these bytes, all of which went out; nothing is read from it. */
async function saying(bytes: string): Promise<Socket> {
  const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause();
  await new Promise((resolve) => socket.write(bytes, resolve));
  return socket;
}

// The first test of all: a timer of another's connection would not be stopped while time is the test's.
test('one that does not finish its request within ten seconds is cut off', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const [head, rest] = ['GET /nothing HTTP/1.1\r\n', 'Host: localhost\r\n\r\n'];
  const [never, late] = [await saying(head), await saying(head)];
  // They came before this one, so they were accepted.
  assert.match(await text(await saying(head + rest)), /^HTTP\/1\.1 404 /);
  mock.timers.tick(9_999);
  late.write(rest);
  assert.match(await text(late), /^HTTP\/1\.1 404 /);
  mock.timers.tick(1);
  assert.equal(await text(never), '');
});

test('half requests keep nobody out: the longest there is cut', async () => {
  const halves = await Promise.all(
    Array.from({ length: 150 }, () => saying('GET /health/live HTTP/1.1\r\nHost: ')),
  );
  for (let round = 0; round < 20; round += 1) {
    const response = await get('/health/live');
    assert.equal(response.status, 200);
    await response.text();
    halves.push(await saying('GET'));
  }
  const cut = await Promise.race(halves.map((half) => text(half)));
  assert.equal(cut, '');
  for (const half of halves) half.destroy();
});

test('/healthz is 503 without a node in service, 200 with one', async () => {
  const unavailable = await get('/healthz');
  assert.equal(unavailable.status, 503);
  assert.deepEqual(await unavailable.json(), {
    status: 'unavailable',
    state: 'in_service',
    nodes: {
      'a@h': {
        in_service: false,
        reason: 'not connected yet',
        hint: '',
        state: 'in_service',
        weight: 100,
        seed: true,
        leaving: false,
        takes_sessions: false,
        tls: 'TLSv1.3',
        sessions: 12,
        sessions_started: 3,
        requests_on_the_way: 0,
        requests_waiting: 2,
      },
      'b@h': {
        in_service: false,
        reason: 'no process is registered as mod_megaphone on b@h',
        hint: '',
        state: 'in_service',
        weight: 100,
        seed: true,
        leaving: false,
        takes_sessions: false,
        tls: '',
        sessions: 0,
        sessions_started: 0,
        requests_on_the_way: 0,
        requests_waiting: 0,
      },
    },
  });
  const [first] = nodes;
  assert.ok(first);
  Object.assign(first, { kind: 'module', reason: '' });
  now += 1_000;
  const ok = await get('/healthz');
  assert.equal(ok.status, 200);
  assert.equal(((await ok.json()) as { status: string }).status, 'ok');
});

const SAMPLE = /^([a-z0-9_]+)(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? -?[\d.]+(?:e[+-]\d+)?$/;

test('/metrics is text that Prometheus reads: every sample of a metric that was described before', async () => {
  sources.counters.requests = 42;
  sources.counters.countAnswer(200);
  for (const ticks of [200, 1_500_000]) sources.counters.latency.request.observe(ticks);
  sources.counters.websocket.frames_in = 11;
  for (const code of [1000, 1012, 1012, 3000, 4999, Number.NaN]) sources.counters.countClose(code);
  const response = await get('/metrics');
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  const described = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const [, typed] = /^# TYPE (\w+) (?:counter|gauge|histogram)$/.exec(line) ?? [];
    if (typed !== undefined) described.add(typed);
    if (line.startsWith('#')) continue;
    const [, name] = SAMPLE.exec(line) ?? [];
    const base = name?.replace(/_(?:bucket|sum|count)$/, '') ?? '';
    assert.ok(name !== undefined && (described.has(name) || described.has(base)), line);
  }
  for (const sample of [
    'megaphone_requests_total 42',
    'megaphone_answers_total{status="2xx"} 1',
    'megaphone_open_exchanges 7',
    'megaphone_websockets 6',
    'megaphone_websocket_received_frames_total 11',
    'megaphone_websocket_opened_total 0',
    'megaphone_websocket_closed_total{code="1000"} 1',
    'megaphone_websocket_closed_total{code="1012"} 2',
    'megaphone_websocket_closed_total{code="other"} 3',
    'megaphone_connections 9',
    'megaphone_receiving_bytes 5',
    'megaphone_node_in_service{node="b@h"} 0',
    'megaphone_sessions_started_total{node="a@h"} 3',
    'megaphone_node_takes_sessions{node="a@h"} 0',
    'megaphone_node_sessions{node="a@h"} 12',
    'megaphone_requests_on_the_way{node="a@h"} 5',
    'megaphone_requests_waiting{node="a@h"} 2',
    'megaphone_link_up{node="a@h"} 1',
    'megaphone_link_up{node="b@h"} 0',
    'megaphone_link_queue_bytes{node="b@h"} 50',
    'megaphone_link_credit{node="a@h"} 1019',
    'megaphone_certificate_expiry_timestamp_seconds{use="https"} 1700000000',
    'megaphone_answer_duration_seconds_bucket{kind="request",le="0.01"} 0',
    'megaphone_answer_duration_seconds_bucket{kind="request",le="0.025"} 1',
    'megaphone_answer_duration_seconds_bucket{kind="request",le="120"} 1',
    'megaphone_answer_duration_seconds_bucket{kind="request",le="+Inf"} 2',
    'megaphone_answer_duration_seconds_sum{kind="request"} 150.02',
    'megaphone_answer_duration_seconds_count{kind="request"} 2',
    'megaphone_ejabberd_login_duration_seconds_bucket{node="b@h",le="0.05"} 1',
    'megaphone_ejabberd_login_duration_seconds_bucket{node="b@h",le="10"} 2',
    'megaphone_ejabberd_login_duration_seconds_bucket{node="b@h",le="+Inf"} 3',
    'megaphone_ejabberd_login_duration_seconds_sum{node="b@h"} 20.04',
    'megaphone_ejabberd_received_bytes_total{node="a@h"} 9',
    'megaphone_ejabberd_sessions{node="a@h"} 3',
    'megaphone_ejabberd_sessions{node="b@h"} 4',
    'megaphone_ejabberd_requests_total{node="a@h"} 8',
    'megaphone_ejabberd_terminated_total{node="a@h",kind="client"} 1',
    '# TYPE megaphone_ejabberd_sessions gauge',
  ]) {
    assert.ok(text.includes(`\n${sample}\n`), sample);
  }
});

test('only a module says what it took: of others nothing is known to be on the way', () => {
  for (const [kind, onTheWay] of [
    [undefined, 0],
    ['plain', 0],
    ['module', 5],
  ] as const) {
    const [first] = nodes;
    assert.ok(first);
    const report = health({ ...sources, nodes: () => [{ ...first, kind }] });
    assert.equal(report.nodes['a@h']?.requests_on_the_way, onTheWay);
  }
});

test('a label is escaped', () => {
  const odd = {
    ...sources,
    nodes: () => [
      {
        name: 'a"\\\n',
        kind: undefined,
        reason: '',
        hint: '',
        takesSessions: false,
        isLeaving: false,
        room: { state: 'in_service', weight: 100, started: 0, sessions: 0 },
        outbox: { onTheWay: 0, credit: 0, delay, waiting: { size: 0 } },
      },
    ],
  };
  assert.match(
    prometheusText(gatewayMetrics(stats(odd))),
    /megaphone_node_in_service\{node="a\\"\\\\\\n"\} 0\n/,
  );
});

test('other paths are 404', async () => {
  assert.equal((await get('/nothing')).status, 404);
});

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
  test(`${method} is refused, and hears what is allowed`, async () => {
    const response = await fetch(`http://127.0.0.1:${admin.port}/metrics`, { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'GET, HEAD');
    assert.equal(response.headers.get('connection'), 'close');
  });
}

test('HEAD is GET without the text', async () => {
  const response = await fetch(`http://127.0.0.1:${admin.port}/metrics`, { method: 'HEAD' });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '');
});

/** The status that a request with this Host header gets. */
async function statusFor(host: string): Promise<number> {
  const asking = request({ port: admin.port, host: '127.0.0.1', path: '/metrics', headers: { host } }).end();
  const [response] = (await happens(asking, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

for (const host of [
  '127.0.0.1',
  '192.0.2.7:9090',
  '[::1]:9090',
  'localhost:9090',
  'LOCALHOST',
  hostname(),
  'gateway.internal:9090',
  'metrics.example.org',
]) {
  test(`the admin port may be called ${host}`, async () => assert.equal(await statusFor(host), 200));
}

test('out of service it is not ready, from that very moment, and lives on', async () => {
  for (const path of ['/health/ready', '/healthz']) {
    assert.equal((await get(path)).status, 200);
    for (const other of ['draining', 'drained', 'stopping'] as const) {
      state = other;
      const answer = await get(path);
      const { status, state: told } = (await answer.json()) as { status: string; state: string };
      assert.deepEqual([answer.status, status, told], [503, 'unavailable', other]);
      const live = await get('/health/live');
      assert.deepEqual([live.status, await live.json()], [200, { status: 'ok' }]);
      const metrics = await (await get('/metrics')).text();
      assert.match(metrics, new RegExp(`\nmegaphone_state\\{state="${other}"\\} 1\n`));
      assert.match(metrics, /\nmegaphone_state\{state="in_service"\} 0\n/);
      now += 1000;
    }
    state = 'in_service';
    assert.equal((await get(path)).status, 200);
  }
});

for (const host of [
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example:9090',
  '[evil]',
  'localhost:x',
]) {
  test(`a page of ${JSON.stringify(host)} reads nothing`, async () =>
    assert.equal(await statusFor(host), 421));
}

test('a page is made at most once a second, however many ask', async () => {
  const before = { ...made };
  await Promise.all(Array.from({ length: 20 }, () => get('/metrics')));
  now += 999;
  await get('/metrics');
  assert.deepEqual(made, { ...before, metrics: before.metrics + 1 });
  now += 1;
  await Promise.all([get('/metrics'), get('/healthz'), get('/healthz')]);
  assert.deepEqual(made, { health: before.health + 1, metrics: before.metrics + 2 });
});

test('a page that fails is 500 for who asked, and made anew for the next', async () => {
  fault = new TypeError('undefined has no samples');
  assert.equal((await get('/metrics')).status, 500);
  fault = undefined;
  assert.equal((await get('/metrics')).status, 200);
});

test('a connection is for one request: of many at once the first is answered, and nothing piles up', async () => {
  const before = made.metrics;
  const request = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const sockets = await Promise.all(Array.from({ length: 50 }, () => saying(request.repeat(1_000))));
  for (const socket of sockets) {
    const answer = await text(socket);
    assert.equal(answer.split('HTTP/1.1 200 OK').length, 2);
    assert.match(answer, /\r\nconnection: close\r\n/);
  }
  assert.equal(made.metrics, before + 1);
});

test('one that says more than any request has is cut off', async () => {
  const request = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const socket = connect(admin.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  const flood = setInterval(() => socket.write(request.repeat(1_000)), 1);
  await new Promise((resolve) => socket.on('close', resolve));
  clearInterval(flood);
});

test('a request may come in pieces, and its sender end his side behind it', async () => {
  const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setNoDelay(true);
  for (const piece of 'GET /healthz?x HTTP/1.1\r\nHost: localhost\r\n\r\n') {
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  socket.end();
  assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n/);
});

for (const nonsense of ['nonsense\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
  test(`${JSON.stringify(nonsense)} is 400`, async () => {
    assert.match(await text(await saying(nonsense)), /^HTTP\/1\.1 400 Bad Request\r\n/);
  });
}

test('a large body is passed over, or cut off', async () => {
  const response = await fetch(`http://127.0.0.1:${admin.port}/metrics`, {
    method: 'POST',
    body: 'x'.repeat(50_000),
  });
  assert.equal(response.status, 405);
});
