import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AdminServer } from '../../../src/http/admin-server.js';
import { Counters } from '../../../src/observe/counters.js';
import { prometheusText } from '../../../src/observe/metrics.js';
import { health, type NodeState, type Sources, stats } from '../../../src/observe/report.js';

const nodes: { -readonly [Key in keyof NodeState]: NodeState[Key] }[] = [
  {
    name: 'a@h',
    kind: undefined,
    reason: 'not connected yet',
    sessionsStarted: 3,
    outbox: { onTheWay: 5, waiting: { size: 2 } },
  },
  {
    name: 'b@h',
    kind: undefined,
    reason: 'no process is registered as mod_megaphone on b@h',
    sessionsStarted: 0,
    outbox: { onTheWay: 0, waiting: { size: 0 } },
  },
];
const sources: Sources = {
  node: 'megaphone@h',
  counters: new Counters(),
  nodes,
  startedAt: Date.now(),
  openExchanges: () => 7,
  connections: () => 9,
  receiving: () => 5,
};

let admin: AdminServer;
before(async () => {
  admin = await AdminServer.listen('127.0.0.1', 0, {
    health: () => health(sources),
    stats: () => stats(sources),
    modules: async () => ({
      'a@h': { sessions: 3, requests: 8, terminated: { client: 1, 'host-gone': 0 } },
      'b@h': { sessions: 4 },
    }),
  });
});
after(() => admin.close());

const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${admin.port}${path}`);

test('/healthz is 503 without a node in service, 200 with one', async () => {
  const unavailable = await get('/healthz');
  assert.equal(unavailable.status, 503);
  assert.deepEqual(await unavailable.json(), {
    status: 'unavailable',
    nodes: {
      'a@h': {
        in_service: false,
        reason: 'not connected yet',
        sessions_started: 3,
        requests_on_the_way: 5,
        requests_waiting: 2,
      },
      'b@h': {
        in_service: false,
        reason: 'no process is registered as mod_megaphone on b@h',
        sessions_started: 0,
        requests_on_the_way: 0,
        requests_waiting: 0,
      },
    },
  });
  const [first] = nodes;
  assert.ok(first);
  Object.assign(first, { kind: 'module', reason: '' });
  const ok = await get('/healthz');
  assert.equal(ok.status, 200);
  assert.equal(((await ok.json()) as { status: string }).status, 'ok');
});

test('/metrics is text that Prometheus reads: every sample of a metric that was described before', async () => {
  sources.counters.requests = 42;
  sources.counters.countAnswer(200);
  const response = await get('/metrics');
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  const described = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const [, typed] = /^# TYPE (\w+) (?:counter|gauge)$/.exec(line) ?? [];
    if (typed !== undefined) described.add(typed);
    if (line.startsWith('#')) continue;
    const [, name] = /^([a-z_]+)(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? \d+$/.exec(line) ?? [];
    assert.ok(name !== undefined && described.has(name), line);
  }
  for (const sample of [
    'megaphone_requests_total 42',
    'megaphone_answers_total{status="2xx"} 1',
    'megaphone_open_exchanges 7',
    'megaphone_connections 9',
    'megaphone_receiving_bytes 5',
    'megaphone_node_in_service{node="b@h"} 0',
    'megaphone_sessions_started_total{node="a@h"} 3',
    'megaphone_requests_on_the_way{node="a@h"} 5',
    'megaphone_requests_waiting{node="a@h"} 2',
    'megaphone_ejabberd_sessions{node="a@h"} 3',
    'megaphone_ejabberd_sessions{node="b@h"} 4',
    'megaphone_ejabberd_requests_total{node="a@h"} 8',
    'megaphone_ejabberd_terminated_total{node="a@h",kind="client"} 1',
    '# TYPE megaphone_ejabberd_sessions gauge',
  ]) {
    assert.ok(text.includes(`\n${sample}\n`), sample);
  }
});

test('a label is escaped', () => {
  const odd = {
    ...sources,
    nodes: [
      {
        name: 'a"\\\n',
        kind: undefined,
        reason: '',
        sessionsStarted: 0,
        outbox: { onTheWay: 0, waiting: { size: 0 } },
      },
    ],
  };
  assert.match(prometheusText(stats(odd)), /megaphone_node_in_service\{node="a\\"\\\\\\n"\} 0\n/);
});

test('other paths are 404', async () => {
  assert.equal((await get('/')).status, 404);
});
