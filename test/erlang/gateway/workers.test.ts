/** Several worker processes: each a node of its own, together one gateway. */

import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, killChild } from '../../../scripts/support/epmd.js';
import type { Erl } from '../../../scripts/support/erl.js';
import { freePorts } from '../../../scripts/support/ports.js';
import type { Health } from '../../../src/observe/report.js';
import { happens, until } from '../../support/until.js';
import { type Program, Site, type Workplace } from './program.js';
import { type Cluster, COOKIE, next, play } from './support.js';

const NAMES = ['megaphone-1@localhost', 'megaphone-2@localhost'] as const;
const [FIRST, SECOND] = NAMES;

let site: Site;
let cluster: Cluster;
let erl: Erl;
let workplace: Workplace;
let port: number;
let adminPort: number;

beforeEach(async () => {
  adminPort = await freePort();
  site = await Site.start({ workers: 2, admin_port: adminPort, drain_delay: 0, max_exchanges: 4 });
  ({ cluster, workplace, port } = site);
  erl = await cluster.erl('ejabberd');
  await play(erl);
});
afterEach(() => site.end());

/** Both workers serve, and have a node to serve from. */
async function start(): Promise<Program> {
  const program = workplace.run(['start']);
  await program.shows(/BOSH endpoint: /);
  await until(async () => (await health()).status === 'ok');
  return program;
}

async function health(): Promise<Health> {
  return (await (await admin('healthz')).json()) as Health;
}

const admin = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}/${path}`);

async function pidOf(name: string): Promise<number> {
  return (await health()).workers?.[name]?.pid ?? 0;
}

/** Status and body of the answer, or `lost`. A connection of its own, so that it is dealt to a worker anew. */
async function post(body: string): Promise<string> {
  try {
    const init = { method: 'POST', body, headers: { connection: 'close' } };
    const response = await fetch(`http://127.0.0.1:${port}/bosh`, init);
    return `${response.status} ${await response.text()}`.trim();
  } catch {
    return 'lost';
  }
}

const STOPPING = '503 This gateway is stopping.';

/** Sends requests, which stay held, and tells what they hear, and which gateway node each came through. */
async function hold(count: number): Promise<{ answers: Promise<string[]>; nodes: string[] }> {
  const held: Promise<string>[] = [];
  const nodes: string[] = [];
  for (let i = 0; i < count; i += 1) {
    held.push(post(`${i}`));
    const node = await next(erl, 'persistent_term:put(element(2, M), C), node(C)');
    nodes.push(node.replaceAll("'", ''));
  }
  return { answers: Promise.all(held), nodes };
}

async function answer(i: number): Promise<void> {
  await erl.evaluate(`persistent_term:get(<<"${i}">>) ! <<"answer ${i}">>`);
}

const hiddenNodes = (): Promise<string> => erl.text('lists:sort(nodes(hidden))');

/** The sample of that name and label. */
async function metric(sample: string): Promise<number> {
  const text = await (await admin('metrics')).text();
  const line = text.split('\n').find((each) => each.startsWith(`megaphone_${sample} `));
  return Number(line?.split(' ')[1]);
}

test('each worker is a node, and requests on one port reach all of them', async () => {
  const program = await start();
  assert.equal(await hiddenNodes(), `['${FIRST}','${SECOND}']`);
  const { answers, nodes } = await hold(4);
  assert.deepEqual(nodes.toSorted(), [FIRST, FIRST, SECOND, SECOND]);
  for (let i = 0; i < 4; i += 1) await answer(i);
  assert.deepEqual(await answers, ['200 answer 0', '200 answer 1', '200 answer 2', '200 answer 3']);
  const ofWorkers = program.output.split('\n').filter((line) => line.includes('in service'));
  assert.deepEqual(ofWorkers.map((line) => JSON.parse(line).worker).toSorted(), NAMES);
});

test('health and metrics show the workers as one gateway; each tells its own statistics to a shell', async () => {
  await start();
  await hold(4);
  await until(async () => (await metric('open_exchanges')) === 4);
  assert.equal(await metric('requests_total'), 4);
  assert.equal(await metric('sessions_started_total{node="ejabberd@localhost"}'), 4);
  assert.equal(await metric('node_in_service{node="ejabberd@localhost"}'), 1);
  for (const name of NAMES) {
    assert.equal(await metric(`worker_up{worker="${name}"}`), 1);
    assert.equal(await metric(`worker_restarts_total{worker="${name}"}`), 0);
    const stats = `maps:with([<<"requests">>, <<"node">>], gen_server:call({megaphone, '${name}'}, stats))`;
    assert.equal(await erl.text(stats), `#{<<"node">> => <<"${name}">>,<<"requests">> => 2}`);
  }
});

