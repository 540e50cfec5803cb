/**
 * `make rolling-restart`: restarts every gateway and every ejabberd node of scripts/cluster.sh in turn, under load, and says
 * what its clients saw. Starts the cluster, and ends it again, where it does not run. Fails unless all is 0.
 *
 *   USERS=2000   half of them over BOSH, half over WebSocket
 *   RATE=500     messages a second
 *   SEED=1       of who writes to whom, and when
 *
 * and what scripts/cluster.sh takes (NODES, GATEWAYS, ...).
 */

import { numberFrom } from '../bench/lib/environment.js';
import { Progress } from '../load/progress.js';
import { Cluster } from '../support/cluster.js';
import { rollingRestart } from './rolling-restart.js';

const users = numberFrom('USERS', 2_000, 4);
const rate = numberFrom('RATE', 500, 1);
const seed = numberFrom('SEED', 1, 0);

const progress = new Progress();
const say = (line: string): void => progress.say(line);
const cluster = new Cluster(process.env);
const ran = await cluster.script('status').then(
  () => true,
  () => false,
);
if (!ran) {
  say('Starting the cluster ...');
  await cluster.script('up');
}
const end = async (code: number): Promise<never> => {
  if (!ran) await cluster.script('down');
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(130));

try {
  const follow = (line: () => string) => progress.repeat(async () => line());
  const outcome = await rollingRestart({ cluster, users, rate, seed, say, follow });
  for (const line of outcome.lines) say(line);
  say(outcome.lastLine);
  await end(outcome.isBroken || outcome.errors + outcome.logins > 0 ? 1 : 0);
} catch (error) {
  console.error((error as Error).message);
  await end(1);
}
