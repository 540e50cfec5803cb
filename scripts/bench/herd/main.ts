/**
 * A node dies with all its users: how soon they are told, and online again at another one, and what those feel meanwhile who
 * were there before. `HERD=10000 OTHERS=500 TRANSPORT=bosh node dist/scripts/bench/herd/main.js`
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { atom, type Term } from '../../../src/etf/terms.js';
import { loadCookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { countsOf } from '../../load/counters.js';
import { Load } from '../../load/load.js';
import { Progress } from '../../load/progress.js';
import { TRANSPORTS } from '../../load/user.js';
import { Cluster } from '../../support/cluster.js';
import { numberFrom } from '../lib/environment.js';

const herdSize = numberFrom('HERD', 10_000, 1);
const othersSize = numberFrom('OTHERS', 500, 2);
const rate = numberFrom('RATE', 200, 1);
const transport = TRANSPORTS.find((name) => name === process.env.TRANSPORT) ?? 'bosh';
const PACE = { concurrency: 200, perSecond: 600 };
const POLL_MS = 50;
const LONGEST_MS = 90_000;
/** Behind the last one who is back. */
const AFTERWARDS_MS = 3_000;
const TIMEOUT_MS = 10_000;

const progress = new Progress();
const cluster = await Cluster.start({ nodes: 2, gateways: 1 }, numberFrom('WORKERS', 1, 1));
const node = await HiddenNode.start({
  name: `herd_${process.pid}@localhost`,
  cookie: loadCookie({ home: cluster.folder }),
  epmd: { port: Number(cluster.env.ERL_EPMD_PORT) },
});
const [port = ''] = [`${Number(cluster.env.CLUSTER_PORT) + 101}`];
const address = `127.0.0.1:${port}`;
const url = transport === 'bosh' ? `http://${address}/bosh` : `ws://${address}/ws`;

/** New sessions begin there, and on the other no more. */
async function beginAt(number: 1 | 2 | 'both'): Promise<void> {
  for (const each of [1, 2] as const) {
    const name = `ejabberd${each}@localhost`;
    await node.connect(name);
    const state = number === 'both' || number === each ? 'in_service' : 'draining';
    const set: readonly Term[] = [atom(state)];
    await node.rpc(name, 'megaphone_cluster', 'set', set, TIMEOUT_MS);
  }
  await sleep(1_000);
}

const begin = (users: number, again: boolean): Promise<Load> =>
  Load.start({ url, transport, host: 'localhost', users, again });

let others: Load | undefined;
let herd: Load | undefined;
try {
  [others, herd] = await Promise.all([begin(othersSize, false), begin(herdSize, true)]);
  progress.say(`logging in ${othersSize} at the first node and ${herdSize} at the second ...`);
  await beginAt(1);
  await others.login(PACE);
  await beginAt(2);
  await herd.login(PACE);
  await beginAt('both');
  await others.talk(rate, 'random');
  await sleep(5_000);
  const before = (await others.times()).latencies;
  const { logins } = await herd.counters();
  progress.say('killing the second node');
  await cluster.kill('node', 2);
  const start = performance.now();
  const times: Record<string, number> = {};
  const note = (what: string, isSo: boolean): void => {
    if (isSo) times[what] ??= (performance.now() - start) / 1000;
  };
  while (times['all online again'] === undefined && performance.now() - start < LONGEST_MS) {
    const counters = await herd.counters();
    const ended = countsOf(counters.ended);
    note('first told', ended > 0);
    note('half told', ended >= logins / 2);
    note('all told', ended >= logins);
    note('half online again', counters.logins - logins >= logins / 2);
    note('all online again', counters.logins - logins >= logins && counters.online === herdSize);
    await sleep(POLL_MS);
  }
  await sleep(AFTERWARDS_MS);
  const during = (await others.times()).latencies;
  await others.settle();
  const { ended, broken, refused } = await herd.counters();
  const talk = await others.counters();
  const p = (histogram: typeof before, part: number): string =>
    `${(histogram.percentile(100 * part) / 1000).toFixed(0)} ms`;
  for (const [what, seconds] of Object.entries(times))
    console.log(`${what.padEnd(20)} ${seconds.toFixed(1)} s`);
  console.log(
    `the herd              ended ${JSON.stringify(ended)}, repeated ${JSON.stringify(broken)}, refused ${refused}`,
  );
  console.log(`others before         p50 ${p(before, 0.5)}, p99 ${p(before, 0.99)}`);
  console.log(`others meanwhile      p50 ${p(during, 0.5)}, p99 ${p(during, 0.99)}, longest ${p(during, 1)}`);
  console.log(
    `others                sent ${talk.sent}, delivered ${talk.delivered}, ended ${JSON.stringify(talk.ended)}`,
  );
} finally {
  others?.close();
  herd?.close();
  await node.stop();
  await cluster.stop();
}
