/** What the dashboard says is wrong, and what mends it: a case for each, and silence while all is well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOf, type Told } from './page.js';

const NODE: Told.NodeRow = {
  node: 'ejabberd@a',
  in_service: true,
  state: 'in_service',
  reason: '',
  mend: '',
  takes_sessions: true,
  sessions: 5,
  weight: 100,
  leaving: false,
  link: { wanted: 2, up: 2, tls: '', bytes_in: 0, bytes_out: 0, queued_bytes: 0 },
  credit: 1024,
  exhausted: 0,
  requests_on_the_way: 0,
  requests_waiting: 0,
  delay_p50: null,
  delay_p99: null,
};
const WORKER: Told.WorkerRow = {
  name: 'web-1@a',
  up: true,
  pid: 7,
  restarts: 0,
  cpu: 0.1,
  memory_bytes: 1,
  event_loop_delay: 0.001,
};
const GATEWAY = { node: 'web@a', version: '1', state: 'in_service', uptime_seconds: 9, actions: false };
const DAY = 86_400;

interface Case {
  readonly gateway?: string;
  readonly ends?: Readonly<Record<string, number>>;
  readonly nodes?: readonly Told.NodeRow[];
  readonly workers?: readonly Told.WorkerRow[];
  readonly least?: Readonly<Record<string, number>>;
  readonly refused?: Readonly<Record<string, number>>;
  readonly routers?: readonly Told.RouterRow[];
  /** Counted by comet in the last minute. */
  readonly counted?: Readonly<Record<string, number>>;
}

function told({
  gateway = 'in_service',
  ends = {},
  nodes = [NODE],
  workers = [WORKER],
  least = {},
  refused = {},
  routers,
  counted = {},
}: Case) {
  const snapshot = {
    at: 1,
    gateway: { ...GATEWAY, state: gateway, certificate_ends: ends },
    figures: {},
    nodes,
    workers,
    comet: routers && { listeners: {}, counts: {}, ring: {}, routers },
    refused: {},
    warnings: [],
  };
  const columns = { least: (name: string) => least[name] ?? 0 };
  return problemsOf(snapshot, columns, mapOf(refused), mapOf(counted)).map(
    ({ level, what, mend }) => `${level}: ${what} → ${mend}`,
  );
}

const mapOf = (record: Readonly<Record<string, number>>) => new Map(Object.entries(record));

const ROUTER: Told.RouterRow = { node: 'web@r', state: 'welcome', wanted: 2, welcome: 2 };
const TWO = [WORKER, { ...WORKER, name: 'web-2@a' }];
const PRIMARY = { ...WORKER, name: 'primary' };

const down = { ...NODE, in_service: false, reason: 'it has another cookie', mend: 'compare them' };

