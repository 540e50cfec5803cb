/** The parts of the benchmark, and what each says in the table. */

import type { Cores } from '../lib/cores.js';
import { namesFrom, numberFrom } from '../lib/environment.js';
import { startBare } from './bare.js';
import { startGateway } from './gateway.js';
import { measureBroadcast, measureHeld, measureKilled } from './many.js';
import {
  type FanOut,
  type FanOuts,
  measureFanOut,
  measureMemory,
  measureOpening,
  measurePublishing,
} from './measure.js';
import { startNchan } from './nchan.js';
import { startPushpin } from './pushpin.js';
import type { Row } from './report.js';
import { measureSocketless } from './socketless.js';
import { SUBJECTS, type Subject, type SubjectName } from './subject.js';

export const PARTS = ['memory', 'fanout', 'broadcast', 'publish', 'held', 'socketless', 'killed'] as const;
export type Part = (typeof PARTS)[number];

const isQuick = process.env.QUICK === '1';
const LISTENERS = numberFrom('LISTENERS', isQuick ? 4_000 : 16_000, 1_000, 17_000);
const BROADCAST = numberFrom('BROADCAST', isQuick ? 30_000 : 100_000, 100);
const HELD = numberFrom('HELD', isQuick ? 30_000 : 200_000, 100);
const SOCKETLESS = numberFrom('SOCKETLESS', isQuick ? 100_000 : 1_000_000, 20_000);
const SETTLE_SECONDS = numberFrom('SETTLE_SECONDS', isQuick ? 5 : 60, 0);
/** Sooner V8 has what opening took. */
const IDLE_SECONDS = 60;
const MESSAGES = numberFrom('MESSAGES', isQuick ? 20_000 : 60_000, 1_000);
const FANOUT_MESSAGES = 20;
const KILLED = isQuick ? 500 : 2_000;
/** Each with one listener, where messages are counted. */
const IDS = 1_000;
const BATCH = 50;
const AT_ONCE = 64;

const compared = namesFrom<SubjectName>('SUBJECTS', SUBJECTS);

type Of<T> = Partial<Record<SubjectName, T>>;
const count = (value: number): string => value.toLocaleString('en-US');

function row<T>(
  all: Of<T>,
  what: string,
  unit: string,
  of: (measured: T) => number,
  rest: Partial<Row> = {},
): Row {
  const measured = Object.fromEntries(Object.entries(all).map(([name, one]) => [name, of(one as T)]));
  return { what, unit, measured, ...rest };
}

/** With the receivers' half of the kernel's work elsewhere, where that could be had. */
function fanOutRows(
  all: Of<FanOuts>,
  listeners: number,
  targets: { readonly perCore?: Partial<Row>; readonly last?: Partial<Row> },
): Row[] {
  const best = ({ steered, plain }: FanOuts): FanOut => steered ?? plain;
  const missed = ({ steered, plain }: FanOuts): number => (steered?.missed ?? 0) + plain.missed;
  return [
    row(
      all,
      `one message to ${count(listeners)}: deliveries in a second of a core`,
      '',
      (one) => best(one).perCore,
      targets.perCore,
    ),
    row(all, "… with the receivers' half of the kernel's work", '', ({ plain }) => plain.perCore),
    row(all, '… deliveries a second', '', (one) => best(one).perSecond),
    row(all, '… the last one has it after', 'ms', (one) => best(one).last, targets.last),
    row(all, '… deliveries that never came', '', missed, { atMost: 0 }),
  ];
}

export class Parts implements Record<Part, () => Promise<Row[]>> {
  readonly #all: Cores;
  readonly #cores: string;
  readonly #load: string;
  readonly #workers: number;

  constructor(all: Cores) {
    this.#all = all;
    this.#cores = all.servers;
    this.#load = all.load;
    this.#workers = all.count;
  }

