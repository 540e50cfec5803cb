/** A run: gateways and nodes, pages that listen, senders, and the nemesis, until its time is over; then what became of it all. */

import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { breakGateway } from '../gateway-faults.js';
import { type Group, lossOf, plan, type Size, type Step, tell } from '../plan.js';
import { describeErrors } from '../report.js';
import { Crowd } from './crowd.js';
import { Senders } from './senders.js';
import { Stage } from './stage.js';

export interface CometOptions extends Size {
  readonly seconds: number;
  /** It also ends after so many steps. */
  readonly steps: number;
  readonly seed: number;
  readonly pages: number;
  readonly ids: number;
  /** Messages a second, each to one id. */
  readonly rate: number;
  readonly groups: readonly Group[];
  /** For the history, and the gateways' logs. */
  readonly folder: string;
}

export interface CometResult {
  readonly crowd: Crowd;
  readonly sent: number;
  /** Why the nemesis stopped, where it was not its time. */
  readonly stuck: string | undefined;
  readonly lines: readonly string[];
  /** The line that scripts read. */
  readonly lastLine: string;
  readonly isBroken: boolean;
}

const READY_SECONDS = 60;
/** Who is not served for longer than this never will be. */
const RECOVERY_SECONDS = 90;
const WARM_UP_MS = 1_000;
/** Of what was violated so much is told one by one. */
const TOLD = 20;

/** @param say what goes on, in words */
export async function runComet(options: CometOptions, say: (text: string) => void): Promise<CometResult> {
  const { folder, pages, ids, rate, seed, groups } = options;
  mkdirSync(folder, { recursive: true });
  const history = createWriteStream(join(folder, 'history.txt'));
  const began = performance.now();
  const note = (line: string): void => {
    history.write(`${((performance.now() - began) / 1000).toFixed(3)} ${line}\n`);
  };
  say(`Starting ${options.nodes} Erlang nodes, ${options.gateways} gateways and relays ...`);
  const stage = await Stage.start(options, folder);
  const crowd = new Crowd({ pages, ids, ports: stage.ports, note });
  try {
    if (!(await crowd.reach([], READY_SECONDS))) throw new Error(crowd.behind([]).slice(0, TOLD).join('\n'));
    const senders = await Senders.start(stage, ids, rate);
    say(`${pages} pages listen; ${rate} messages a second; the nemesis comes with seed ${seed}.`);
    await sleep(WARM_UP_MS);
    const nemesis = new Nemesis(stage, crowd, senders);
    const stuck = await carryOut(nemesis, options, groups).catch((error: Error) => error.message);
    await senders.stop();
    const marks = await senders.marks();
    await crowd.reach(marks, RECOVERY_SECONDS);
    // What comes twice may do so now.
    await sleep(WARM_UP_MS);
    crowd.finish(marks);
    return resultOf(
      crowd,
      marks.reduce((sum, { count }) => sum + count, 0),
      stuck,
    );
  } finally {
    crowd.close();
    await stage.stop();
    history.end();
  }
}

async function carryOut(
  nemesis: Nemesis,
  options: CometOptions,
  groups: readonly Group[],
): Promise<undefined> {
  const end = performance.now() + options.seconds * 1000;
  const coming = plan(options.seed, groups, options);
  for (let steps = 0; performance.now() < end && steps < options.steps; steps += 1)
    await nemesis.take(coming.next().value);
}

class Nemesis {
  readonly #stage: Stage;
  readonly #crowd: Crowd;
  readonly #senders: Senders;

  constructor(stage: Stage, crowd: Crowd, senders: Senders) {
    this.#stage = stage;
    this.#crowd = crowd;
    this.#senders = senders;
  }

  /** @throws Error where pages do not get what is sent any more */
  async take(step: Step): Promise<void> {
    this.#crowd.step(tell(step), step.fault, lossOf(step));
    await this.#break(step);
    const marks = await this.#senders.marks();
    if (!(await this.#crowd.reach(marks, RECOVERY_SECONDS))) {
      const behind = this.#crowd.behind(marks);
      const who = behind.slice(0, TOLD).join('\n');
      throw new Error(
        `not recovered from: ${tell(step)}, after ${RECOVERY_SECONDS} s; ${behind.length} pages:\n${who}`,
      );
    }
    this.#crowd.goHome();
    await sleep(step.pauseMs);
  }

  async #break(step: Step): Promise<void> {
    const { gateway, node, ms } = step;
    if (await breakGateway(step, this.#stage)) return;
    switch (step.fault) {
      case 'disconnect-link':
        return this.#stage.disconnect(gateway, node);
      case 'kill-router':
        return this.#stage.killRouter(node);
      case 'move-pages':
        this.#crowd.move(ms);
        return sleep(ms);
      case 'kill-node':
        this.#crowd.forgive(this.#senders.nameOf(node));
        await this.#stage.killNode(node, ms);
        await this.#stage.knows(node);
        return this.#senders.begin(node);
      default:
        throw new Error(`${step.fault}: pages know no such fault`);
    }
  }
}

function resultOf(crowd: Crowd, sent: number, stuck: string | undefined): CometResult {
  const { violations } = crowd;
  const count = (invariant: string): number =>
    violations.filter((violation) => violation.invariant === invariant).length;
  const told = violations.slice(0, TOLD).map(({ invariant, at, what, step }) => {
    const before = crowd.steps[step];
    return `${invariant}: ${what}, at ${(at / 1e6).toFixed(3)} s, behind step ${step} (${before?.what})`;
  });
  return {
    crowd,
    sent,
    stuck,
    lines: [
      ...told,
      ...describeErrors(crowd.steps),
      `${sent} messages sent by those that live, ${crowd.received} received by pages`,
    ],
    lastLine: `lost ${count('lost')} doubled ${count('doubled')} reordered ${count('reordered')} gaps ${count('gap')}`,
    isBroken: violations.length > 0 || stuck !== undefined,
  };
}
