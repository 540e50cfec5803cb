/**
 * `make bench-sessions`: as many sessions as asked for, logged in through one hidden node, each with a WebSocket, or with
 * a BOSH request held, but with no sockets behind them: what a session costs in ejabberd and in the gateway. Measured at
 * 10,000, 100,000 and the full number, beside the first 3,000, which use up what a fresh node has free.
 *
 *   TRANSPORT=websocket  or bosh
 *   SESSIONS=1000000     their logins take more than 1 ms of processor time each: 15 to 30 minutes for a million
 *   SETTLE_SECONDS=30    from the last login of a stage to its measurement
 *   PUBLISH=1            writes the documentation also with fewer sessions
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/child.js';
import { Histogram } from '../../load/histogram.js';
import { cpuSeconds, residentBytes } from '../../load/linux-process.js';
import { Progress } from '../../load/progress.js';
import type { Commands } from '../../load/socketless/process.js';
import { EjabberdServer } from '../lib/ejabberd-server.js';
import { numberFrom, transportFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { describeRun, publishSection, save } from '../lib/publish.js';
import { markdownTable, table } from '../lib/table.js';
import { minus, share, type Usage } from '../lib/usage.js';

const USUAL = 1_000_000;
const TRANSPORT = transportFrom();
const SESSIONS = numberFrom('SESSIONS', USUAL, 4_000);
const SETTLE_SECONDS = numberFrom('SETTLE_SECONDS', 30, 0);

const FIRST = 3_000;
const STAGES = [...[10_000, 100_000].filter((stage) => stage < SESSIONS), SESSIONS];
/** Longer than it all takes: two million empty answers a minute would measure something else. */
const WAIT_SECONDS = 3 * 3600;
const MESSAGES = { count: 1_000, perSecond: 100 };

interface Stage {
  readonly sessions: number;
  /** Bytes, resident; `gateway` with the users that it serves, who live in the same process. */
  readonly memory: Usage;
  /** Bytes of growth for each session since the first ones. */
  readonly each: Usage;
  /** Seconds of processor time for each login since the stage before. */
  readonly cpu: Usage;
  readonly loginsPerSecond: number;
  /** Milliseconds from due to delivered, between two of the sessions. */
  readonly latency: { readonly p50: number; readonly p99: number };
}

interface Point {
  readonly sessions: number;
  readonly memory: Usage;
  readonly cpu: Usage;
}

const progress = new Progress();
const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

function duration(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
}

class Run {
  readonly #server: EjabberdServer;
  readonly #child: Child<Commands>;

  constructor(server: EjabberdServer, child: Child<Commands>) {
    this.#server = server;
    this.#child = child;
  }

