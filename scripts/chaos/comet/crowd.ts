/** Pages that listen, what each of them got, and what was wrong with it, by the fault behind which it was seen. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Invariant, newStep, type Step } from '../checker.js';
import type { Loss } from '../history.js';
import { Ledger, type Mark } from './ledger.js';
import { Page, TRANSPORTS } from './page.js';

/** How many ids a page follows. */
const FOLLOWED = 2;
const LOOK_MS = 50;

export interface CrowdOptions {
  readonly pages: number;
  /** From 1 to this. */
  readonly ids: number;
  /** Of the gateways. */
  readonly ports: readonly number[];
  /** Hears all that happens. */
  readonly note: (line: string) => void;
}

interface Member {
  readonly page: Page;
  readonly ids: readonly string[];
  readonly ledger: Ledger;
}

export class Crowd {
  /** The first is what came before all. */
  readonly steps: Step[] = [newStep({ at: 0, fault: 'begin', what: 'the beginning', loses: 'nothing' })];
  /** Messages that pages got. */
  received = 0;
  readonly #members: readonly Member[];
  readonly #note: (line: string) => void;
  readonly #began = performance.now();
  /** Senders of nodes that were killed, and by which step: what they had sent may be missing. */
  readonly #gone = new Map<string, Step>();
  #moved = 0;

  constructor({ pages, ids, ports, note }: CrowdOptions) {
    this.#note = note;
    this.#members = Array.from({ length: pages }, (_, n) => this.#member(n, ids, ports));
  }

  get online(): number {
    return this.#members.filter(({ page }) => page.isListening).length;
  }

  get violations(): Step['violations'] {
    return this.steps.flatMap(({ violations }) => violations);
  }

  close(): void {
    for (const { page } of this.#members) page.close();
  }

  step(what: string, fault: string, loses: Loss): void {
    this.steps.push(newStep({ at: this.#now, fault, what, loses }));
    this.#note(`step ${this.steps.length - 1}: ${what}`);
  }

  /** A third of them, not the same as before, leaves and comes back after so long. */
  move(ms: number): void {
    this.#moved += 1;
    for (const [n, { page }] of this.#members.entries()) if ((n + this.#moved) % 3 === 0) page.move(ms);
  }

  /** Those that were driven from their gateways are reloaded there: each fault is to meet some. */
  goHome(): void {
    for (const { page } of this.#members) page.goHome();
  }

  /** What that sender of a killed node had sent may be missing. */
  forgive(from: string): void {
    this.#gone.set(from, this.steps.at(-1) as Step);
  }

  /** Until each is there and has all of that. @returns whether they came so far */
  async reach(marks: readonly Mark[], seconds: number): Promise<boolean> {
    const end = performance.now() + 1000 * seconds;
    while (!this.#members.every((member) => isThere(member, marks))) {
      if (performance.now() > end) return false;
      await sleep(LOOK_MS);
    }
    const step = this.steps.at(-1);
    if (step !== undefined) step.recoveredAt ??= this.#now;
    return true;
  }

  /** Who is not there, for people. */
  behind(marks: readonly Mark[]): string[] {
    return [...this.#members.entries()]
      .filter(([, member]) => !isThere(member, marks))
      .map(([n, { page, ledger, ids }]) => {
        const missing = marks.filter((mark) => ids.includes(mark.to) && !ledger.reached(mark));
        const what = missing.map(({ from, to, count }) => `${count} of ${from} to ${to}`).join(', ');
        return `page ${n} (${page.where}, ${page.isListening ? 'listening' : 'away'}) waits for ${what || 'its place'}`;
      });
  }

  /** What is missing of all that was sent is lost; of a killed node's it is gone. */
  finish(marks: readonly Mark[]): void {
    for (const [n, { ids, ledger, page }] of this.#members.entries()) {
      for (const mark of marks.filter(({ to }) => ids.includes(to))) {
        for (const [number, step] of ledger.missing(mark)) {
          const what = `page ${n} (${page.where}) never got ${number} of ${mark.from} to ${mark.to}`;
          this.#violated('lost', what, step);
        }
      }
      for (const [from, step] of this.#gone) step.gone += ledger.open(from);
    }
  }

  get #now(): number {
    return Math.round(1000 * (performance.now() - this.#began));
  }

  #member(n: number, ids: number, ports: readonly number[]): Member {
    const followed = Array.from({ length: FOLLOWED }, (_, nth) => `${1 + ((n + nth * (1 + (n % 7))) % ids)}`);
    const ledger = new Ledger();
    const own = [...new Set(followed)];
    const page: Page = new Page(TRANSPORTS[n % TRANSPORTS.length] ?? 'events', own, ports, n, {
      heard: (body) => this.#heard(n, page, ledger, own, body),
      gap: (id) => {
        const what = `page ${n} (${page.where}) heard of a gap of ${id}`;
        if (this.#gone.size === 0) this.#violated('gap', what);
        else {
          this.#error('told of a gap');
          this.#note(what);
        }
      },
      lost: (why) => {
        this.#error(why);
        this.#note(`page ${n} lost its connection: ${why}`);
      },
    });
    return { page, ids: own, ledger };
  }

  #heard(n: number, page: Page, ledger: Ledger, ids: readonly string[], body: string): void {
    this.received += 1;
    this.#note(`page ${n} ${page.where}: ${body}`);
    const [from = '', to = '', number = ''] = body.split(' ');
    const name = `page ${n} (${page.where}): ${number} of ${from} to ${to}`;
    const receipt = ids.includes(to)
      ? ledger.take(from, to, Number(number), this.steps.length - 1)
      : 'foreign';
    if (receipt !== 'next') this.#violated(receipt, name);
  }

  #error(what: string): void {
    const { errors } = this.steps.at(-1) as Step;
    errors.set(what, (errors.get(what) ?? 0) + 1);
  }

  #violated(invariant: Invariant, what: string, step = this.steps.length - 1): void {
    this.steps[step]?.violations.push({ invariant, at: this.#now, what, step });
    this.#note(`VIOLATION ${invariant}: ${what}`);
  }
}

const isThere = ({ page, ids, ledger }: Member, marks: readonly Mark[]): boolean =>
  page.isListening && marks.every((mark) => !ids.includes(mark.to) || ledger.reached(mark));
