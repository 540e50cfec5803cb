/**
 * Every gateway and every ejabberd node of a running cluster, one after the other, stopped as an operator stops it and
 * started again, while steady clients talk through its proxy.
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Servers } from '../chaos/servers.js';
import { type Now, type Outcome, Steady } from '../chaos/steady-clients.js';
import type { Cluster, Member } from '../support/cluster.js';

export interface RollingOptions {
  readonly cluster: Cluster;
  /** They have accounts, and use BOSH and WebSocket by turns. */
  readonly users: number;
  /** Messages a second. */
  readonly rate: number;
  readonly seed: number;
  /** A line for each thing that happens. */
  readonly say: (line: string) => void;
  /** A line about the clients, again and again, until the function that it returns is called. */
  readonly follow?: (line: () => string) => () => void;
}

const HOST = 'localhost';
/** Of talk before the first restart, and after the last. */
const STEADY_MS = 5_000;
const PATIENCE_SECONDS = 30;

/** Resolves with what the clients saw. @throws Error where a member does not come back, or the clients do not */
export async function rollingRestart(options: RollingOptions): Promise<Outcome> {
  const { cluster, users, rate, seed, say, follow } = options;
  const urls = { bosh: cluster.url, websocket: cluster.webSocketUrl };
  await makeAccounts(cluster, users);
  const folder = join(cluster.folder, 'rolling-restart');
  const clients = await Steady.start({ urls, host: HOST, users, rate, seed, folder });
  const unfollow = follow?.(() => describe(clients.now));
  try {
    await clients.login();
    say(`${users} users are online; they send ${rate} messages a second.`);
    await clients.talk();
    await sleep(STEADY_MS);
    for (const [kind, count] of [
      ['gateway', cluster.size.gateways],
      ['node', cluster.size.nodes],
    ] as const) {
      for (let number = 1; number <= count; number += 1) await restart(clients, kind, number, options);
    }
    await sleep(STEADY_MS);
    return await clients.finish();
  } finally {
    unfollow?.();
    clients.close();
  }
}

async function restart(
  clients: Steady,
  kind: Member,
  number: number,
  { cluster, say }: RollingOptions,
): Promise<void> {
  const name = `${kind === 'node' ? 'ejabberd node' : 'gateway'} ${number}`;
  clients.step(`${name} restarts`, `restart of a ${kind}`);
  const begin = performance.now();
  const since = (moment: number): string => `${((performance.now() - moment) / 1000).toFixed(1)} s`;
  await cluster.member(kind, number, 'stop');
  const stopped = since(begin);
  const start = performance.now();
  await cluster.member(kind, number, 'start');
  await cluster.script('wait');
  say(`${name}: gone after ${stopped}, back after ${since(start)}`);
  if ((await clients.recovered(PATIENCE_SECONDS)) === undefined) {
    say(`${name}: not all clients are well ${PATIENCE_SECONDS} s later`);
  }
  say(`  ${describe(clients.now)}`);
}

async function makeAccounts(cluster: Cluster, users: number): Promise<void> {
  const servers = await Servers.connect(cluster.folder, Number(cluster.env.ERL_EPMD_PORT ?? 4369));
  await servers.register('ejabberd1@localhost', HOST, users);
  await servers.stop();
}

function describe({ online, sent, received, resumed, errors, logins, doubled, reordered }: Now): string {
  return (
    `${online} online, ${received} of ${sent} messages, ${resumed} streams resumed; ` +
    `errors ${errors} logins ${logins} doubled ${doubled} reordered ${reordered}`
  );
}
