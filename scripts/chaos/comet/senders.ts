/** One process on each node that sends to ids taken by chance, and counts what it sent to each. */

import { type Term, Tuple } from '../../../src/etf/terms.js';
import type { Mark } from './ledger.js';
import type { Stage } from './stage.js';

/** `SENDER ID NUMBER`; it numbers what it sends to an id from 1 on. */
const SENDER = (name: string, ids: number, pauseMs: number): string => `
  Send = fun Send(Counts, Pause) ->
    receive
      {counts, From} -> From ! {counts, maps:to_list(Counts)}, Send(Counts, Pause);
      stop -> Send(Counts, infinity)
    after Pause ->
      Id = rand:uniform(${ids}),
      Number = maps:get(Id, Counts, 0) + 1,
      megaphone_router:send(Id, iolist_to_binary(io_lib:format("${name} ~b ~b", [Id, Number]))),
      Send(Counts#{Id => Number}, Pause)
    end
  end,
  Test = self(),
  spawn(fun() -> register(sender, self()), Test ! registered, Send(#{}, ${pauseMs}) end),
  receive registered -> ok end`;

export class Senders {
  readonly #stage: Stage;
  readonly #ids: number;
  readonly #pauseMs: number;
  /** How often each node was started. */
  readonly #lives: number[];

  private constructor(stage: Stage, ids: number, rate: number) {
    this.#stage = stage;
    this.#ids = ids;
    this.#pauseMs = Math.max(1, Math.round((1000 * stage.nodes) / rate));
    this.#lives = Array.from({ length: stage.nodes }, () => 0);
  }

  /** @param rate messages a second, of all together */
  static async start(stage: Stage, ids: number, rate: number): Promise<Senders> {
    const senders = new Senders(stage, ids, rate);
    for (let node = 1; node <= stage.nodes; node += 1) await senders.begin(node);
    return senders;
  }

  /** Whoever sends there after a restart is another one. */
  async begin(node: number): Promise<void> {
    this.#lives[node - 1] = (this.#lives[node - 1] ?? 0) + 1;
    await this.#stage.node(node).evaluate(SENDER(this.nameOf(node), this.#ids, this.#pauseMs));
  }

  /** Of those that live: how much they sent to each id until now. */
  async marks(): Promise<Mark[]> {
    const all = Array.from({ length: this.#stage.nodes }, (_, n) => this.#marksOf(n + 1));
    return (await Promise.all(all)).flat();
  }

  /** They send no more, and tell what they sent. */
  async stop(): Promise<void> {
    for (let node = 1; node <= this.#stage.nodes; node += 1)
      await this.#stage.node(node).evaluate('sender ! stop');
  }

  async #marksOf(node: number): Promise<Mark[]> {
    const counts = await this.#stage
      .node(node)
      .evaluate('sender ! {counts, self()}, receive {counts, Counts} -> Counts end');
    const from = this.nameOf(node);
    return (counts as readonly Term[]).map((pair) => {
      const [id, count] = pair instanceof Tuple ? pair.elements : [];
      return { from, to: String(id), count: Number(count) };
    });
  }

  /** Of the one that is there now. */
  nameOf(node: number): string {
    return `web${node}.${this.#lives[node - 1]}`;
  }
}
