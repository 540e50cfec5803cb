/** The running gateway of a configuration, asked over Erlang's distribution, as any node may that knows the cookie. */

import { nodeNames } from '../config/node-names.js';
import type { Config } from '../config/schema.js';
import type { Plain } from '../etf/plain.js';
import { Atom, atom, Float, type Term } from '../etf/terms.js';
import { PROCESS_NAME } from '../gateway/megaphone-process.js';
import type { Cookie } from '../node/cookie.js';
import type { Endpoint } from '../node/epmd-client.js';
import { HiddenNode } from '../node/hidden-node.js';
import { type Command, commandNode, nodeOptions } from '../service/node-options.js';

const TIMEOUT_MS = 10_000;

export class RunningGateway {
  /** Those of its nodes that were reached: with workers each is one. At least one. */
  readonly names: readonly string[];
  readonly #node: HiddenNode;

  /**
   * @param what asks
   * @throws MegaphoneError EPMD_…, NODE_…, HANDSHAKE_…: it was not reached
   */
  static async connect(what: Command, config: Config, cookie: Cookie): Promise<RunningGateway> {
    const node = await HiddenNode.start(nodeOptions(config, commandNode(config, what), cookie));
    try {
      return new RunningGateway(node, await reached(node, config));
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  private constructor(node: HiddenNode, names: readonly string[]) {
    this.#node = node;
    this.names = names;
  }

  /** @throws MegaphoneError NODE_… */
  ask(name: string, request: string): Promise<Term> {
    return this.call(name, atom(request));
  }

  /** @throws MegaphoneError NODE_… */
  call(name: string, request: Term, timeoutMs = TIMEOUT_MS): Promise<Term> {
    return this.#node.call(name, PROCESS_NAME, request, timeoutMs);
  }

  stop(): Promise<void> {
    return this.#node.stop();
  }
}

/** Of a map with binary keys. */
export function member(answer: Term, name: string): Term | undefined {
  if (!(answer instanceof Map)) return undefined;
  for (const [key, value] of answer as ReadonlyMap<Term, Term>) {
    if (key instanceof Uint8Array && Buffer.from(key).toString('utf8') === name) return value;
  }
  return undefined;
}

/** As plain data, what `encodePlain` was given. */
export function plainOf(term: Term | undefined): Plain {
  if (term instanceof Map) {
    const members = [...(term as ReadonlyMap<Term, Term>)].map(([key, value]) => [
      String(plainOf(key)),
      plainOf(value),
    ]);
    return Object.fromEntries(members) as Plain;
  }
  if (Array.isArray(term)) return (term as readonly Term[]).map(plainOf);
  if (term instanceof Uint8Array) return Buffer.from(term).toString('utf8');
  if (term instanceof Float) return term.value;
  if (term instanceof Atom) return term.name === 'true' || (term.name === 'false' ? false : null);
  return typeof term === 'bigint' ? Number(term) : typeof term === 'number' ? term : null;
}

async function reached(node: HiddenNode, config: Config): Promise<string[]> {
  const names = nodeNames(config);
  const attempts = await Promise.allSettled(
    names.map((name, index) => node.connect(name, endpointOf(config, index))),
  );
  const found = names.filter((_, index) => attempts[index]?.status === 'fulfilled');
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (found.length === 0) throw failed?.reason;
  return found;
}

/** `undefined`: EPMD knows it. */
export function endpointOf({ epmd_port, distribution_port, distribution_ip }: Config, index: number) {
  if (epmd_port !== 0 || distribution_port === 0) return undefined;
  const host = distribution_ip === '::' || distribution_ip === '0.0.0.0' ? '127.0.0.1' : distribution_ip;
  return { host, port: distribution_port + index } satisfies Endpoint;
}
