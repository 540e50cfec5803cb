/**
 * Who at the peer wants to know about the end of one of our processes: monitors and links.
 * Costs nothing for a process that nobody watches.
 */

import { MegaphoneError } from '../errors.js';
import type { Pid, Reference } from '../etf/terms.js';
import type { ProcessId } from './control.js';

export type Watch =
  | { readonly kind: 'monitor'; readonly target: ProcessId; readonly watcher: Pid; readonly ref: Reference }
  | { readonly kind: 'link'; readonly target: Pid; readonly watcher: Pid };

/** A peer that watches more than this is broken; the bound keeps it from filling our memory. */
const MAX_WATCHES = 1_000_000;

export class Watches {
  readonly #byTarget = new Map<string, Map<string, Watch>>();
  readonly #max: number;
  #size = 0;

  constructor(max: number = MAX_WATCHES) {
    this.#max = max;
  }

  /** @throws MegaphoneError LINK_TOO_MANY_WATCHES */
  add(watch: Watch): void {
    const target = targetKey(watch.target);
    let watches = this.#byTarget.get(target);
    if (watches === undefined) {
      watches = new Map();
      this.#byTarget.set(target, watches);
    }
    const key = watchKey(watch);
    if (watches.has(key)) return;
    if (this.#size === this.#max) {
      throw new MegaphoneError(
        'LINK_TOO_MANY_WATCHES',
        `The peer holds ${this.#max} monitors and links on us`,
      );
    }
    watches.set(key, watch);
    this.#size += 1;
  }

  remove(watch: Watch): void {
    const target = targetKey(watch.target);
    const watches = this.#byTarget.get(target);
    if (watches === undefined || !watches.delete(watchKey(watch))) return;
    this.#size -= 1;
    if (watches.size === 0) this.#byTarget.delete(target);
  }

  /** Takes out what watches `target`, because it ended. */
  take(target: ProcessId): Iterable<Watch> {
    if (this.#size === 0) return [];
    const key = targetKey(target);
    const watches = this.#byTarget.get(key);
    if (watches === undefined) return [];
    this.#byTarget.delete(key);
    this.#size -= watches.size;
    return watches.values();
  }
}

/** All targets are ours and all watchers the peer's, of one creation each: numbers are enough. */
function targetKey(target: ProcessId): string {
  return typeof target === 'string' ? `name ${target}` : `${target.id}.${target.serial}`;
}

function watchKey(watch: Watch): string {
  return watch.kind === 'monitor'
    ? `monitor ${watch.ref.ids.join('.')}`
    : `link ${watch.watcher.id}.${watch.watcher.serial}`;
}
