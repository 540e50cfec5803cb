/**
 * A fresh private ejabberd, made by the development scripts, that serves web clients by itself, by itself behind
 * haproxy, or through a gateway. A hidden node of our own looks inside.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atom, type Term, Tuple } from '../../../src/etf/terms.js';
import { loadCookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import type { Transport } from '../../load/user.js';
import { Instance } from '../../support/instance.js';
import { setModuleOptions } from '../../support/module-options.js';
import { Haproxy } from './haproxy.js';
import { Server } from './server.js';

const TIMEOUT_MS = 60_000;

export type Front = 'none' | 'haproxy' | 'megaphone';

interface Options {
  readonly front: Front;
  readonly transport: Transport;
  /** Seconds that mod_megaphone may hold a request, where not its default. */
  readonly maxWait?: number;
  /** That it may run on, written as for taskset(1). */
  readonly cores?: string;
}

export class EjabberdServer extends Server {
  /** Connected to ejabberd. */
  readonly probe: HiddenNode;
  readonly node: string;
  /** Where another node finds them: the cookie and EPMD. */
  readonly home: string;
  readonly epmdPort: number;
  readonly #instance: Instance;
  readonly #haproxy: Haproxy | undefined;

  private constructor(
    url: string,
    transport: Transport,
    instance: Instance,
    probe: HiddenNode,
    front: Haproxy | number | undefined,
  ) {
    super(url, transport, pidOf(instance, 'ejabberd'), front instanceof Haproxy ? front.pid : front);
    this.probe = probe;
    this.node = instance.ejabberdNode;
    this.home = instance.var;
    this.epmdPort = Number(instance.env.ERL_EPMD_PORT);
    this.#instance = instance;
    this.#haproxy = front instanceof Haproxy ? front : undefined;
  }

  static async start({ front, transport, maxWait, cores }: Options): Promise<EjabberdServer> {
    // On its way out the instance ends its servers; Ctrl-C alone would not let it.
    process.once('SIGINT', () => process.exit(130));
    const gateway = front === 'megaphone';
    const instance = await Instance.start({ gateway, ...(cores === undefined ? {} : { cores }) });
    if (maxWait !== undefined) await setModuleOptions(instance, { mod_megaphone: { max_wait: maxWait } });
    const probe = await HiddenNode.start({
      name: `bench_${process.pid}@localhost`,
      cookie: loadCookie({ home: instance.var }),
      epmd: { port: Number(instance.env.ERL_EPMD_PORT) },
    });
    await probe.connect(instance.ejabberdNode);
    if (front === 'haproxy') {
      // The gateway's port, which nobody else has.
      const port = Number(instance.env.MEGAPHONE_HTTP_PORT);
      const haproxy = await Haproxy.start(instance.ejabberdUrl, port, instance.var, cores);
      return new EjabberdServer(haproxy.url, transport, instance, probe, haproxy);
    }
    const urls = {
      bosh: gateway ? instance.gatewayUrl : instance.ejabberdUrl,
      websocket: gateway ? instance.gatewayWebSocketUrl : instance.ejabberdWebSocketUrl,
    };
    const pid = gateway ? pidOf(instance, 'gateway') : undefined;
    return new EjabberdServer(urls[transport], transport, instance, probe, pid);
  }

  async statistics(item: string): Promise<readonly Term[]> {
    const value = await this.probe.rpc(this.node, 'erlang', 'statistics', [atom(item)], TIMEOUT_MS);
    return value instanceof Tuple ? value.elements : [];
  }

  async stop(): Promise<void> {
    this.#haproxy?.stop();
    await this.probe.stop();
    await this.#instance.stop();
  }
}

function pidOf(instance: Instance, part: string): number {
  const folder = `${part}${instance.env.MEGAPHONE_INSTANCE}`;
  return Number(readFileSync(join(instance.var, folder, `${part}.pid`), 'utf8'));
}
