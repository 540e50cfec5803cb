/** Where the memory of an Erlang node goes, as the node itself sees it. Asking runs no garbage collection there. */

import { Atom, atom, Pid, type Term, Tuple } from '../../../src/etf/terms.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';

export interface ErlangMemory {
  /** `erlang:memory()`: bytes by kind. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Bytes of each ETS table; unnamed ones of one name are added up. */
  readonly tables: ReadonlyMap<string, number>;
  readonly processes: number;
}

/** What the processes of one kind have in common. */
export interface ProcessKind {
  /** The function that they began with. */
  readonly initialCall: string;
  readonly count: number;
  /** Mean, in bytes. */
  readonly memory: number;
}

const TIMEOUT_MS = 60_000;

export async function erlangMemory(probe: HiddenNode, node: string): Promise<ErlangMemory> {
  const rpc = (module: string, fun: string, ...args: Term[]) =>
    probe.rpc(node, module, fun, args, TIMEOUT_MS);
  const tables = new Map<string, number>();
  const wordSize = number(await rpc('erlang', 'system_info', atom('wordsize')));
  await Promise.all(
    list(await rpc('ets', 'all')).map(async (table) => {
      const [words, name] = await Promise.all(
        ['memory', 'name'].map((item) => rpc('ets', 'info', table, atom(item))),
      );
      // It may be gone by now.
      if (!(name instanceof Atom) || typeof words !== 'number') return;
      tables.set(name.name, (tables.get(name.name) ?? 0) + words * wordSize);
    }),
  );
  const kinds = list(await rpc('erlang', 'memory')).map((pair): [string, number] => {
    const [kind, bytes] = pair instanceof Tuple ? pair.elements : [];
    return [kind instanceof Atom ? kind.name : '', number(bytes)];
  });
  const processes = number(await rpc('erlang', 'system_info', atom('process_count')));
  return { kinds: new Map(kinds), tables, processes };
}

/** The kinds of processes, from a sample of this many of them, the largest share first. */
export async function processKinds(probe: HiddenNode, node: string, sample: number): Promise<ProcessKind[]> {
  const rpc = (module: string, fun: string, ...args: Term[]) =>
    probe.rpc(node, module, fun, args, TIMEOUT_MS);
  const pids = list(await rpc('erlang', 'processes')).filter((pid) => pid instanceof Pid);
  const step = Math.max(1, pids.length / sample);
  const chosen = Array.from(
    { length: Math.floor(pids.length / step) },
    (_, index) => pids[Math.floor(index * step)],
  );
  const sums = new Map<string, { count: number; memory: number }>();
  await Promise.all(
    chosen.map(async (pid) => {
      if (pid === undefined) return;
      const [call, info] = await Promise.all([
        rpc('proc_lib', 'translate_initial_call', pid),
        rpc('erlang', 'process_info', pid, atom('memory')),
      ]);
      if (!(info instanceof Tuple)) return;
      const kind = sums.get(initialCall(call)) ?? { count: 0, memory: 0 };
      sums.set(initialCall(call), kind);
      kind.count += 1;
      kind.memory += number(info.elements[1]);
    }),
  );
  return [...sums]
    .map(([name, { count, memory }]) => ({
      initialCall: name,
      count: Math.round(count * step),
      memory: memory / count,
    }))
    .sort((a, b) => b.count * b.memory - a.count * a.memory);
}

/** `{Module, Function, Arity}`. */
function initialCall(call: Term): string {
  const [module, fun] = call instanceof Tuple ? call.elements : [];
  return `${module instanceof Atom ? module.name : '?'}:${fun instanceof Atom ? fun.name : '?'}`;
}

function list(term: Term): readonly Term[] {
  if (!Array.isArray(term)) throw new Error('ejabberd answered no list');
  return term;
}

function number(term: Term | undefined): number {
  if (typeof term !== 'number') throw new Error('ejabberd answered no number');
  return term;
}
