/** A node beside an instance's ejabberd, from which a test looks into the server and does it harm. */

import type { Instance } from '../../../scripts/support/instance.js';
import { nodeTls } from '../../../scripts/support/node-tls.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { formatTerm } from '../../../src/etf/format.js';
import { Atom, atom, Pid, type Term, Tuple } from '../../../src/etf/terms.js';
import { loadCookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';

export class ServerNode {
  readonly #node: HiddenNode;
  readonly #server: string;
  readonly #gateway: string;

  private constructor(node: HiddenNode, { ejabberdNode, gatewayNode }: Instance) {
    this.#node = node;
    this.#server = ejabberdNode;
    this.#gateway = gatewayNode;
  }

  static async connect(instance: Instance, name = 'test'): Promise<ServerNode> {
    const node = await HiddenNode.start({
      name: `${name}_${process.pid}@localhost`,
      cookie: loadCookie({ home: instance.var }),
      epmd: { port: Number(instance.env.ERL_EPMD_PORT) },
      ...nodeTls(instance.var, instance.env),
    });
    await node.connect(instance.ejabberdNode);
    return new ServerNode(node, instance);
  }

  /** Again, after the server was restarted. */
  reconnect(): Promise<void> {
    return this.#node.connect(this.#server);
  }

  stop(): Promise<void> {
    return this.#node.stop();
  }

  call(module: string, fun: string, ...args: Term[]): Promise<Term> {
    return this.#node.rpc(this.#server, module, fun, args, 60_000);
  }

  /** What mod_megaphone counts. */
  async counted(name: string): Promise<number> {
    return Number(member(await this.call('megaphone_stats', 'all'), name));
  }

  /** What the gateway tells of itself, or a member of that. */
  async gatewayTells(what: 'health' | 'stats', ...path: readonly string[]): Promise<Term | undefined> {
    await this.#node.connect(this.#gateway);
    const report = await this.#node.call(this.#gateway, 'megaphone', atom(what), 30_000);
    return path.reduce<Term | undefined>(member, report);
  }

  /** The value of Erlang expressions. */
  async evaluate(expressions: string): Promise<Term> {
    const tokens = element(await this.call('erl_scan', 'string', [...Buffer.from(expressions)]), 1);
    const parsed = element(await this.call('erl_parse', 'parse_exprs', tokens), 1);
    return element(await this.call('erl_eval', 'exprs', parsed, []), 1);
  }

  /** As printed by `~0p`. */
  async print(expressions: string): Promise<string> {
    const value = await this.evaluate(
      `unicode:characters_to_binary(io_lib:format("~0p", [begin ${expressions.replace(/\.\s*$/, '')} end])).`,
    );
    return Buffer.from(value as Uint8Array).toString();
  }

  /** Whatever the server routes to `domain` goes to `take`, as Erlang terms. */
  async watch(domain: string, take: (stanza: Tuple) => void): Promise<void> {
    const pid = new Pid(this.#node.name, 1, 1, this.#node.creation);
    this.#node.adoptPids({
      isAlive: () => true,
      deliver: (_, bytes, start, end) => {
        const route = decodeVersioned(bytes.subarray(start, end));
        const stanza = element(route, 1);
        if (stanza instanceof Tuple) take(stanza);
      },
    });
    await this.call(
      'ejabberd_router',
      'register_route',
      Buffer.from(domain),
      Buffer.from('localhost'),
      atom('undefined'),
      pid,
    );
  }
}

/** Of a map whose keys are atoms or strings. */
function member(map: Term | undefined, key: string): Term | undefined {
  if (!(map instanceof Map)) throw new Error(`no member ${key}: ${formatTerm(map ?? [])}`);
  for (const [name, value] of map as ReadonlyMap<Term, Term>) {
    if ((name instanceof Atom ? name.name : String(name)) === key) return value;
  }
  return undefined;
}

export function element(term: Term | undefined, index: number): Term {
  const value = term instanceof Tuple ? term.elements[index] : undefined;
  if (value === undefined) throw new Error(`no element ${index}: ${formatTerm(term ?? [])}`);
  return value;
}

export const nameOf = (term: Term | undefined): string => (term instanceof Atom ? term.name : '');
