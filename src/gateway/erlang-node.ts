/** What the gateway needs of the hidden node; `HiddenNode` fits, and the core stays free of sockets. */

import type { MegaphoneError } from '../errors.js';
import type { Pid, Term } from '../etf/terms.js';

/** Receives what is sent to the pids (id ≥ 1) that the gateway mints. */
export interface PidOwner {
  /** @param payload one encoded term with its leading 131 */
  deliver(to: Pid, payload: Buffer, peer: string): void;
  isAlive(pid: Pid): boolean;
}

/** Receives what is sent to a registered name. */
export interface NamedProcess {
  deliver(payload: Buffer, from: Pid | undefined, peer: string): void;
}

export interface NodeEvents {
  up: [node: string];
  down: [node: string, error: MegaphoneError];
  unreachable: [node: string, error: MegaphoneError];
}

export interface ErlangNode {
  readonly name: string;
  readonly creation: number;
  register(name: string, process: NamedProcess): void;
  adoptPids(owner: PidOwner): void;
  exited(pid: Pid, reason: Term): void;
  /** `false`: no link, nothing queued. */
  send(to: Pid, payload: Uint8Array): boolean;
  sendToName(node: string, name: string, payload: Uint8Array): boolean;
  monitorName(node: string, name: string, onDown: (reason: Term) => void): () => void;
  rpc(node: string, module: string, fun: string, args: readonly Term[], timeoutMs: number): Promise<Term>;
  on<Name extends keyof NodeEvents>(event: Name, listener: (...args: NodeEvents[Name]) => void): unknown;
}