  /** The same of each that is compared. */
  async #ofEach<T>(
    what: string,
    names: readonly SubjectName[],
    measure: (subject: Subject) => Promise<T>,
    workers = this.#workers,
  ): Promise<Of<T>> {
    const all: Of<T> = {};
    for (const name of names.filter((one) => compared.includes(one))) {
      console.error(`${what}: ${name} ...`);
      const subject = await this.#start(name, workers);
      try {
        all[name] = await measure(subject);
        console.error(`  ${JSON.stringify(all[name])}`);
      } finally {
        await subject.stop();
      }
    }
    return all;
  }

  /** @param workers nginx's: what they share is counted for each of them */
  #start(name: SubjectName, workers: number): Promise<Subject> {
    const cores = this.#cores;
    if (name === 'gateway') return startGateway({ cores });
    if (name === 'nchan') return startNchan(cores, workers);
    return name === 'Pushpin' ? startPushpin(cores) : startBare(cores);
  }

  async memory(): Promise<Row[]> {
    const all = await this.#ofEach(
      'memory',
      SUBJECTS,
      (one) => measureMemory(one, LISTENERS, SETTLE_SECONDS),
      1,
    );
    return [
      row(all, 'memory of an idle listener', 'kB', ({ server }) => server / 1000, {
        digits: 2,
        ...(SETTLE_SECONDS < IDLE_SECONDS ? {} : { atMost: 3 }),
      }),
      row(all, '… and of the kernel, both ends', 'kB', ({ kernel }) => kernel / 1000, { digits: 2 }),
    ];
  }

  async fanout(): Promise<Row[]> {
    const all = await this.#ofEach('one message to all', SUBJECTS, (one) =>
      measureFanOut(one, LISTENERS, FANOUT_MESSAGES, this.#load),
    );
    return fanOutRows(all, LISTENERS, {});
  }

  async broadcast(): Promise<Row[]> {
    console.error(`one message to ${count(BROADCAST)} at the gateway ...`);
    const all = { gateway: await measureBroadcast(this.#all, BROADCAST, FANOUT_MESSAGES / 2) };
    console.error(`  ${JSON.stringify(all)}`);
    return fanOutRows(all, BROADCAST, { perCore: { atLeast: 100_000 }, last: { atMost: 2_000 } });
  }

  async publish(): Promise<Row[]> {
    const ours = ['gateway', 'Pushpin', 'nchan'] as const;
    const single = await this.#ofEach('one message a request', ours, (one) =>
      measurePublishing(one, IDS, MESSAGES, 1, AT_ONCE),
    );
    const batches = await this.#ofEach('batches', ['gateway', 'Pushpin'], (one) =>
      measurePublishing(one, IDS, MESSAGES, BATCH, IDS / BATCH / 4),
    );
    const opening = await this.#ofEach('new listeners', SUBJECTS, (one) =>
      measureOpening(one, LISTENERS / 2),
    );
    return [
      row(single, 'published over HTTP, a second, one message a request', '', ({ perSecond }) => perSecond),
      row(batches, `… ${BATCH} messages a request`, '', ({ perSecond }) => perSecond, { atLeast: 30_000 }),
      row(opening, 'new listeners a second', '', ({ perSecond }) => perSecond, { atLeast: 3_000 }),
    ];
  }

  async held(): Promise<Row[]> {
    console.error(`${count(HELD)} connections ...`);
    const all = { gateway: await measureHeld(this.#cores, HELD, SETTLE_SECONDS) };
    console.error(`  ${JSON.stringify(all)}`);
    return [
      row(
        all,
        `real connections held, each of which got a message (${all.gateway.workers} workers)`,
        '',
        ({ connections }) => connections,
        {
          atLeast: HELD,
        },
      ),
      row(all, '… memory of each, workers and router', 'kB', ({ server }) => server / 1000, { digits: 2 }),
      row(all, '… and of the kernel, both ends', 'kB', ({ kernel }) => kernel / 1000, { digits: 2 }),
      row(all, '… opened a second', '', ({ openedPerSecond }) => openedPerSecond),
    ];
  }

  async socketless(): Promise<Row[]> {
    console.error(`${count(SOCKETLESS)} listeners without sockets ...`);
    const all = { gateway: await measureSocketless(this.#cores, SOCKETLESS, SETTLE_SECONDS / 2) };
    console.error(`  ${JSON.stringify(all)}`);
    return [
      row(all, 'listeners without sockets, in one process', '', ({ listeners }) => listeners, {
        atLeast: SOCKETLESS,
      }),
      row(all, '… memory of each', 'kB', ({ comet }) => comet / 1000, { digits: 2 }),
      row(all, '… in the router', 'kB', ({ router }) => router / 1000, { digits: 2 }),
      row(all, '… new ones a second', '', ({ perSecond }) => perSecond),
      row(all, '… p99 of a message to one of them', 'ms', ({ p99 }) => p99, { digits: 1 }),
      row(all, '… messages that never came', '', ({ missed }) => missed, { atMost: 0 }),
    ];
  }

  async killed(): Promise<Row[]> {
    console.error('one of two gateways is killed ...');
    const all = { gateway: await measureKilled(this.#cores, KILLED) };
    console.error(`  ${JSON.stringify(all)}`);
    return [
      row(
        all,
        `one of two gateways killed, with ${count(KILLED)} listeners: have all`,
        '',
        ({ whole }) => whole,
        {
          atLeast: KILLED,
        },
      ),
      row(all, '… messages lost, doubled, gaps', '', ({ lost, doubled, gaps }) => lost + doubled + gaps, {
        atMost: 0,
      }),
    ];
  }
}
