/**
 * `make bench-memory`: resident memory of the server for each idle user with a WebSocket, on ejabberd's own and on
 * Megaphone, each on a fresh node, and again after some minutes of one message a minute from each user.
 *
 *   TRANSPORT=websocket  or bosh, where each holds one request
 *   USERS=10000          on each; 12000 at most, as a gateway accepts 16,000 connections unless told otherwise
 *   SETTLE_SECONDS=60    from the last login to the first measurement
 *   MINUTES=10           of messages before the second one
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Load } from '../../load/load.js';
import { Progress } from '../../load/progress.js';
import { describeTrouble } from '../../load/trouble.js';
import { EjabberdServer } from '../lib/ejabberd-server.js';
import { numberFrom, transportFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { NAMES, PAIRS } from '../lib/subjects.js';
import { erlangMemory, processKinds } from './erlang-memory.js';
import { KINDS, type Kind, type Measured, MemoryReport, type Snapshot } from './report.js';

const TRANSPORT = transportFrom();
const USERS = numberFrom('USERS', 10_000, 1, 12_000);
const SETTLE_SECONDS = numberFrom('SETTLE_SECONDS', 60, 0);
const MINUTES = numberFrom('MINUTES', 10, 0);

/** Slow enough for both not to fall behind. */
const PACE = { concurrency: 100, perSecond: 150 };
/** Online before the measured ones: they use up what a node has free after its start, and load all code. */
const FIRST_USERS = 3_000;
const SAMPLE = 2_000;

const progress = new Progress();

const name = (kind: Kind): string => NAMES[PAIRS[TRANSPORT][kind]];

async function measure(kind: Kind): Promise<Measured> {
  progress.say(`${name(kind)}: a fresh node, and ${FIRST_USERS} users on it ...`);
  const server = await EjabberdServer.start({
    front: kind === 'own' ? 'none' : 'megaphone',
    transport: TRANSPORT,
  });
  try {
    const snapshot = async (): Promise<Snapshot> => {
      // First of all: asking needs memory as well.
      const resident = server.memory();
      return { resident, erlang: await erlangMemory(server.probe, server.node) };
    };
    await sleep(SETTLE_SECONDS * 1000);
    const empty = server.memory();
    const first = await server.load(FIRST_USERS);
    await logIn(first);
    const before = await snapshot();

    progress.say(`${name(kind)}: ${USERS} users more ...`);
    const load = await server.load(USERS);
    await logIn(load);
    const idle = await snapshot();
    const processes = await processKinds(server.probe, server.node, SAMPLE);

    progress.say(`${name(kind)}: each of these sends a message a minute, for ${MINUTES} minutes ...`);
    await load.talk(USERS / 60);
    await progress.wait(load, MINUTES * 60);
    await load.settle();
    const talked = await snapshot();
    await verify(load);
    first.close();
    load.close();
    return { empty, before, idle, talked, processes };
  } finally {
    await server.stop();
  }
}

async function logIn(load: Load): Promise<void> {
  const stopShowing = progress.follow(load);
  await load.login(PACE);
  stopShowing();
  await progress.wait(load, SETTLE_SECONDS);
  await verify(load);
}

/** @throws Error where the figures would be those of fewer users */
async function verify(load: Load): Promise<void> {
  const counters = await load.counters();
  const { online, sent, delivered } = counters;
  for (const line of describeTrouble(counters)) progress.say(`  ${line}`);
  if (sent > 0) progress.say(`  ${sent} messages sent, ${delivered} delivered`);
  if (online < load.users) throw new Error(`only ${online} of ${load.users} users stayed online`);
}

progress.say(describeMachine());
const measured: Record<Kind, Measured> = { own: await measure('own'), megaphone: await measure('megaphone') };
const report = new MemoryReport(measured, name, { measured: USERS, first: FIRST_USERS });
if (SETTLE_SECONDS !== 60 || MINUTES !== 10) progress.say('\nWith other times than usual: a trial.');
progress.say(`\n${USERS} idle users beside ${FIRST_USERS}, ${SETTLE_SECONDS} s after the last login\n`);
progress.say(report.parts('idle'));
for (const kind of KINDS) {
  progress.say(`\n${name(kind)}, from a node without users: ${report.fromEmpty(kind)} each, among it`);
  progress.say(report.details(kind));
}
progress.say(`\nAfter ${MINUTES} minutes of one message a minute from each of the ${USERS}\n`);
progress.say(report.parts('talked'));
progress.say(`\nratio after messages ${report.ratio('talked')}`);
progress.say(`ratio ${report.ratio('idle')}`);
