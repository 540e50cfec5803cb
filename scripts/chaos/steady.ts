/** Steady clients alone, while somebody else does what they may notice: says at the end what they saw. */

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Servers } from './servers.js';
import { type Now, Steady } from './steady-clients.js';

const USAGE = `usage: node dist/scripts/chaos/steady.js --bosh URL --websocket URL --register NODE [--users 500] [--rate 500]
         [--seconds N] [--seed 1] [--host localhost] [--folder var/chaos] [--strict]

  Makes accounts through the ejabberd node NODE, logs --users in, half of them over each transport where both are given,
  says "ready", and has them write --rate messages a second until --seconds are over or the standard input ends; each line
  of it names what is done meanwhile. Then everybody fetches what is owed, and the last line counts what clients saw. Fails
  where something was lost, doubled, out of order or for somebody else; with --strict also where there was an error or a
  login beyond the first. Cookie and EPMD: HOME and ERL_EPMD_PORT.`;

const PROGRESS_MS = 10_000;

const { values } = parseArgs({
  options: {
    bosh: { type: 'string' },
    websocket: { type: 'string' },
    register: { type: 'string' },
    users: { type: 'string', default: '500' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    host: { type: 'string', default: 'localhost' },
    folder: { type: 'string', default: 'var/chaos' },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const { bosh, websocket, register, host, folder } = values;
if (values.help || register === undefined || (bosh === undefined && websocket === undefined)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}

const users = Number(values.users);
const servers = await Servers.connect(process.env.HOME ?? '', Number(process.env.ERL_EPMD_PORT ?? 4369));
await servers.register(register, host, users);
await servers.stop();

const urls = { ...(bosh === undefined ? {} : { bosh }), ...(websocket === undefined ? {} : { websocket }) };
const clients = await Steady.start({
  urls,
  host,
  users,
  rate: Number(values.rate),
  seed: Number(values.seed),
  folder,
});
await clients.login();
await clients.talk();
console.log('ready');
const progress = setInterval(() => console.error(describeNow(clients.now)), PROGRESS_MS);
const steps = createInterface({ input: process.stdin }).on('line', (line) => clients.step(line));
const isOver = new Promise((resolve) => steps.once('close', resolve));
await (values.seconds === undefined ? isOver : sleep(Number(values.seconds) * 1000));
const outcome = await clients.finish();
clearInterval(progress);
for (const line of outcome.lines) console.log(line);
console.log(outcome.lastLine);
const isStrictlyBroken = values.strict && outcome.errors + outcome.logins > 0;
process.exit(outcome.isBroken || isStrictlyBroken ? 1 : 0);

function describeNow({ online, sent, received, resumed, errors, logins, doubled, reordered }: Now): string {
  return (
    `  ${online} online, ${received} of ${sent} messages, ${resumed} resumed, ${errors} errors, ${logins} logins, ` +
    `${doubled} doubled, ${reordered} reordered`
  );
}
