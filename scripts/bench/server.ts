/**
 * What is measured: a fresh private ejabberd, made by the development scripts, that serves BOSH by itself or through
 * a gateway. A hidden node of our own looks inside.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCookie } from '../../src/node/cookie.js';
import { HiddenNode } from '../../src/node/hidden-node.js';
import { Instance } from '../../test/ejabberd/support/instance.js';
import { setModuleOptions } from '../../test/ejabberd/support/module-options.js';
import { cpuSeconds, family, residentBytes } from './linux-process.js';
import { Load } from './load/load.js';
import type { Usage } from './usage.js';

export const KINDS = ['own', 'megaphone'] as const;
export type Kind = (typeof KINDS)[number];

export const NAMES: Readonly<Record<Kind, string>> = { own: "ejabberd's own BOSH", megaphone: 'Megaphone' };

export class Server {
  readonly kind: Kind;
  readonly url: string;
  /** Connected to ejabberd. */
  readonly probe: HiddenNode;
  readonly ejabberd: string;
  /** Where another node finds them: the cookie and EPMD. */
  readonly home: string;
  readonly epmdPort: number;
  readonly #instance: Instance;
  readonly #pids: readonly [ejabberd: number, gateway: number | undefined];

  private constructor(kind: Kind, hasGateway: boolean, instance: Instance, probe: HiddenNode) {
    const pid = (part: string): number => {
      const folder = `${part}${instance.env.MEGAPHONE_INSTANCE}`;
      return Number(readFileSync(join(instance.var, folder, `${part}.pid`), 'utf8'));
    };
    this.kind = kind;
    this.url = kind === 'own' ? instance.ejabberdUrl : instance.gatewayUrl;
    this.probe = probe;
    this.ejabberd = instance.ejabberdNode;
    this.home = instance.var;
    this.epmdPort = Number(instance.env.ERL_EPMD_PORT);
    this.#instance = instance;
    this.#pids = [pid('ejabberd'), hasGateway ? pid('gateway') : undefined];
  }

  /**
   * @param maxWait seconds that mod_megaphone may hold a request, where not its default
   * @param gateway false to do without: then `url` leads nowhere
   */
  static async start(
    kind: Kind,
    { maxWait, gateway = kind === 'megaphone' }: { maxWait?: number; gateway?: boolean } = {},
  ): Promise<Server> {
    // On its way out the instance ends its servers; Ctrl-C alone would not let it.
    process.once('SIGINT', () => process.exit(130));
    const instance = await Instance.start({ gateway });
    if (maxWait !== undefined) await setModuleOptions(instance, { mod_megaphone: { max_wait: maxWait } });
    const probe = await HiddenNode.start({
      name: `bench_${process.pid}@localhost`,
      cookie: loadCookie({ home: instance.var }),
      epmd: { port: Number(instance.env.ERL_EPMD_PORT) },
    });
    await probe.connect(instance.ejabberdNode);
    return new Server(kind, gateway, instance, probe);
  }

  /** Bytes. */
  memory(): Usage {
    return this.#usage(residentBytes);
  }

  /** Seconds since the start. */
  cpu(): Usage {
    return this.#usage(cpuSeconds);
  }

  /** Some users come and go, so that all code is loaded and does not count as theirs. */
  async warmUp(): Promise<void> {
    const load = await Load.start({ url: this.url, host: 'localhost', users: 20 });
    const pace = { concurrency: 5, perSecond: 50 };
    await load.login(pace);
    await load.logout(pace);
    load.close();
  }

  async stop(): Promise<void> {
    await this.probe.stop();
    await this.#instance.stop();
  }

  #usage(of: (pid: number) => number): Usage {
    const [ejabberd, gateway] = this.#pids;
    // The gateway may be several processes.
    const processes = gateway === undefined ? [] : family(gateway);
    return { ejabberd: of(ejabberd), gateway: processes.reduce((sum, pid) => sum + of(pid), 0) };
  }
}
