/**
 * `make bench-memory`: resident memory of the server for each idle user who holds one BOSH request, on ejabberd's own
 * BOSH and on Megaphone, each on a fresh node, and again after some minutes of one message a minute from each user.
 *
 *   USERS=10000          on each
 *   SETTLE_SECONDS=60    from the last login to the first measurement
 *   MINUTES=10           of messages before the second one
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { numberFrom } from './environment.js';
import { type ErlangMemory, erlangMemory, type ProcessKind, processKinds } from './erlang-memory.js';
import { Load } from './load/load.js';
import { describeMachine } from './machine.js';
import { Progress } from './progress.js';
import { KINDS, type Kind, NAMES, Server, type Usage } from './server.js';
import { table } from './table.js';
import { describeTrouble } from './trouble.js';

const USERS = numberFrom('USERS', 10_000, 1);
const SETTLE_SECONDS = numberFrom('SETTLE_SECONDS', 60, 0);
const MINUTES = numberFrom('MINUTES', 10, 0);

/** Slow enough for both not to fall behind. */
const PACE = { concurrency: 100, perSecond: 150 };
/** Online before the measured ones: they use up what a node has free after its start, and load all code. */
const FIRST_USERS = 3_000;
const SAMPLE = 2_000;

interface Snapshot {
  readonly resident: Usage;
  readonly erlang: ErlangMemory;
}

interface Result {
  /** Before the first user. */
  readonly empty: Usage;
  /** With the first users. */
  readonly before: Snapshot;
  readonly idle: Snapshot;
  readonly talked: Snapshot;
  readonly processes: readonly ProcessKind[];
}

const progress = new Progress();

async function measure(kind: Kind): Promise<Result> {
  progress.say(`${NAMES[kind]}: a fresh node, and ${FIRST_USERS} users on it ...`);
  const server = await Server.start(kind);
  try {
    const snapshot = async (): Promise<Snapshot> => {
      // First of all: asking needs memory as well.
      const resident = server.memory();
      return { resident, erlang: await erlangMemory(server.probe, server.ejabberd) };
    };
    const crowd = (users: number) => Load.start({ url: server.url, host: 'localhost', users });
    await sleep(SETTLE_SECONDS * 1000);
    const empty = server.memory();
    const first = await crowd(FIRST_USERS);
    await logIn(first);
    const before = await snapshot();

    progress.say(`${NAMES[kind]}: ${USERS} users more ...`);
    const load = await crowd(USERS);
    await logIn(load);
    const idle = await snapshot();
    const processes = await processKinds(server.probe, server.ejabberd, SAMPLE);

    progress.say(`${NAMES[kind]}: each of these sends a message a minute, for ${MINUTES} minutes ...`);
    const stopShowing = progress.follow(load);
    await load.talk(USERS / 60);
    await sleep(MINUTES * 60_000);
    await load.settle();
    stopShowing();
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
  await sleep(SETTLE_SECONDS * 1000);
  stopShowing();
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

const perUser = (bytes: number): number => bytes / USERS;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

type Part = readonly [name: string, bytes: (snapshot: Snapshot) => number];

const kindOf =
  (...names: readonly string[]) =>
  ({ erlang }: Snapshot): number =>
    names.reduce((total, name) => total + (erlang.kinds.get(name) ?? 0), 0);

/** `erlang:memory()` beside what is resident; the machine's allocators hold some more than they give out. */
const PARTS: readonly Part[] = [
  ['ejabberd, resident', ({ resident }) => resident.ejabberd],
  ['  processes', kindOf('processes')],
  ['  ETS tables', kindOf('ets')],
  ['  binaries', kindOf('binary')],
  ['  code, atoms', kindOf('code', 'atom')],
  [
    '  sockets, timers, other',
    (snapshot) => kindOf('system')(snapshot) - kindOf('ets', 'binary', 'code', 'atom')(snapshot),
  ],
  ['  free in allocators, stacks', (snapshot) => snapshot.resident.ejabberd - kindOf('total')(snapshot)],
  ['gateway, resident', ({ resident }) => resident.gateway],
];

function partsTable(results: Readonly<Record<Kind, Result>>, when: 'idle' | 'talked'): string {
  return table([
    ['per user', NAMES.own, NAMES.megaphone],
    ...PARTS.map(([name, bytes]) => {
      const growth = ({ before, ...later }: Result) => kilobytes(perUser(bytes(later[when]) - bytes(before)));
      return [name, growth(results.own), growth(results.megaphone)];
    }),
  ]);
}

function ratio(results: Readonly<Record<Kind, Result>>, when: 'idle' | 'talked'): string {
  const growth = ({ before, ...later }: Result) => later[when].resident.ejabberd - before.resident.ejabberd;
  return (growth(results.own) / growth(results.megaphone)).toFixed(1);
}

/** What grew by at least 20 bytes a user. */
function tablesOf({ before, idle }: Result): string {
  const grown = [...idle.erlang.tables]
    .map(([name, bytes]): [string, number] => [name, perUser(bytes - (before.erlang.tables.get(name) ?? 0))])
    .filter(([, bytes]) => bytes >= 20)
    .sort(([, a], [, b]) => b - a);
  return grown.map(([name, bytes]) => `    ${name} ${bytes.toFixed(0)} B`).join('\n');
}

function processesOf({ processes }: Result): string {
  return processes
    .filter(({ count }) => count >= USERS / 10)
    .map(
      ({ initialCall, count, memory }) =>
        `    ${initialCall} ${(count / (USERS + FIRST_USERS)).toFixed(2)} of ${kilobytes(memory)}`,
    )
    .join('\n');
}

progress.say(describeMachine());
const results: Record<Kind, Result> = { own: await measure('own'), megaphone: await measure('megaphone') };
const usual = SETTLE_SECONDS === 60 && MINUTES === 10;
if (!usual) progress.say('\nWith shortened times: a trial, no measurement.');
progress.say(`\n${USERS} idle users, ${SETTLE_SECONDS} s after the last login\n`);
progress.say(partsTable(results, 'idle'));
for (const kind of KINDS) {
  progress.say(`\n  ${NAMES[kind]}, per user\n${processesOf(results[kind])}\n${tablesOf(results[kind])}`);
}
progress.say(`\nAfter ${MINUTES} minutes of one message a minute from each user\n`);
progress.say(partsTable(results, 'talked'));
progress.say(`\nratio after messages ${ratio(results, 'talked')}`);
progress.say(`ratio ${ratio(results, 'idle')}`);
