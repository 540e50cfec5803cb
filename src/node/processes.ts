/** What lives on this node: what is registered under a name, the pids with id ≥ 1, which have one owner, and calls. */

import type { ProcessId } from '../distribution/control.js';
import type { Inbox } from '../distribution/inbox.js';
import { MegaphoneError } from '../errors.js';
import { decodeVersioned } from '../etf/decode.js';
import { EtfError } from '../etf/error.js';
import type { Pid, Term } from '../etf/terms.js';
import type { Calls } from './calls.js';

/** What owns the pids with id ≥ 1. */
export type PidOwner = Pick<Inbox, 'deliver'> & { isAlive(pid: Pid): boolean };

/** What is registered under a name. */
export interface NamedProcess {
  /** @param message what it was sent; its binaries are views of what was received */
  deliver(message: Term, peer: string): void;
}

export class Processes implements Inbox {
  readonly unusable: Inbox['unusable'];
  readonly #node: string;
  readonly #creation: number;
  readonly #calls: Calls;
  readonly #named = new Map<string, NamedProcess>();
  #owner: PidOwner | undefined;

  /** @param unusable is told of what nobody here can use */
  constructor(node: string, creation: number, calls: Calls, unusable: Inbox['unusable']) {
    this.#node = node;
    this.#creation = creation;
    this.#calls = calls;
    this.unusable = unusable;
  }

  /** @throws MegaphoneError NODE_NAME_REGISTERED */
  register(name: string, process: NamedProcess): void {
    if (this.#named.has(name)) {
      throw new MegaphoneError('NODE_NAME_REGISTERED', `The name ${name} is registered already`);
    }
    this.#named.set(name, process);
  }

  /** `false`: it was not registered. */
  unregister(name: string): boolean {
    return this.#named.delete(name);
  }

  adopt(owner: PidOwner): void {
    this.#owner = owner;
  }

  deliver(to: Pid, bytes: Buffer, start: number, end: number, peer: string): void {
    if (!this.#isOurs(to)) return;
    if (to.id === 0) this.#calls.deliver(to.serial, bytes.subarray(start, end));
    else this.#owner?.deliver(to, bytes, start, end, peer);
  }

  deliverToName(name: string, payload: Buffer, peer: string): void {
    const process = this.#named.get(name);
    if (process === undefined) return;
    let message: Term;
    try {
      message = decodeVersioned(payload);
    } catch (error) {
      // A term beyond the limits is the sender's business: neither the connection nor anybody else suffers from it.
      if (!(error instanceof EtfError)) throw error;
      this.unusable(error, peer);
      return;
    }
    process.deliver(message, peer);
  }

  isAlive(process: ProcessId): boolean {
    if (typeof process === 'string') return this.#named.has(process);
    if (!this.#isOurs(process)) return false;
    if (process.id === 0) return process.serial === 0 || this.#calls.has(process.serial);
    return this.#owner?.isAlive(process) ?? false;
  }

  /** A pid of an earlier life of this node has another creation. */
  #isOurs(pid: Pid): boolean {
    return pid.creation === this.#creation && pid.node === this.#node;
  }
}
