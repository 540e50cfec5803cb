/**
 * `make bench`: ejabberd's own BOSH and WebSocket, Megaphone's, and Prosody's, side by side on this machine, into
 * docs/benchmarks.md. Each experiment is a process of its own on each number of cores, and leaves its results in
 * var/bench; what is there of whole runs is published, whenever it was measured.
 *
 *   CORES=4                   numbers of cores for the servers, one after the other (4,2); those that this machine has not
 *                             are left out (lib/cores.ts says who runs where)
 *   ONLY=messages,logins      some of the experiments; none of them with ONLY=publish
 *   PUBLISH=1                 publishes trials as well: runs with other settings than usual, which stand in the first
 *                             lines of messages/main.ts and logins/main.ts
 */

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { namesFrom, numbersFrom } from './lib/environment.js';
import { publishFile, publishSection, saved } from './lib/publish.js';
import { type Target, targetLines, targetReport } from './lib/targets.js';
import { type LoginResults, loginReport, loginTargets } from './logins/report.js';
import { cpuPlot, latencyPlot } from './messages/plots.js';
import { messageReport } from './messages/report.js';
import type { MessageResults } from './messages/results.js';
import { messageTargets } from './messages/targets.js';

const EXPERIMENTS = ['messages', 'logins'] as const;
const MOST_CORES = 64;

const cores = numbersFrom('CORES', [4], 1).filter((count) => count <= availableParallelism());
const only = process.env.ONLY === 'publish' ? [] : namesFrom('ONLY', EXPERIMENTS);

for (const [index, count] of cores.entries()) {
  for (const experiment of only) {
    console.log(`\n${experiment}, ${count} cores`);
    const env: NodeJS.ProcessEnv = { ...process.env, CORES: String(count) };
    // How many cores there are changes nothing about memory.
    if (experiment === 'logins' && index > 0) env.IDLE_USERS = '0';
    const program = fileURLToPath(new URL(`./${experiment}/main.js`, import.meta.url));
    const { status } = spawnSync(process.execPath, [program], { env, stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
}

/** On the most cores first. */
function results<T extends { readonly isTrial: boolean }>(experiment: string): T[] {
  return Array.from({ length: MOST_CORES }, (_, index) =>
    saved<T>(`${experiment}-${MOST_CORES - index}`),
  ).filter((each) => each !== undefined);
}

const targetsOf = (messages: readonly MessageResults[], logins: readonly LoginResults[]): Target[] => [
  ...loginTargets(logins),
  ...messages.slice(0, 1).flatMap(messageTargets),
];

const isPublished = ({ isTrial }: { readonly isTrial: boolean }): boolean =>
  !isTrial || process.env.PUBLISH === '1';
const allMessages = results<MessageResults>('messages');
const allLogins = results<LoginResults>('logins');
const messages = allMessages.filter(isPublished);
const logins = allLogins.filter(isPublished);
const files = new Set<string>();
if (messages.length > 0) files.add(publishSection('messages', messages.map(messageReport).join('\n\n')));
if (logins.length > 0) files.add(publishSection('logins', loginReport(logins)));
if (messages.length > 0 && logins.length > 0) {
  files.add(publishSection('targets', targetReport(targetsOf(messages, logins))));
}
const [first] = messages;
if (first !== undefined) {
  files.add(publishFile('cpu.svg', cpuPlot(first)));
  files.add(publishFile('latency.svg', latencyPlot(first)));
}
console.log(
  files.size === 0 ? 'Trials only: PUBLISH=1 would publish them.' : `Written: ${[...files].join(', ')}`,
);
// Of trials as well: whoever made one wants to know.
for (const line of targetLines(targetsOf(allMessages, allLogins))) console.log(line);