const CASES: readonly (readonly [what: string, given: Case, ...expected: RegExp[]])[] = [
  ['all is well', {}],
  ['no node is known', { nodes: [] }, /^bad: No ejabberd node .* → Name one in nodes\.$/],
  [
    'the only node is out of service',
    { nodes: [down] },
    /^bad: No ejabberd node is in service/,
    /^bad: ejabberd@a is out of service: it has another cookie\. → compare them$/,
  ],
  [
    'its reason names it',
    { nodes: [NODE, { ...down, reason: 'ejabberd@a has another cookie' }] },
    /^bad: Out of service: ejabberd@a has another cookie\. → compare them$/,
  ],
  ['one of two is', { nodes: [down, { ...NODE, node: 'ejabberd@b' }] }, /^bad: ejabberd@a is out/],
  ['a node that left the cluster is', { nodes: [NODE, { ...down, leaving: true }] }],
  [
    'a worker does not reach a node',
    { nodes: [{ ...NODE, link: { ...NODE.link, up: 1 }, reason: 'it is far', mend: 'go there' }] },
    /^warn: 1 of 2 processes do not reach ejabberd@a\. → it is far\. go there$/,
  ],
  ['a node is behind', { nodes: [{ ...NODE, exhausted: 1 }] }, /^warn: ejabberd@a is behind/],
  [
    'a node drains',
    { nodes: [{ ...NODE, state: 'draining', takes_sessions: false }] },
    /^warn: ejabberd@a drains.* → .*megaphone_drain_abort/,
  ],
  ['a node stops', { nodes: [{ ...NODE, state: 'stopping' }] }, /^warn: ejabberd@a stops/],
  ['a node is full', { nodes: [{ ...NODE, takes_sessions: false }] }, /no new sessions\. → It is full/],
  [
    'a node has the weight 0',
    { nodes: [{ ...NODE, takes_sessions: false, weight: 0 }] },
    /no new sessions\. → Its weight is 0/,
  ],
  ['the gateway drains', { gateway: 'draining' }, /^warn: The gateway drains.* → “Resume”/],
  ['the gateway is drained', { gateway: 'drained' }, /^warn: The gateway is drained.* → “Resume”/],
  ['the gateway stops', { gateway: 'stopping' }, /^warn: The gateway stops\. → $/],
  ['certificates end in a month', { ends: { https: 30 * DAY, distribution: 14 * DAY + 2 } }],
  [
    'the certificate for clients ends soon',
    { ends: { https: 13 * DAY + 1, distribution: 30 * DAY } },
    /^warn: The certificate for clients ends in 13.d.* → Renew it, .*SIGHUP/,
  ],
  [
    'that for nodes has ended',
    { ends: { distribution: 1 } },
    /^bad: The certificate for Erlang nodes has ended\. → Renew it/,
  ],
  ['a worker is dead', { workers: [WORKER, { ...WORKER, name: 'web-2@a', up: false }] }, /^bad: .*web-2@a/],
  [
    'a worker is at its limit',
    { workers: [{ ...WORKER, cpu: 0.99 }], least: { cpu: 0.98 } },
    /^warn: The process web-1@a is at its limit: 99\u00a0% .* → Set workers: auto/,
  ],
  ['it was so for a moment', { workers: [{ ...WORKER, cpu: 0.99 }], least: { cpu: 0.5 } }],
  [
    'the event loop is late',
    { least: { event_loop_delay: 0.25 } },
    /^warn: The gateway is late by 250\u00a0ms/,
  ],
  ['ejabberd does not read', { least: { link_queue_bytes: 9e6 } }, /^warn: ejabberd does not read/],
  [
    'somebody was refused who asked for nothing wrong',
    { refused: { full: 1200, path: 3 } },
    /^warn: 1,200 refused in the last minute: no node takes new sessions\. → max_unauth/,
  ],
  ['comet is there for pages alone', { nodes: [], routers: [] }],
  ['comet has a router', { routers: [ROUTER] }],
  ['comet has no router, and one process', { routers: [], workers: [PRIMARY, WORKER] }],
  [
    'comet has no router, and two workers',
    { routers: [], workers: [PRIMARY, ...TWO] },
    /^bad: Comet has no router, and several workers.* → Start megaphone_comet .* or set workers: 1\.$/,
  ],
  [
    'a router is away',
    { routers: [{ ...ROUTER, state: 'connecting', welcome: 0 }] },
    /^bad: The router of web@r does not take the logins of this gateway.* → Is that node running/,
  ],
  [
    'a router does not answer one of two workers',
    { routers: [{ ...ROUTER, state: 'asked', welcome: 1 }] },
    /^bad: .* of 1 of 2 processes.* → Does megaphone_comet run there/,
  ],
  [
    'pages miss something, and others do not read',
    { routers: [ROUTER], counted: { gaps: 12, slow_readers: 3, nobody: 100 } },
    /^warn: 12 pages were told in the last minute that they missed something\. → .*ring_seconds/,
    /^warn: 3 pages that do not read were cut/,
  ],
  [
    'the worst comes first',
    { gateway: 'draining', nodes: [down, { ...NODE, node: 'ejabberd@b' }] },
    /^bad/,
    /^warn/,
  ],
];

for (const [what, given, ...expected] of CASES) {
  test(`${what}: the page says ${expected.length === 0 ? 'nothing' : 'so'}`, () => {
    const problems = told(given);
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [at, pattern] of expected.entries()) assert.match(problems[at] ?? '', pattern);
  });
}
