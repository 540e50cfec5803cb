/**
 * A user with an account who stays online whatever happens, as a good client does: it sends again, resumes, and, where its
 * session is over, logs in anew after a pause that grows. What it sees goes into the history.
 */

import { BoshUser } from '../load/bosh-user.js';
import { nowMicroseconds } from '../load/clock.js';
import { account, type Mark, message, readMarks } from '../load/stanzas.js';
import { repeatDelay, type Service, type Transport, type User } from '../load/user.js';
import type { Event, MessageId } from './history.js';
import { ResumingUser, type StreamListener } from './resuming-user.js';

export const PASSWORD = 'chaos';
export const nameOf = (user: number): string => `chaos${user}`;
/** One resource for each: a session that is left behind is replaced by the next. */
const RESOURCE = 'web';
/** What a gateway says when it, or the node behind it, goes: clients come again. 1005 is ours, for a Close without a code. */
const EXPECTED = ['closed with 1000', 'closed with 1001', 'closed with 1012'];

type Part = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;
export type Note = (part: Part) => void;

export interface Company {
  readonly service: Service;
  readonly transport: Transport;
  /** Users in all. */
  readonly everybody: number;
  readonly note: Note;
}

export class Person {
  readonly number: number;
  readonly #company: Company;
  #session: User | undefined;
  /** Messages sent, by recipient. */
  readonly #sent = new Map<number, number>();
  /** Received, and not known to the server to be: of the last two answers, or acknowledgements. */
  #unproven: (readonly Mark[])[] = [[], []];
  #failures = 0;
  /** The next login is the run's own wish. */
  #isPlanned = false;
  #leaves = false;

  constructor(company: Company, number: number) {
    this.#company = company;
    this.number = number;
  }

  get isOnline(): boolean {
    return this.#session?.isOnline ?? false;
  }

  /** Resolves when it is online, or has failed and will try again. */
  async login(): Promise<void> {
    const { service, transport } = this.#company;
    const identity = account(nameOf(this.number), PASSWORD, RESOURCE);
    const listener = this.#listener(transport === 'websocket');
    this.#session =
      transport === 'bosh'
        ? new BoshUser(service, listener, identity)
        : new ResumingUser(service, listener, identity);
    await this.#session.login();
  }

  /** Nothing where it has no session just now: nobody could have typed it. */
  write(to: number): void {
    if (this.#session?.isOnline !== true) return;
    const { everybody, note, service } = this.#company;
    const seq = (this.#sent.get(to) ?? 0) + 1;
    this.#sent.set(to, seq);
    note({ kind: 'sent', from: this.number, to, seq });
    const mark = { pair: this.number * everybody + to, seq, at: nowMicroseconds() };
    this.#session.send(message(`${nameOf(to)}@${service.host}`, mark));
  }

  /** To get what is stored for it. Who is not online will anyway. */
  async again(): Promise<void> {
    if (!this.isOnline) return;
    await this.leave();
    this.#leaves = false;
    this.#isPlanned = true;
    await this.login();
  }

  /** For good. */
  async leave(): Promise<void> {
    this.#leaves = true;
    await this.#session?.logout();
  }

  sweep(now: number): void {
    this.#session?.sweep(now);
  }

  #listener(isManaged: boolean): StreamListener {
    const { note } = this.#company;
    const user = this.number;
    return {
      online: () => {
        this.#failures = 0;
        note(this.#isPlanned ? { kind: 'login', user, planned: true } : { kind: 'login', user });
        this.#isPlanned = false;
      },
      resumed: () => note({ kind: 'resumed', user }),
      refused: () => note({ kind: 'error', user, what: 'HTTP 503 (login)' }),
      arrived: () => {},
      ordered: (marks) => {
        // The server takes an answer for read when the request after the next comes (XEP-0124 §11).
        if (!isManaged) this.#turn();
        this.#unproven[0] = [...(this.#unproven[0] ?? []), ...marks];
        for (const mark of marks) {
          if (this.#isReturned(mark)) {
            note({ kind: 'error', user, what: 'a message came back' });
            continue;
          }
          const delayed = mark.delayed ? ({ delayed: true } as const) : {};
          note({ kind: 'received', by: user, ...this.#idOf(mark), ...delayed });
        }
      },
      proven: () => this.#turn(),
      accepted: (text) => {
        for (const mark of readMarks(text)) note({ kind: 'accepted', ...this.#idOf(mark) });
      },
      broken: (reason) => {
        if (!EXPECTED.includes(reason)) note({ kind: 'error', user, what: reason });
      },
      ended: (wasOnline, reason) => this.#ended(wasOnline, reason),
    };
  }

  #ended(wasOnline: boolean, reason: string | undefined): void {
    const { note } = this.#company;
    const user = this.number;
    if (reason !== undefined) note({ kind: 'error', user, what: `session ended: ${reason}` });
    if (wasOnline) {
      const unproven = reason === undefined ? [] : this.#unproven.flat().map((mark) => this.#idOf(mark));
      note({ kind: 'ended', user, unproven });
    }
    this.#unproven = [[], []];
    if (this.#leaves) return;
    setTimeout(
      () => {
        if (!this.#leaves) void this.login();
      },
      repeatDelay(this.#failures, undefined),
    );
    this.#failures += 1;
  }

  #turn(): void {
    this.#unproven = [[], this.#unproven[0] ?? []];
  }

  /** Its own, as an error: nobody got it. */
  #isReturned(mark: Mark): boolean {
    const { from, to } = this.#idOf(mark);
    return from === this.number && to !== this.number;
  }

  #idOf({ pair, seq }: Mark): MessageId {
    const { everybody } = this.#company;
    return { from: Math.floor(pair / everybody), to: pair % everybody, seq };
  }
}
