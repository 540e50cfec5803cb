/**
 * `make rolling-restart`: restarts every gateway and every ejabberd node of scripts/cluster.sh in turn, under load and under pages
 * in a real browser, and says what its clients saw. Starts the cluster, and ends it again, where it does not run. Fails unless
 * all is 0.
 *
 *   USERS=2000   half of them over BOSH, half over WebSocket
 *   RATE=500     messages a second
 *   SEED=1       of who writes to whom, and when
 *
 * and what scripts/cluster.sh takes (NODES, GATEWAYS, ...).
 */

import { numberFrom } from '../../../scripts/bench/lib/environment.js';
import { lastLine } from '../../../scripts/chaos/report.js';
import { Progress } from '../../../scripts/load/progress.js';
import { rollingRestart } from '../../../scripts/rolling/rolling-restart.js';
import { Cluster } from '../../../scripts/support/cluster.js';
import { BrowserChats, describeSeen } from '../support/browser-chats.js';

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
  const chats = await BrowserChats.start(cluster);
  chats.talk();
  const outcome = await rollingRestart({ cluster, users, rate, seed, say, follow });
  const seen = await chats.finish();
  await chats.close();
  for (const line of [...outcome.lines, ...seen.map(describeSeen)]) say(line);
  // Over BOSH in the order of rids, as a client must take them; the lines above also tell how strophe.js took them.
  const verdicts = [
    outcome,
    ...seen.map((one) => ({ ...one, errors: one.errors.length, reordered: one.disordered })),
  ];
  const sum = (count: (of: (typeof verdicts)[number]) => number): number =>
    verdicts.reduce((total, verdict) => total + count(verdict), 0);
  const errors = sum((of) => of.errors);
  const logins = sum((of) => of.logins);
  const broken = {
    lost: sum((of) => of.lost),
    doubled: sum((of) => of.doubled),
    reordered: sum((of) => of.reordered),
  };
  say(lastLine({ ...outcome, errors, logins, ...broken }));
  const total = errors + logins + broken.lost + broken.doubled + broken.reordered;
  await end(outcome.isBroken || total > 0 ? 1 : 0);
} catch (error) {
  console.error((error as Error).message);
  await end(1);
}
