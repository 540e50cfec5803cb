/**
 * How fast users log in and what that costs, and the memory that each then takes while idle, over BOSH and WebSocket, on
 * ejabberd alone, on Megaphone and on Prosody, each on a fresh node. A part of `make bench`: `ONLY=logins make bench`.
 *
 *   SUBJECTS=own-bosh,megaphone-bosh,own-websocket,megaphone-websocket,prosody-bosh,prosody-websocket
 *   LOGINS=3000          as fast as they go, a third at a time, on one and then on the next
 *   IDLE_USERS=8000      whose memory is measured; 0 for none
 *   SETTLE_SECONDS=30    from the last login to that measurement
 *   CORES=4              of the servers; what is left of this machine's is the load generator's (lib/cores.ts)
 */

import { Progress } from '../../load/progress.js';
import { assignCores, describeCores } from '../lib/cores.js';
import { areSet, namesFrom, numberFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { save } from '../lib/publish.js';
import { SERVERS, SUBJECTS, type SubjectName } from '../lib/subjects.js';
import type { Usage } from '../lib/usage.js';
import type { LoginResults } from './report.js';
import { IdleSubject, type Round } from './subject.js';

// haproxy is no server.
const names = namesFrom('SUBJECTS', SUBJECTS).filter((name) => SERVERS.includes(name));
const logins = numberFrom('LOGINS', 3_000, 3);
// The gateway takes 16,000 connections unless told otherwise.
const idleUsers = numberFrom('IDLE_USERS', 8_000, 0, 12_000);
const settleSeconds = numberFrom('SETTLE_SECONDS', 30, 0);
// `make bench` measures memory on one number of cores only.
const isTrial = areSet(['SUBJECTS', 'LOGINS', 'SETTLE_SECONDS']) || ![0, 8_000].includes(idleUsers);

const ROUNDS = 3;
const perRound = Math.ceil(logins / ROUNDS);

const progress = new Progress();
const cores = assignCores();
const machine = describeMachine('prosody');
progress.say(`${machine}; ${describeCores(cores)}`);

const subjects = await Promise.all(
  names.map((name) => IdleSubject.start(name, perRound * ROUNDS, cores, progress)),
);
const rounds: Partial<Record<SubjectName, Round[]>> = {};
for (let number = 1; number <= ROUNDS; number += 1) {
  for (const subject of number % 2 === 0 ? subjects.toReversed() : subjects) {
    const round = await subject.logIn(perRound);
    rounds[subject.name] = [...(rounds[subject.name] ?? []), round];
    progress.say(`${subject.name}: ${round.perSecond.toFixed(0)} logins a second (${number} of ${ROUNDS})`);
  }
}
const memory: Partial<Record<SubjectName, Usage>> = {};
if (idleUsers > 0) {
  progress.say(`Memory of ${idleUsers} idle users on each ...`);
  await Promise.all(
    subjects.map(async (subject) => {
      memory[subject.name] = await subject.memoryOf(idleUsers, settleSeconds);
    }),
  );
}
for (const subject of subjects) await subject.end();
const results: LoginResults = { machine, cores, date: new Date().toISOString(), isTrial, rounds, memory };
progress.say(`Written: ${save(`logins-${cores.count}`, results)}`);
