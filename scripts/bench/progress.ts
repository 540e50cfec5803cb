/** What goes on, on one line that is written over and over on a terminal, else on a new one every now and then. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Counters, countsOf } from './load/counters.js';
import type { Load } from './load/load.js';

const TERMINAL_MS = 500;
const LOG_MS = 10_000;

export class Progress {
  readonly #isTerminal = process.stderr.isTTY;

  /** A line that stays. */
  say(text: string): void {
    this.#clear();
    process.stdout.write(`${text}\n`);
  }

  /** Shows the load's counters, and behind them `note`, until the function it returns is called. */
  follow(load: Load, note: () => string = () => ''): () => void {
    const show = async (): Promise<void> => {
      const now = await load.counters().catch(() => undefined);
      if (now === undefined) return;
      this.#show([describe(now), note()].join('  '));
    };
    const timer = setInterval(show, this.#isTerminal ? TERMINAL_MS : LOG_MS);
    return () => {
      clearInterval(timer);
      this.#clear();
    };
  }

  /** Lets time pass, and shows the load's counters meanwhile. */
  async wait(load: Load, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    const stop = this.follow(load, () => `${Math.ceil((end - performance.now()) / 1000)} s to go`);
    await sleep(seconds * 1000);
    stop();
  }

  #show(line: string): void {
    process.stderr.write(this.#isTerminal ? `\r\x1b[2K  ${line}` : `  ${line}\n`);
  }

  #clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[2K');
  }
}

function describe({ online, sent, delivered, ended, broken }: Counters): string {
  const messages = sent === 0 ? '' : `, ${delivered} of ${sent} messages`;
  const trouble = countsOf(ended) + countsOf(broken);
  return `${online} online${messages}${trouble === 0 ? '' : `, ${trouble} broken`}`;
}
