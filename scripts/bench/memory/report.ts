/** What `make bench-memory` prints of what it measured. */

import { table } from '../lib/table.js';
import type { Usage } from '../lib/usage.js';
import type { ErlangMemory, ProcessKind } from './erlang-memory.js';

export const KINDS = ['own', 'megaphone'] as const;
export type Kind = (typeof KINDS)[number];

export interface Snapshot {
  /** Bytes. */
  readonly resident: Usage;
  readonly erlang: ErlangMemory;
}

export interface Measured {
  /** Before the first user. */
  readonly empty: Usage;
  /** With the first users, before the measured ones. */
  readonly before: Snapshot;
  readonly idle: Snapshot;
  /** After their messages. */
  readonly talked: Snapshot;
  /** Of all processes when idle. */
  readonly processes: readonly ProcessKind[];
}

export interface Crowds {
  /** Users whose growth counts. */
  readonly measured: number;
  /** Those who were there before. */
  readonly first: number;
}

type When = 'idle' | 'talked';
type Part = readonly [name: string, bytes: (snapshot: Snapshot) => number];

const kindOf =
  (...names: readonly string[]) =>
  ({ erlang }: Snapshot): number =>
    names.reduce((total, name) => total + (erlang.kinds.get(name) ?? 0), 0);

/** `erlang:memory()` within what is resident: the rest is what the allocators hold beyond what they gave out. */
const PARTS: readonly Part[] = [
  ['ejabberd, resident', ({ resident }) => resident.server],
  ['  processes', kindOf('processes')],
  ['  ETS tables', kindOf('ets')],
  ['  binaries', kindOf('binary')],
  [
    '  code, atoms, sockets, timers',
    (snapshot) => kindOf('system')(snapshot) - kindOf('ets', 'binary')(snapshot),
  ],
  ['  free in allocators', (snapshot) => snapshot.resident.server - kindOf('total')(snapshot)],
  ['gateway, resident', ({ resident }) => resident.front],
];

export class MemoryReport {
  readonly #of: Readonly<Record<Kind, Measured>>;
  readonly #name: (kind: Kind) => string;
  readonly #crowds: Crowds;

  constructor(of: Readonly<Record<Kind, Measured>>, name: (kind: Kind) => string, crowds: Crowds) {
    this.#name = name;
    this.#of = of;
    this.#crowds = crowds;
  }

  /** Growth per user, of the whole and of its parts. */
  parts(when: When): string {
    const perUser = (kind: Kind, bytes: Part[1]): string => {
      const { before, [when]: after } = this.#of[kind];
      return kilobytes((bytes(after) - bytes(before)) / this.#crowds.measured);
    };
    return table([
      ['per user', ...KINDS.map(this.#name)],
      ...PARTS.map(([name, bytes]) => [name, ...KINDS.map((kind) => perUser(kind, bytes))]),
    ]);
  }

  /** Growth of resident memory from a node without users, per user. */
  fromEmpty(kind: Kind): string {
    const { empty, idle } = this.#of[kind];
    return kilobytes((idle.resident.server - empty.server) / this.#users);
  }

  /** The processes of a user, and the tables that grew by at least 20 bytes with each. */
  details(kind: Kind): string {
    const { before, idle, processes } = this.#of[kind];
    const tables = [...idle.erlang.tables]
      .map(([name, bytes]): [string, number] => {
        const growth = bytes - (before.erlang.tables.get(name) ?? 0);
        return [name, growth / this.#crowds.measured];
      })
      .filter(([, bytes]) => bytes >= 20)
      .sort(([, a], [, b]) => b - a);
    return table([
      ...processes
        .map(({ initialCall, count, memory }) => ({ initialCall, each: count / this.#users, memory }))
        .filter(({ each }) => each >= 0.1)
        .map(({ initialCall, each, memory }) => [
          `  ${initialCall}, ${each.toFixed(2)} of`,
          kilobytes(memory),
        ]),
      ...tables.map(([name, bytes]) => [`  table ${name}`, kilobytes(bytes)]),
    ]);
  }

  /** Of the growth of ejabberd's resident memory. */
  ratio(when: When): string {
    const growth = ({ before, [when]: after }: Measured) => after.resident.server - before.resident.server;
    return (growth(this.#of.own) / growth(this.#of.megaphone)).toFixed(1);
  }

  get #users(): number {
    return this.#crowds.measured + this.#crowds.first;
  }
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(2)} kB`;