test('max_exchanges is that of all workers together', async () => {
  await start();
  await hold(4);
  for (let i = 0; i < 2; i += 1) assert.equal(await post('5'), '503 Too many requests are open here.');
});

test('a killed worker is replaced under its name, the other one serves on, and sums do not fall', async () => {
  const program = await start();
  const { answers, nodes } = await hold(4);
  await until(async () => (await metric('requests_total')) === 4);
  const pid = await pidOf(FIRST);
  process.kill(pid, 'SIGKILL');
  await until(async () => (await metric(`worker_restarts_total{worker="${FIRST}"}`)) === 1);
  await until(async () => (await pidOf(FIRST)) !== pid && (await health()).status === 'ok');
  assert.equal(await metric('requests_total'), 4);
  assert.equal(await metric('open_exchanges'), 2);
  assert.equal(await metric(`worker_restarts_total{worker="${SECOND}"}`), 0);
  assert.match(
    program.output,
    /"GATEWAY_WORKER_DIED","message":"the worker megaphone-1@localhost ended by SIGKILL"/,
  );
  for (let i = 0; i < 4; i += 1) await answer(i);
  assert.deepEqual(
    await answers,
    nodes.map((node, i) => (node === FIRST ? 'lost' : `200 answer ${i}`)),
  );
  assert.deepEqual((await hold(2)).nodes.toSorted(), NAMES);
});

test('a worker that cannot live is tried again and again, told once it fails for good, and back when it can', async () => {
  const program = await start();
  chmodSync(workplace.file('cookie'), 0o444);
  process.kill(await pidOf(SECOND), 'SIGKILL');
  await program.shows(/GATEWAY_WORKER_FAILING.*CONFIG_COOKIE_NOT_PRIVATE.*chmod 400/);
  await until(async () => (await health()).status === 'degraded');
  assert.equal((await admin('healthz')).status, 200);
  assert.equal((await health()).workers?.[SECOND]?.up, false);
  const { nodes } = await hold(2);
  assert.deepEqual(nodes, [FIRST, FIRST]);
  chmodSync(workplace.file('cookie'), 0o400);
  await until(async () => (await health()).status === 'ok');
});

/** How many connections of clients that process has open. */
function connectionsIn(pid: number | undefined): number {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n');
  const sockets = lines.map((line) => line.trim().split(/\s+/));
  const ours = sockets.filter(
    ([, address, , state]) => address?.endsWith(`:${local}`) && state !== LISTENING,
  );
  const links = new Set(ours.map((fields) => `socket:[${fields[9]}]`));
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return links.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}
const LISTENING = '0A';

test('a connection that a worker had not taken when it was killed is given to another one', async () => {
  const program = await start();
  const primary = program.child.pid;
  const pid = await pidOf(FIRST);
  process.kill(pid, 'SIGSTOP');
  // In turns, so one of them is for the worker that stands still; the primary has only that one open.
  const answers = [post('0'), post('1')];
  const nodes = [await next(erl, 'persistent_term:put(element(2, M), C), node(C)')];
  await until(() => connectionsIn(primary) === 1);
  process.kill(pid, 'SIGKILL');
  nodes.push(await next(erl, 'persistent_term:put(element(2, M), C), node(C)'));
  assert.deepEqual(nodes, [`'${SECOND}'`, `'${SECOND}'`]);
  await until(() => connectionsIn(primary) === 0);
  for (let i = 0; i < 2; i += 1) await answer(i);
  assert.deepEqual(await Promise.all(answers), ['200 answer 0', '200 answer 1']);
});

test('a worker that stands still is killed and replaced, and what it had not taken is given to another one', async () => {
  const program = await start();
  process.kill(await pidOf(FIRST), 'SIGSTOP');
  const answers = [post('0'), post('1')];
  await until(async () => (await health()).status === 'degraded');
  await until(async () => (await metric(`worker_restarts_total{worker="${FIRST}"}`)) === 1);
  await until(async () => (await health()).status === 'ok');
  assert.match(program.output, /"GATEWAY_WORKER_STUCK"/);
  for (let i = 0; i < 2; i += 1) await next(erl, 'C ! <<"here">>');
  assert.deepEqual(await Promise.all(answers), ['200 here', '200 here']);
});

