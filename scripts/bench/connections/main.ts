/**
 * `make bench-connections`: as many web clients as asked for, each logged in over a real WebSocket, or over a real
 * connection on which a BOSH request is held, and what they cost in ejabberd, in the gateway's worker processes, and in
 * the kernel.
 *
 *   TRANSPORT=websocket  or bosh
 *   CONNECTIONS=200000
 *   SETTLE_SECONDS=30    from the last login to the measurement
 *   PUBLISH=1            writes the documentation also with fewer connections
 *
 * A process may have 20,000 files on many machines, hence several of the gateway and of the load. The kernel's part is
 * what is missing from the memory available when all of theirs is taken off; both ends of a connection are in it.
 */

import { availableBytes } from '../../load/linux-process.js';
import type { Load } from '../../load/load.js';
import { Progress } from '../../load/progress.js';
import { describeTrouble } from '../../load/trouble.js';
import { EjabberdServer } from '../lib/ejabberd-server.js';
import { numberFrom, transportFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { describeRun, publishSection, save } from '../lib/publish.js';
import type { Server } from '../lib/server.js';
import { TRANSPORT_NAMES } from '../lib/subjects.js';
import { markdownTable, table } from '../lib/table.js';
import { minus } from '../lib/usage.js';

const USUAL = 200_000;
const TRANSPORT = transportFrom();
const CONNECTIONS = numberFrom('CONNECTIONS', USUAL, 100);
const SETTLE_SECONDS = numberFrom('SETTLE_SECONDS', 30, 0);

/** Over BOSH some users have two connections for a while. */
const PER_WORKER = 16_000;
const USERS_PER_PROCESS = 17_000;
/** As fast as it goes. */
const PACE = { concurrency: 96, perSecond: Infinity };
const WAIT_SECONDS = 3_600;
const WARM_UP = 1_000;
const TALK = { rate: 100, seconds: 20 };

const progress = new Progress();
const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });

function configure(): number {
  const workers = Math.ceil(CONNECTIONS / PER_WORKER);
  Object.assign(process.env, {
    EJABBERD_PROCESSES: String(CONNECTIONS * 2 + 50_000),
    MEGAPHONE_WORKERS: String(workers),
    MEGAPHONE_MAX_CONNECTIONS: String(workers * 19_000),
    MEGAPHONE_MAX_EXCHANGES: String(workers * 20_000),
    MEGAPHONE_ANSWER_TIMEOUT: String(WAIT_SECONDS),
  });
  return workers;
}

async function logIn(load: Load): Promise<number> {
  const begin = performance.now();
  const stop = progress.follow(load);
  await load.login(PACE);
  stop();
  return (performance.now() - begin) / 1000;
}

/** @throws Error where the figures would be those of fewer users */
async function verify(load: Load): Promise<void> {
  const counters = await load.counters();
  for (const line of describeTrouble(counters)) progress.say(`  ${line}`);
  const { online, sent, delivered } = counters;
  if (online < load.users) throw new Error(`only ${online} of ${load.users} users are online`);
  if (delivered < sent) throw new Error(`${sent - delivered} of ${sent} messages are lost`);
}

interface Result {
  /** Bytes for all users. */
  readonly ejabberd: number;
  readonly gateway: number;
  readonly load: number;
  readonly kernel: number;
  readonly loginsPerSecond: number;
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number };
}

async function measure(server: Server): Promise<Result> {
  const warm = await server.load(WARM_UP);
  await logIn(warm);
  const load = await server.load(CONNECTIONS, { wait: WAIT_SECONDS, usersPerProcess: USERS_PER_PROCESS });
  await progress.wait(load, SETTLE_SECONDS);
  const sample = () => ({ used: server.memory(), load: load.usage().memory, available: availableBytes() });
  const before = sample();
  const seconds = await logIn(load);
  await progress.wait(load, SETTLE_SECONDS);
  await verify(load);
  const after = sample();
  const { server: ejabberd, front: gateway } = minus(after.used, before.used);
  const loadBytes = after.load - before.load;
  await load.talk(TALK.rate);
  await progress.wait(load, TALK.seconds);
  await load.settle();
  await verify(load);
  const latencies = (await load.times()).latencies;
  load.close();
  warm.close();
  return {
    ejabberd,
    gateway,
    load: loadBytes,
    kernel: before.available - after.available - ejabberd - gateway - loadBytes,
    loginsPerSecond: CONNECTIONS / seconds,
    latency: { p50: latencies.percentile(50) / 1000, p99: latencies.percentile(99) / 1000 },
  };
}

function rows(result: Result): string[][] {
  const memory = (name: string, bytes: number) => [
    name,
    `${(bytes / 1e9).toFixed(2)} GB`,
    `${(bytes / CONNECTIONS / 1000).toFixed(2)} kB`,
  ];
  return [
    [`${count(CONNECTIONS)} ${TRANSPORT_NAMES[TRANSPORT]} connections`, 'all', 'each'],
    memory('ejabberd', result.ejabberd),
    memory('gateway', result.gateway),
    memory('kernel, both ends', result.kernel),
    memory('load generator', result.load),
    ['logins a second', count(result.loginsPerSecond), ''],
    ['latency p50', `${result.latency.p50.toFixed(1)} ms`, ''],
    ['latency p99', `${result.latency.p99.toFixed(1)} ms`, ''],
  ];
}

const machine = describeMachine();
progress.say(machine);
const workers = configure();
progress.say(`${count(CONNECTIONS)} connections to ${workers} worker processes of the gateway ...`);
const server = await EjabberdServer.start({
  front: 'megaphone',
  transport: TRANSPORT,
  maxWait: WAIT_SECONDS,
});
try {
  const result = await measure(server);
  progress.say(`\n${table(rows(result))}\n`);
  const date = new Date().toISOString();
  progress.say(
    `Written: ${save(`connections-${TRANSPORT}`, { machine, date, connections: CONNECTIONS, workers, result })}`,
  );
  if (CONNECTIONS >= USUAL || process.env.PUBLISH === '1') {
    const heading = describeRun(`${machine}; ${workers} workers`, date, CONNECTIONS < USUAL);
    const text = `${heading}\n\n${markdownTable(rows(result))}`;
    progress.say(`Written: ${publishSection(`connections-${TRANSPORT}`, text)}`);
  }
} finally {
  await server.stop();
}
