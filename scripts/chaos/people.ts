/** The people of one process: log in at a pace, write to each other by a seeded schedule, and keep the history. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Target } from '../load/client-socket.js';
import { nowMicroseconds } from '../load/clock.js';
import { randomNumbers } from '../load/schedule.js';
import type { Transport } from '../load/user.js';
import type { Event } from './history.js';
import { type Company, type Note, Person } from './person.js';

export interface PeopleOptions {
  /** Where each transport goes. Users take turns where there are two. */
  readonly urls: { readonly [T in Transport]?: string };
  readonly host: string;
  /** Numbers of these users: `first` and those behind it. */
  readonly first: number;
  readonly count: number;
  readonly everybody: number;
  /** When the run began, of the machine's clock. */
  readonly begin: number;
}

export interface Talk {
  /** Messages a second of these users. */
  readonly rate: number;
  readonly seed: number;
}

/** Short, so that a run sees many of them; what fails is noticed soon. */
const WAIT_SECONDS = 20;
const OVERDUE_SECONDS = 5;
const TICK_MS = 2;
const SWEEP_MS = 1_000;
const CONCURRENT_LOGINS = 32;
/** People write several lines at once, which is where an order can be lost. */
const MAX_BURST = 4;
/** Everybody writes to so many others: enough for every pair of places, few enough for pairs with long conversations. */
const PARTNERS = 3;

export class People {
  readonly #options: PeopleOptions;
  readonly #people: readonly Person[];
  #events: Event[] = [];
  #talking: NodeJS.Timeout | undefined;

  constructor(options: PeopleOptions) {
    const { urls, host, everybody, begin, first, count } = options;
    this.#options = options;
    const note: Note = (part) => this.#events.push({ at: nowMicroseconds() - begin, ...part } as Event);
    const companies = (Object.entries(urls) as [Transport, string][]).map(
      ([transport, url]): Company => ({
        service: { target: new Target(url, false), host, wait: WAIT_SECONDS, overdue: OVERDUE_SECONDS },
        transport,
        everybody,
        note,
      }),
    );
    this.#people = Array.from({ length: count }, (_, index) => {
      const number = first + index;
      return new Person(companies[number % companies.length] as Company, number);
    });
    setInterval(() => {
      const now = Date.now();
      for (const person of this.#people) person.sweep(now);
    }, SWEEP_MS).unref();
  }

  get online(): number {
    return this.#people.reduce((sum, { isOnline }) => sum + (isOnline ? 1 : 0), 0);
  }

  /** Resolves when everybody has been online, or has failed once. */
  login(): Promise<void> {
    return inTurn(this.#people, (person) => person.login());
  }

  /** Until `pause`. */
  talk({ rate, seed }: Talk): void {
    this.pause();
    const { first, everybody } = this.#options;
    const random = randomNumbers(seed);
    let due = nowMicroseconds();
    this.#talking = setInterval(() => {
      const now = nowMicroseconds();
      while (due <= now) {
        const burst = 1 + Math.floor(random() * MAX_BURST);
        const person = this.#people[Math.floor(random() * this.#people.length)] as Person;
        const to = partnerOf(person.number, Math.floor(random() * PARTNERS), everybody);
        for (let n = 0; n < burst; n += 1) person.write(to);
        due += (-Math.log(1 - random()) * burst * 1e6) / rate;
      }
    }, TICK_MS);
    if (this.#people.length === 0) throw new Error(`nobody from ${first}`);
  }

  pause(): void {
    clearInterval(this.#talking);
  }

  /** These, of ours, log out and in again, and so get what is stored for them. */
  async again(users: readonly number[]): Promise<void> {
    const wanted = new Set(users);
    await inTurn(
      this.#people.filter(({ number }) => wanted.has(number)),
      (person) => person.again(),
    );
  }

  leave(): Promise<void> {
    return inTurn(this.#people, (person) => person.leave());
  }

  /** What happened since the last call. */
  takeEvents(): readonly Event[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

/** The next, one in the middle distance, and who is on the other side: of either transport, of any process. */
function partnerOf(number: number, which: number, everybody: number): number {
  const distance = [1, 4, Math.floor(everybody / 2)][which] ?? 1;
  return (number + distance) % everybody;
}

async function inTurn(people: readonly Person[], go: (person: Person) => Promise<void>): Promise<void> {
  const waiting = people.values();
  const lane = async (): Promise<void> => {
    for (const person of waiting) {
      await go(person);
      await sleep(1);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_LOGINS }, lane));
}