test('while no worker lives, the port is open, and connections wait for one', async () => {
  const program = await start();
  const pids = await Promise.all(NAMES.map(pidOf));
  chmodSync(workplace.file('cookie'), 0o444);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await program.shows(/GATEWAY_WORKER_DIED(.|\n)*GATEWAY_WORKER_DIED/);
  const answers = [fetch(`http://127.0.0.1:${port}/bosh`), fetch(`http://127.0.0.1:${port}/bosh`)];
  await until(() => connectionsIn(program.child.pid) === 2);
  chmodSync(workplace.file('cookie'), 0o400);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200]);
});

test('connections wait while no worker has a node yet', async () => {
  erl.freeze();
  const program = workplace.run(['start']);
  await program.shows(/BOSH endpoint: /);
  const waits = post('early');
  // Time to refuse it.
  await sleep(500);
  erl.thaw();
  await next(erl, 'C ! <<"served">>');
  assert.equal(await waits, '200 served');
});

test('a worker that has no node yet is given nothing while another one has', async () => {
  await start();
  const [first, second] = await Promise.all(NAMES.map(pidOf));
  erl.freeze();
  process.kill(second ?? 0, 'SIGKILL');
  await until(async () => {
    const { pid, up } = (await health()).workers?.[SECOND] ?? {};
    return up === true && pid !== second;
  });
  const answers = ['0', '1'].map(post);
  await until(() => connectionsIn(first) === answers.length);
  erl.thaw();
  for (const _ of answers) await next(erl, 'C ! <<"served">>');
  assert.deepEqual(await Promise.all(answers), Array(answers.length).fill('200 served'));
});

test('SIGTERM while no worker has a node yet ends all as gracefully', async () => {
  erl.freeze();
  const program = workplace.run(['start']);
  await program.shows(/BOSH endpoint: /);
  program.child.kill('SIGTERM');
  assert.equal(await program.ends(), 0);
  assert.match(program.output, /"stopped"/);
  assert.doesNotMatch(program.output, /WORKER_DIED/);
});

test('SIGTERM ends the held requests of all workers with 503, and all processes', async () => {
  const program = await start();
  const { answers } = await hold(4);
  const pids = await Promise.all(NAMES.map(pidOf));
  program.child.kill('SIGTERM');
  assert.deepEqual(await answers, [STOPPING, STOPPING, STOPPING, STOPPING]);
  assert.equal(await program.ends(), 0);
  assert.equal(await hiddenNodes(), '[]');
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.doesNotMatch(program.output, /WORKER_DIED/);
});

test('Ctrl-C, which reaches every process of the terminal, ends all as gracefully', async () => {
  const program = await start();
  const { answers } = await hold(4);
  for (const name of NAMES) process.kill(await pidOf(name), 'SIGINT');
  program.child.kill('SIGINT');
  assert.deepEqual(await answers, [STOPPING, STOPPING, STOPPING, STOPPING]);
  assert.equal(await program.ends(), 0);
  assert.doesNotMatch(program.output, /WORKER_DIED/);
});

test('SIGTERM to one worker ends its requests with 503, and it is replaced', async () => {
  await start();
  const { answers, nodes } = await hold(4);
  process.kill(await pidOf(FIRST), 'SIGTERM');
  await until(async () => (await metric(`worker_restarts_total{worker="${FIRST}"}`)) === 1);
  await until(async () => (await health()).status === 'ok');
  for (let i = 0; i < 4; i += 1) await answer(i);
  assert.deepEqual(
    await answers,
    nodes.map((node, i) => (node === FIRST ? STOPPING : `200 answer ${i}`)),
  );
});

test('whichever worker is told to drain, all do, and so does one that takes the place of another; likewise they resume', async () => {
  await start();
  const connection = async (): Promise<string | null> =>
    (await fetch(`http://127.0.0.1:${port}/bosh`)).headers.get('connection');
  const state = (name: string): Promise<string> =>
    erl.text(`maps:get(<<"state">>, gen_server:call({megaphone, '${name}'}, health))`);
  const drained = workplace.run(['drain']);
  assert.equal(await drained.ends(), 0);
  assert.match(drained.output, /^megaphone@localhost: drained, /m);
  assert.equal((await admin('health/ready')).status, 503);
  assert.deepEqual(await Promise.all(NAMES.map(state)), Array(2).fill('<<"drained">>'));
  process.kill(await pidOf(FIRST), 'SIGKILL');
  await until(async () => (await metric(`worker_restarts_total{worker="${FIRST}"}`)) === 1);
  await until(async () => (await health()).workers?.[FIRST]?.up === true);
  assert.equal(await state(FIRST), '<<"drained">>');
  for (let i = 0; i < 4; i += 1) assert.equal(await connection(), 'close');
  // In a shell.
  const answer = await erl.text(`maps:get(<<"state">>, gen_server:call({megaphone, '${SECOND}'}, resume))`);
  assert.equal(answer, '<<"in_service">>');
  for (let i = 0; i < 4; i += 1) assert.equal(await connection(), 'keep-alive');
  assert.deepEqual(await Promise.all(NAMES.map(state)), Array(2).fill('<<"in_service">>'));
  await until(async () => (await admin('health/ready')).status === 200);
});

