/**
 * `megaphone top`: what the running gateway of this configuration does, second by second, as its dashboard shows it. It is asked over
 * Erlang's distribution, so it needs no admin port; of several workers each is asked. What is shown is made here.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';
import type { Cookie } from '../node/cookie.js';
import { FigureTrack, type Snapshot } from '../observe/figures.js';
import type { Stats } from '../observe/report.js';
import { NOTHING, total } from '../observe/totals.js';
import { plainOf, RunningGateway } from './running-gateway.js';
import { type Size, screenOf } from './top-screen.js';

const EVERY_MS = 1_000;

/** Where it is shown. */
export interface Terminal {
  /** `undefined`: none; then it is shown once. */
  readonly size: Size | undefined;
  show(lines: readonly string[]): void;
  /** Resolves when somebody asked for the end. */
  readonly ended: Promise<void>;
}

/** @throws MegaphoneError EPMD_…, NODE_…, HANDSHAKE_…: it was not reached */
export async function top(config: Config, cookie: Cookie, terminal: Terminal): Promise<void> {
  let isOver = false;
  void terminal.ended.then(() => {
    isOver = true;
  });
  const pause = () => Promise.race([sleep(EVERY_MS), terminal.ended]);
  const track = new FigureTrack();
  let gateway: RunningGateway | undefined = await RunningGateway.connect('top', config, cookie);
  try {
    // Rates are of two looks at least.
    let snapshot = await look(gateway, track, config);
    while (!isOver) {
      if (terminal.size !== undefined) terminal.show(screenOf(snapshot, terminal.size));
      await pause();
      if (isOver) return;
      try {
        snapshot = await look(gateway, track, config);
      } catch (error) {
        if (terminal.size === undefined || !(error instanceof MegaphoneError)) throw error;
        await gateway.stop();
        gateway = undefined;
        gateway = await again(config, cookie, terminal, error, () => isOver);
        if (gateway === undefined) return;
        continue;
      }
      if (terminal.size !== undefined) continue;
      terminal.show(screenOf(snapshot, undefined));
      return;
    }
  } finally {
    await gateway?.stop();
  }
}

/** It may come back, as after a restart. @returns nothing where somebody asked for the end before */
async function again(
  config: Config,
  cookie: Cookie,
  terminal: Terminal,
  error: MegaphoneError,
  isOver: () => boolean,
): Promise<RunningGateway | undefined> {
  for (let latest = error; !isOver(); ) {
    terminal.show([`${config.node} does not answer: ${latest.message}`]);
    await Promise.race([sleep(EVERY_MS), terminal.ended]);
    if (isOver()) return undefined;
    try {
      return await RunningGateway.connect('top', config, cookie);
    } catch (cause) {
      if (!(cause instanceof MegaphoneError)) throw cause;
      latest = cause;
    }
  }
  return undefined;
}

async function look(gateway: RunningGateway, track: FigureTrack, config: Config): Promise<Snapshot> {
  const answers = await Promise.allSettled(gateway.names.map((name) => statsOf(gateway, name)));
  const workers = gateway.names.map((name, index) => {
    const answer = answers[index];
    const stats = answer?.status === 'fulfilled' ? answer.value : undefined;
    return { name, up: stats !== undefined, pid: stats?.usage[name]?.pid ?? 0, restarts: 0, stats };
  });
  const [first] = workers.flatMap(({ stats }) => stats ?? []);
  if (first === undefined) throw (answers[0] as PromiseRejectedResult).reason;
  const { uptime_seconds, state } = first;
  const stats =
    config.workers === 1 ? first : total({ node: config.node, uptime_seconds, state }, workers, NOTHING);
  return track.add(stats, performance.now() / 1000, Date.now());
}

async function statsOf(gateway: RunningGateway, name: string): Promise<Stats> {
  const answer = plainOf(await gateway.ask(name, 'figures'));
  const isOfThisRelease =
    typeof answer === 'object' && answer !== null && Object.keys(NOTHING).every((key) => key in answer);
  if (isOfThisRelease) return answer as unknown as Stats;
  throw new MegaphoneError('NODE_CALL_FAILED', `${name} did not tell its figures`, {
    hint: 'is it of another release?',
  });
}
