/** What goes on, on one line that is written over and over on a terminal, else on a new one every now and then. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Counters, countsOf } from './counters.js';
import type { Load } from './load.js';

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
    let before: Sample | undefined;
    return this.repeat(async () => {
      const now = { counters: await load.counters(), at: performance.now() };
      const line = [describe(now, before), note()].join('  ');
      before = now;
      return line;
    });
  }

  /** Shows a line that changes, until the function it returns is called. One that cannot be made is left out. */
  repeat(line: () => Promise<string>): () => void {
    const show = () =>
      line().then(
        (text) => this.#show(text),
        () => {},
      );
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

interface Sample {
  readonly counters: Counters;
  /** Milliseconds. */
  readonly at: number;
}

function describe({ counters, at }: Sample, before: Sample | undefined): string {
  const { online, logins, refused, sent, delivered, ended, broken } = counters;
  const perSecond = (key: 'logins' | 'delivered'): string => {
    if (before === undefined) return '';
    const rate = ((counters[key] - before.counters[key]) * 1000) / (at - before.at);
    return rate === 0 ? '' : ` (${rate.toFixed(0)} a second)`;
  };
  const parts = [`${online} online${logins === 0 ? '' : perSecond('logins')}`];
  if (sent > 0) parts.push(`${delivered} of ${sent} messages${perSecond('delivered')}`);
  if (refused > 0) parts.push(`${refused} logins put off`);
  const trouble = countsOf(ended) + countsOf(broken);
  if (trouble > 0) parts.push(`${trouble} broken`);
  return parts.join(', ');
}
