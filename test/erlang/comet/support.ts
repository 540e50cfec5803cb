/** Gateways that hold pages, in this process, each a hidden node of its own; pages keep what they are written. */

import { pino } from 'pino';
import { Epmd } from '../../../scripts/support/epmd.js';
import { Erl } from '../../../scripts/support/erl.js';
import { Comet } from '../../../src/comet/comet.js';
import type { Form, Listening, Page } from '../../../src/comet/ports.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { Counters } from '../../../src/observe/counters.js';

const COOKIE = 'comet-tests';
const TICK_MS = 1000;
const SILENT = pino({ level: 'silent' });

export class Gateway {
  readonly node: HiddenNode;
  readonly comet: Comet;
  readonly counters = new Counters();
  readonly #clock: NodeJS.Timeout;

  constructor(node: HiddenNode, routers: readonly Erl[]) {
    this.node = node;
    const nodes = routers.map(({ name }) => ({ name }));
    const ring = { count: 64, seconds: 60, bytes: 64 * 1024 * 1024 };
    this.comet = new Comet(node, { nodes, ring, processes: 1 }, this.counters, SILENT);
    this.comet.connect();
    let now = 0;
    this.comet.tick(now);
    this.#clock = setInterval(() => this.comet.tick(++now), TICK_MS);
  }

  get welcome(): number {
    return this.comet.gauges().routers.filter(({ state }) => state === 'welcome').length;
  }

  async stop(): Promise<void> {
    clearInterval(this.#clock);
    this.comet.stop();
    await this.node.stop();
  }
}

/** A browser's page with an event stream: what it got, and its place. */
export class Reader implements Page {
  readonly form: Form = 'sse';
  readonly events: string[] = [];
  readonly ids: readonly string[];
  place: string | undefined;
  gaps = 0;
  #listening: Listening | undefined;

  constructor(...ids: string[]) {
    this.ids = ids;
  }

  /** At this gateway from now on. */
  open({ comet }: Gateway): this {
    this.#listening?.leave();
    this.#listening = comet.listen(this, this.ids, this.place);
    return this;
  }

  close(): void {
    this.#listening?.leave();
    this.#listening = undefined;
  }

  write(bytes: Buffer): void {
    for (const event of bytes.toString().split('\n\n').slice(0, -1)) {
      const lines = event.split('\n');
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      this.place = field('id')[0] ?? this.place;
      const [name] = field('event');
      if (name === 'gap') this.gaps += 1;
      else if (name !== 'place') this.events.push(field('data').join('\n'));
    }
  }
}

export class Cluster {
  readonly #epmd: Epmd;
  readonly #nodes: Erl[] = [];
  readonly #gateways: Gateway[] = [];

  static async start(): Promise<Cluster> {
    return new Cluster(await Epmd.start());
  }

  private constructor(epmd: Epmd) {
    this.#epmd = epmd;
  }

  async erl(alive: string, args: readonly string[] = []): Promise<Erl> {
    const erl = await Erl.start({
      ...{ name: `${alive}@localhost`, cookie: COOKIE, epmdPort: this.#epmd.port },
      args,
    });
    this.#nodes.push(erl);
    return erl;
  }

  /** With the application. */
  async router(alive: string): Promise<Erl> {
    const erl = await this.erl(alive, ['-pa', 'dist/erl/megaphone_comet/ebin']);
    await startApplication(erl);
    return erl;
  }

  async gateway(alive: string, routers: readonly Erl[] = []): Promise<Gateway> {
    const node = await HiddenNode.start({
      ...{ name: `${alive}@localhost`, cookie: new Cookie(COOKIE), epmd: { port: this.#epmd.port } },
    });
    const gateway = new Gateway(node, routers);
    this.#gateways.push(gateway);
    return gateway;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.stop()));
    await Promise.all(this.#nodes.map((erl) => erl.kill()));
    await this.#epmd.stop();
  }
}

export async function startApplication(erl: Erl): Promise<void> {
  await erl.evaluate('{ok, _} = application:ensure_all_started(megaphone_comet), ok');
}
