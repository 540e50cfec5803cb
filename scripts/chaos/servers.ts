/** What a run asks of the ejabberd nodes themselves, from a hidden node of its own: accounts, sessions, cut links. */

import { type Term, Tuple } from '../../src/etf/terms.js';
import { loadCookie } from '../../src/node/cookie.js';
import { HiddenNode } from '../../src/node/hidden-node.js';
import { nodeTls } from '../support/node-tls.js';
import { nameOf, PASSWORD } from './person.js';

const TIMEOUT_MS = 60_000;
/** Accounts made by one call: a password takes some milliseconds to hash. */
const CHUNK = 50;

export class Servers {
  readonly #node: HiddenNode;

  private constructor(node: HiddenNode) {
    this.#node = node;
  }

  /** @param home where `.erlang.cookie` lies */
  static async connect(home: string, epmdPort: number): Promise<Servers> {
    const name = `chaos_${process.pid}@localhost`;
    const node = await HiddenNode.start({
      name,
      cookie: loadCookie({ home }),
      epmd: { port: epmdPort },
      ...nodeTls(home),
    });
    return new Servers(node);
  }

  stop(): Promise<void> {
    return this.#node.stop();
  }

  /** Accounts for so many users; those that there are stay. Everybody there before has nothing in store. */
  async register(server: string, host: string, users: number): Promise<void> {
    for (let first = 0; first < users; first += CHUNK) {
      const names = Array.from({ length: Math.min(CHUNK, users - first) }, (_, n) => nameOf(first + n));
      const all = names.map((name) => `<<"${name}">>`).join(',');
      await this.evaluate(
        server,
        `Self = self(),
         Make = fun(User) ->
           ejabberd_auth:try_register(User, <<"${host}">>, <<"${PASSWORD}">>),
           mod_offline:remove_user(User, <<"${host}">>),
           Self ! done
         end,
         Users = [${all}],
         [spawn(fun() -> Make(User) end) || User <- Users],
         [receive done -> ok end || _ <- Users], ok.`,
      );
    }
  }

  /** How many sessions each user has, as that server sees the cluster. */
  async sessions(server: string, host: string): Promise<Map<number, number>> {
    const text = await this.print(
      server,
      `[User || {<<"chaos", User/binary>>, _, _} <- ejabberd_sm:get_vh_session_list(<<"${host}">>)]`,
    );
    const counts = new Map<number, number>();
    for (const [, user] of text.matchAll(/<<"(\d+)">>/g)) {
      counts.set(Number(user), (counts.get(Number(user)) ?? 0) + 1);
    }
    return counts;
  }

  /** As `~0p` prints it. */
  async print(server: string, expression: string): Promise<string> {
    const value = await this.evaluate(
      server,
      `unicode:characters_to_binary(io_lib:format("~0p", [begin ${expression} end])).`,
    );
    return Buffer.from(value as Uint8Array).toString();
  }

  async evaluate(server: string, expressions: string): Promise<Term> {
    await this.#node.connect(server);
    const call = (module: string, fun: string, ...args: Term[]): Promise<Term> =>
      this.#node.rpc(server, module, fun, args, TIMEOUT_MS);
    const tokens = element(await call('erl_scan', 'string', [...Buffer.from(expressions)]), 1);
    const parsed = element(await call('erl_parse', 'parse_exprs', tokens), 1);
    return element(await call('erl_eval', 'exprs', parsed, []), 1);
  }

  /** From the server's side, as an operator would: all nodes whose name begins so, which are the workers of a gateway. */
  async disconnectAll(server: string, prefix: string): Promise<void> {
    await this.evaluate(
      server,
      `[erlang:disconnect_node(Node) || Node <- nodes(hidden), lists:prefix("${prefix}", atom_to_list(Node))], ok.`,
    );
  }
}

function element(term: Term, index: number): Term {
  const value = term instanceof Tuple ? term.elements[index] : undefined;
  if (value === undefined) throw new Error(`no element ${index}`);
  return value;
}
