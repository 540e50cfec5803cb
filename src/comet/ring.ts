/**
 * The gateway's own ring: where no node has the application, the gateway is the origin itself. It keeps the latest messages of each id that
 * it sent, bounded by their count, by how long the id was silent, and by what all of them take. Numbers are dense for an id; a row begins
 * with the time in microseconds, so that all of them are larger than those of an earlier row, or of an earlier life.
 */

import { alone, type Content, type Message } from './message.js';

export interface RingLimits {
  /** Of an id. */
  readonly count: number;
  readonly seconds: number;
  /** Of all together. */
  readonly bytes: number;
}

interface Row {
  number: number;
  readonly messages: Message[];
  /** The second of its last message, or at which nobody followed it any more. */
  at: number;
}

/** Ids without a message, of which a number was told: anybody may ask for ids that nobody has. */
const MAX_SILENT = 100_000;
/** What a message takes beside its content, and an id beside its messages, about. */
const OVERHEAD = 400;

export class Ring {
  readonly #limits: RingLimits;
  /** In the order of `at`. */
  readonly #rows = new Map<string, Row>();
  /** Likewise: numbers of ids that have no row. */
  readonly #silent = new Map<string, { readonly number: number; readonly at: number }>();
  #messages = 0;
  #bytes = 0;
  /** Of all numbers: none is smaller than the time at which this life began. */
  #highest = Date.now() * 1000;
  /** Seconds. */
  #now = 0;

  constructor(limits: RingLimits) {
    this.#limits = limits;
  }

  get size(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** Of the last message; `undefined`: nothing is known of that id. */
  number(id: string): number | undefined {
    return this.#rows.get(id)?.number ?? this.#silent.get(id)?.number;
  }

  /** Where a row begins: behind all numbers there were, also where the clock was set back. */
  begin(): number {
    this.#highest = Math.max(Date.now() * 1000, this.#highest + 1);
    return this.#highest;
  }

  /** It has the next number, behind that of the row, or behind `last` where there is none. */
  add(id: string, content: Content, last: number): Message {
    const row = this.#touch(id, last);
    row.number += 1;
    this.#highest = Math.max(this.#highest, row.number);
    const message = { number: row.number, content: alone(content) };
    if (this.#limits.count === 0 || this.#limits.seconds === 0) return message;
    row.messages.push(message);
    this.#messages += 1;
    this.#bytes += sizeInRing(message);
    if (row.messages.length > this.#limits.count) this.#shift(row);
    this.#makeRoom();
    return message;
  }

  /** Nobody follows it any more: its number is known for a while. */
  linger(id: string, number: number): void {
    if (this.#rows.has(id)) {
      this.#touch(id, number);
      return;
    }
    this.#silent.delete(id);
    this.#silent.set(id, { number, at: this.#now });
    if (this.#silent.size <= MAX_SILENT) return;
    for (const first of this.#silent.keys()) {
      this.#silent.delete(first);
      return;
    }
  }

  /** Those behind that number, and whether that is all of them. */
  since(
    id: string,
    since: number,
    last: number,
  ): { readonly messages: readonly Message[]; readonly isWhole: boolean } {
    const messages = this.#rows.get(id)?.messages.filter(({ number }) => number > since) ?? [];
    // Who had none has all of them as long as none had to make room.
    const isWhole = since === 0 ? messages.length < this.#limits.count : messages.length >= last - since;
    return { messages, isWhole };
  }

  tick(now: number): void {
    this.#now = now;
    const isOver = ({ at }: { readonly at: number }): boolean => at + this.#limits.seconds < now;
    for (const [id, row] of this.#rows) {
      if (!isOver(row)) break;
      this.#delete(id, row);
    }
    for (const [id, each] of this.#silent) {
      if (!isOver(each)) return;
      this.#silent.delete(id);
    }
  }

  #touch(id: string, number: number): Row {
    const known = this.#rows.get(id);
    const row = known ?? { number: this.#silent.get(id)?.number ?? number, messages: [], at: 0 };
    this.#silent.delete(id);
    row.at = this.#now;
    if (known === undefined) this.#bytes += OVERHEAD;
    this.#rows.delete(id);
    this.#rows.set(id, row);
    return row;
  }

  /** Those that were silent for longest go first, and of the last one its oldest messages. */
  #makeRoom(): void {
    for (const [id, row] of this.#rows) {
      if (this.#bytes <= this.#limits.bytes) return;
      if (this.#rows.size > 1) this.#delete(id, row);
      else while (this.#bytes > this.#limits.bytes && row.messages.length > 0) this.#shift(row);
    }
  }

  #delete(id: string, row: Row): void {
    this.#rows.delete(id);
    this.#bytes -= OVERHEAD;
    while (row.messages.length > 0) this.#shift(row);
  }

  #shift(row: Row): void {
    const message = row.messages.shift();
    if (message === undefined) return;
    this.#messages -= 1;
    this.#bytes -= sizeInRing(message);
  }
}

const sizeInRing = ({ content }: Message): number => content.size + OVERHEAD;
