/** Puts a load on any BOSH server that allows anonymous logins, and tells how it fares. */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Load } from './load/load.js';
import { Progress } from './progress.js';
import { describeTrouble } from './trouble.js';

const USAGE = `usage: node dist/scripts/bench/flood.js URL [--users 1000] [--host localhost] [--rate 100] [--seconds 30] [--logins 100] [--concurrency 100]

  Logs --users in, --logins a second and at most --concurrency at a time, then sends --rate messages a second for
  --seconds. Ctrl-C ends it.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    users: { type: 'string', default: '1000' },
    host: { type: 'string', default: 'localhost' },
    rate: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
    logins: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '100' },
  },
});
const [url] = positionals;
if (url === undefined) {
  console.error(USAGE);
  process.exit(2);
}

const progress = new Progress();
const load = await Load.start({ url, host: values.host, users: Number(values.users) });
const stopShowing = progress.follow(load);
const pace = { concurrency: Number(values.concurrency), perSecond: Number(values.logins) };
const begin = Date.now();
await load.login(pace);
const { logins } = await load.counters();
progress.say(`${logins} logins, ${((logins * 1000) / (Date.now() - begin)).toFixed(0)} a second`);

await load.talk(Number(values.rate));
await sleep(Number(values.seconds) * 1000);
await load.settle();
stopShowing();
const counters = await load.counters();
const latencies = await load.latencies();
const [p50, p90, p99] = [50, 90, 99].map((percent) => (latencies.percentile(percent) / 1000).toFixed(1));
const lost = counters.sent - counters.delivered;
progress.say(
  `${counters.sent} messages: ${lost} lost, ${counters.doubled} doubled, ${counters.reordered} reordered`,
);
progress.say(`latency p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms`);
for (const line of describeTrouble(counters)) progress.say(line);
await load.logout(pace);
load.close();
