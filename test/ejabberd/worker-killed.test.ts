/**
 * One of several workers is killed in the middle of an exchange: it is replaced, and the clients whose connections it had
 * go on in the same sessions at another worker; no message is lost or doubled.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { nodeTls } from '../../scripts/support/node-tls.js';
import { freePorts } from '../../scripts/support/ports.js';
import { atom, type Term } from '../../src/etf/terms.js';
import { loadCookie } from '../../src/node/cookie.js';
import { HiddenNode } from '../../src/node/hidden-node.js';
import type { Health } from '../../src/observe/report.js';
import { chatWhileKilled } from './support/chat-while-killed.js';

const WORKERS = 3;

let instance: Instance;
let probe: HiddenNode;
let healthUrl: string;
let killed = 0;

before(async () => {
  const [adminPort = 0] = await freePorts(1);
  healthUrl = `http://127.0.0.1:${adminPort}/healthz`;
  instance = await Instance.start({ gateway: false });
  Object.assign(instance.env, { MEGAPHONE_WORKERS: `${WORKERS}`, MEGAPHONE_ADMIN_PORT: `${adminPort}` });
  await instance.startGateway();
  probe = await HiddenNode.start({
    name: `probe_${process.pid}@localhost`,
    cookie: loadCookie({ home: instance.var }),
    epmd: { port: Number(instance.env.ERL_EPMD_PORT) },
    ...nodeTls(instance.var, instance.env),
  });
  await untilAllServe();
});
after(async () => {
  await probe?.stop();
  await instance?.stop();
});

async function workersOf(): Promise<NonNullable<Health['workers']>> {
  return ((await (await fetch(healthUrl)).json()) as Health).workers ?? {};
}

/** Every worker has ejabberd in service, in the place of those that were killed, too. */
async function untilAllServe(): Promise<void> {
  for (;;) {
    const { status, workers = {} } = (await (await fetch(healthUrl)).json()) as Health;
    const restarts = Object.values(workers).reduce((sum, worker) => sum + worker.restarts, 0);
    if (status === 'ok' && restarts === killed) return;
    await sleep(50);
  }
}

/** What the worker itself tells a shell: `gen_server:call({megaphone, Node}, stats)`. */
async function connectionsOf(worker: string): Promise<number> {
  await probe.connect(worker);
  const stats = (await probe.call(worker, 'megaphone', atom('stats'), 5_000)) as ReadonlyMap<Term, Term>;
  const [, count] =
    [...stats].find(([key]) => Buffer.from(key as Uint8Array).toString() === 'connections') ?? [];
  return Number(count);
}

/** Kills the worker with the most connections, so that it hits someone. */
async function killBusiest(): Promise<void> {
  const names = Object.keys(await workersOf());
  const counts = await Promise.all(names.map(connectionsOf));
  const most = Math.max(...counts);
  assert.ok(most > 0, 'no worker has a connection');
  const busiest = names[counts.indexOf(most)] as string;
  killed += 1;
  process.kill((await workersOf())[busiest]?.pid as number, 'SIGKILL');
  await untilAllServe();
}

it('shows what ejabberd counts, once for all workers', async () => {
  const text = await (await fetch(healthUrl.replace('healthz', 'metrics'))).text();
  const samples = text.split('\n').filter((line) => line.startsWith('megaphone_ejabberd_sessions{'));
  assert.deepEqual(samples, [`megaphone_ejabberd_sessions{node="${instance.ejabberdNode}"} 0`]);
});

chatWhileKilled('a worker', () => instance, killBusiest);