/** Loaded into every process: clients cannot be sent elsewhere. */
const FAULT = `
import { BoshServer } from '${new URL('../../../src/http/bosh-server.js', import.meta.url)}';
BoshServer.prototype.release = () => Promise.reject(new TypeError('no way out'));
`;

test('a fault of a worker in what it is ordered to do ends no worker, and holds up nobody', async () => {
  writeFileSync(workplace.file('fault.mjs'), FAULT);
  const program = workplace.run(['start'], { NODE_OPTIONS: `--import=${workplace.file('fault.mjs')}` });
  await program.shows(/BOSH endpoint: /);
  await until(async () => (await health()).status === 'ok');
  const pids = await Promise.all(NAMES.map(pidOf));
  const drained = workplace.run(['drain']);
  assert.equal(await drained.ends(), 0);
  assert.match(drained.output, /^megaphone@localhost: drained, /m);
  assert.match(program.output, /"GATEWAY_FAULT"/);
  assert.deepEqual(await Promise.all(NAMES.map(pidOf)), pids);
  // One that is told to end does, and the one that begins in its place, drained, lives.
  process.kill(pids[0] ?? 0, 'SIGTERM');
  await until(async () => (await metric(`worker_restarts_total{worker="${FIRST}"}`)) === 1);
  await until(async () => (await health()).workers?.[FIRST]?.up === true);
  program.child.kill('SIGTERM');
  assert.equal(await program.ends(), 0);
  const ends = program.output.match(/the worker \S+ ended with exit code \d+/g);
  assert.deepEqual(ends, [`the worker ${FIRST} ended with exit code 0`]);
});

test('workers end with their primary, even when it is killed', async () => {
  const program = await start();
  await killChild(program.child);
  await until(async () => (await hiddenNodes()) === '[]');
  const [code] = await happens(
    connect(port, '127.0.0.1').on('connect', () => {}),
    'error',
  );
  assert.equal(code.code, 'ECONNREFUSED');
});

test('what keeps a worker from starting ends the program with that error', async () => {
  await cluster.erl('megaphone-2');
  const taken = workplace.run(['start']);
  assert.equal(await taken.ends(), 1);
  assert.match(taken.output, /megaphone: EPMD has a node "megaphone-2" already \[EPMD_NAME_TAKEN\]\n {2}→ /);
  const other = await cluster.gateway({ nodes: 'ejabberd@localhost' });
  const port = workplace.run(['start', '--http-port', String(other.port), '--node', 'third@localhost']);
  assert.equal(await port.ends(), 1);
  assert.match(port.output, /megaphone: cannot listen on .*EADDRINUSE \[HTTP_LISTEN\]\n {2}→ /);
});

test('the cookie is on no command line', async () => {
  const program = await start();
  const lines = [program.child.pid, await pidOf(FIRST), await pidOf(SECOND)].map((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
  );
  assert.match(lines.join(), /megaphone-1@localhost/);
  assert.ok(!lines.join().includes(COOKIE));
});

test('with a distribution port, workers take it and the next', async () => {
  const [distribution = 0] = await freePorts(1);
  workplace.run(['start', '--distribution-port', String(distribution)]);
  await until(async () => (await hiddenNodes()) === `['${FIRST}','${SECOND}']`);
  const names = workplace.run(['names']);
  await names.ends();
  assert.match(names.output, new RegExp(`^megaphone-1 at port ${distribution}$`, 'm'));
  assert.match(names.output, new RegExp(`^megaphone-2 at port ${distribution + 1}$`, 'm'));
});

test('check looks at the name of every worker', async () => {
  const before = workplace.run(['check']);
  await before.ends();
  for (const name of NAMES) assert.match(before.output, new RegExp(`✔ the name ${name} is free`));
  await start();
  const beside = workplace.run(['check']);
  assert.equal(await beside.ends(), 0);
  for (const name of NAMES)
    assert.match(beside.output, new RegExp(`✔ ${name} is this gateway, running already`));
});
