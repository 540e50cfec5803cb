/** Puts a load on any server of BOSH or WebSocket that allows anonymous logins, and tells how it fares. */

import { parseArgs } from 'node:util';
import { Load } from './load.js';
import { Progress } from './progress.js';
import { PATTERNS } from './schedule.js';
import { describeTrouble } from './trouble.js';
import { TRANSPORTS } from './user.js';

const USAGE = `usage: node dist/scripts/load/main.js URL [--transport bosh|websocket] [--users 1000] [--host localhost]
         [--rate 100] [--seconds 30] [--pattern next|random] [--logins 100] [--concurrency 100] [--wait 60]
         [--users-per-process 8000]

  Logs --users in on the virtual host --host, --logins a second and at most --concurrency at a time (--logins 0: as fast
  as the server takes them), then sends --rate messages a second for --seconds, each user to the next, evenly, or random
  users to random others at random moments, whether or not the server keeps up. A latency counts from the moment a
  message was due, which the load generator may have missed itself: by how much is told as well. Requests are held for
  --wait seconds, repeated where their connection breaks or a 5xx comes; a WebSocket that breaks ends its session. Each
  user has one connection, or two over BOSH, and all may have as many files as \`ulimit -n\` says; --users-per-process
  says how many share that. A server at 127.x.x.x is reached from many loopback addresses. Ctrl-C ends it.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    users: { type: 'string', default: '1000' },
    host: { type: 'string', default: 'localhost' },
    transport: { type: 'string', default: 'bosh' },
    help: { type: 'boolean', default: false },
    pattern: { type: 'string', default: 'next' },
    rate: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
    logins: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '100' },
    wait: { type: 'string', default: '60' },
    'users-per-process': { type: 'string', default: '8000' },
  },
});
const [url] = positionals;
const { host, help, pattern: wanted, transport: way, ...texts } = values;
const pattern = PATTERNS.find((known) => known === wanted);
const transport = TRANSPORTS.find((known) => known === way);
const numbers = Object.entries(texts).map(([name, text]): [string, number] => [name, Number(text)]);
const bad = numbers.find(([, number]) => !(number >= 0 && number < Infinity));
if (help) {
  console.log(USAGE);
  process.exit();
}
if (url === undefined || bad !== undefined || pattern === undefined || transport === undefined) {
  if (transport === undefined) console.error(`--transport: ${TRANSPORTS.join(' or ')}\n`);
  if (pattern === undefined) console.error(`--pattern: ${PATTERNS.join(' or ')}\n`);
  if (bad !== undefined) console.error(`--${bad[0]}: not a number\n`);
  console.error(USAGE);
  process.exit(2);
}

const progress = new Progress();
const load = await Load.start({
  url,
  transport,
  host,
  users: Number(values.users),
  wait: Number(values.wait),
  usersPerProcess: Number(values['users-per-process']),
});
let stopShowing = progress.follow(load);
const pace = { concurrency: Number(values.concurrency), perSecond: Number(values.logins) || Infinity };
const begin = performance.now();
await load.login(pace);
stopShowing();
const { logins } = await load.counters();
progress.say(`${logins} logins, ${((logins * 1000) / (performance.now() - begin)).toFixed(0)} a second`);

const before = load.usage();
await load.talk(Number(values.rate), pattern);
await progress.wait(load, Number(values.seconds));
stopShowing = progress.follow(load, () => 'waiting for the last messages');
await load.settle();
stopShowing();
const after = load.usage();
const counters = await load.counters();
const { latencies, lags } = await load.times();
const [p50, p90, p99] = [50, 90, 99].map((percent) => (latencies.percentile(percent) / 1000).toFixed(1));
const { sent, delivered, doubled, reordered } = counters;
progress.say(`${sent} messages: ${sent - delivered} lost, ${doubled} doubled, ${reordered} reordered`);
progress.say(
  `latency p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms; of it late in sending: p99 ${(lags.percentile(99) / 1000).toFixed(1)} ms`,
);
progress.say(
  `this load cost ${(after.cpu - before.cpu).toFixed(1)} s of processor time and ${(after.memory / 1e6).toFixed(0)} MB`,
);
for (const line of describeTrouble(counters)) progress.say(line);
await load.logout(pace);
load.close();