  measure(sessions: number): Point {
    const { pid } = this.#child;
    return {
      sessions,
      memory: { server: this.#server.memory().server, front: residentBytes(pid) },
      cpu: { server: this.#server.cpu().server, front: cpuSeconds(pid) },
    };
  }

  /** Resolves with the seconds it took, once all went quiet. */
  async login(sessions: number): Promise<number> {
    const begin = performance.now();
    const already = (await this.#child.ask('state')).online;
    const stop = progress.repeat(async () => {
      const { online } = await this.#child.ask('state');
      const { memory } = this.measure(online);
      const perSecond = ((online - already) * 1000) / (performance.now() - begin);
      return (
        `${count(online)} of ${count(SESSIONS)} online, ${count(perSecond)} a second, ` +
        `${duration((SESSIONS - online) / perSecond)} to go; ` +
        `ejabberd ${gigabytes(memory.server)}, gateway with users ${gigabytes(memory.front)}`
      );
    });
    await this.#child.ask('login', sessions);
    stop();
    const seconds = (performance.now() - begin) / 1000;
    await this.#verify(sessions);
    await sleep(SETTLE_SECONDS * 1000);
    return seconds;
  }

  /** Milliseconds. */
  async latency(): Promise<Stage['latency']> {
    const counts = await this.#child.ask('talk', MESSAGES.count, MESSAGES.perSecond);
    const latencies = new Histogram(counts);
    const { sent, delivered } = await this.#child.ask('state');
    if (delivered !== sent) throw new Error(`${sent - delivered} of ${sent} messages are lost`);
    return { p50: latencies.percentile(50) / 1000, p99: latencies.percentile(99) / 1000 };
  }

  /** @throws Error where the figures would be those of fewer sessions */
  async #verify(sessions: number): Promise<void> {
    const { online, held, ended } = await this.#child.ask('state');
    for (const [reason, times] of Object.entries(ended)) progress.say(`  ${times} sessions ended: ${reason}`);
    if (online < sessions || held < sessions) {
      throw new Error(
        `only ${online} of ${sessions} sessions are online, ${held} requests or sockets are held`,
      );
    }
  }
}

async function measure(run: Run): Promise<Stage[]> {
  progress.say(`The first ${count(FIRST)} sessions ...`);
  await run.login(FIRST);
  await run.latency();
  const first = run.measure(FIRST);
  let before = first;
  const stages: Stage[] = [];
  for (const sessions of STAGES) {
    progress.say(`${count(sessions)} sessions ...`);
    const seconds = await run.login(sessions);
    const now = run.measure(sessions);
    const logins = sessions - before.sessions;
    stages.push({
      sessions,
      memory: now.memory,
      each: share(minus(now.memory, first.memory), sessions - FIRST),
      cpu: share(minus(now.cpu, before.cpu), logins),
      loginsPerSecond: logins / seconds,
      latency: await run.latency(),
    });
    // The messages are not to count as logins.
    before = { ...run.measure(sessions), memory: now.memory };
  }
  return stages;
}

const HEAD = [
  'sessions',
  'ejabberd',
  'each',
  'gateway with users',
  'each',
  'CPU for a login, ejabberd',
  'gateway with users',
  'logins a second',
  'latency p50',
  'p99',
];

const cells = (stage: Stage): string[] => [
  count(stage.sessions),
  gigabytes(stage.memory.server),
  `${(stage.each.server / 1000).toFixed(2)} kB`,
  gigabytes(stage.memory.front),
  `${(stage.each.front / 1000).toFixed(2)} kB`,
  `${(stage.cpu.server * 1000).toFixed(2)} ms`,
  `${(stage.cpu.front * 1000).toFixed(2)} ms`,
  count(stage.loginsPerSecond),
  `${stage.latency.p50.toFixed(1)} ms`,
  `${stage.latency.p99.toFixed(1)} ms`,
];

const machine = describeMachine();
progress.say(machine);
process.env.EJABBERD_PROCESSES = String(Math.ceil(SESSIONS * 1.2) + 50_000);
const server = await EjabberdServer.start({ front: 'none', transport: TRANSPORT, maxWait: WAIT_SECONDS });
const child = new Child<Commands>(new URL('../../load/socketless/process.js', import.meta.url), [
  '--max-old-space-size=12288',
]);
try {
  await child.ask('begin', {
    ejabberd: server.node,
    transport: TRANSPORT,
    epmdPort: server.epmdPort,
    home: server.home,
    host: 'localhost',
    sessions: SESSIONS,
    wait: WAIT_SECONDS,
  });
  const rows = await measure(new Run(server, child));
  progress.say(`\n${table([HEAD, ...rows.map(cells)])}\n`);
  const date = new Date().toISOString();
  progress.say(`Written: ${save(`sessions-${TRANSPORT}`, { machine, date, stages: rows })}`);
  if (SESSIONS >= USUAL || process.env.PUBLISH === '1') {
    const heading = describeRun(machine, date, SESSIONS < USUAL);
    const text = `${heading}\n\n${markdownTable([HEAD, ...rows.map(cells)])}`;
    progress.say(`Written: ${publishSection(`sessions-${TRANSPORT}`, text)}`);
  }
} finally {
  child.end();
  await server.stop();
}
