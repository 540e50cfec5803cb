/**
 * What is measured: a fresh private ejabberd, made by the development scripts, that serves BOSH by itself, by itself
 * behind haproxy, or through a gateway. A hidden node of our own looks inside.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { cpuSeconds, family, residentBytes } from '../../load/linux-process.js';
import { Load } from '../../load/load.js';
import { Instance } from '../../support/instance.js';
import { setModuleOptions } from '../../support/module-options.js';
import { Haproxy } from './haproxy.js';
import type { Usage } from './usage.js';

export const KINDS = ['own', 'megaphone'] as const;
export type Kind = (typeof KINDS)[number];

/** With ejabberd's own BOSH behind haproxy beside them. */
export const SUBJECTS = ['own', 'haproxy', 'megaphone'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export const NAMES: Readonly<Record<SubjectName, string>> = {
  own: "ejabberd's own BOSH",
  haproxy: 'own BOSH behind haproxy',
  megaphone: 'Megaphone',
};

interface Options {
  /** Seconds that mod_megaphone may hold a request, where not its default. */
  readonly maxWait?: number;
  /** False to do without: then `url` leads nowhere. */
  readonly gateway?: boolean;
  /** That it may run on, written as for taskset(1). */
  readonly cores?: string;
}

export class Server {
  readonly url: string;
  /** Connected to ejabberd. */
  readonly probe: HiddenNode;
  readonly ejabberd: string;
  /** Where another node finds them: the cookie and EPMD. */
  readonly home: string;
  readonly epmdPort: number;
  readonly ejabberdPid: number;
  readonly #instance: Instance;
  readonly #haproxy: Haproxy | undefined;
  readonly #frontPid: number | undefined;

  private constructor(
    url: string,
    instance: Instance,
    probe: HiddenNode,
    front: Haproxy | number | undefined,
  ) {
    this.url = url;
    this.probe = probe;
    this.ejabberd = instance.ejabberdNode;
    this.home = instance.var;
    this.epmdPort = Number(instance.env.ERL_EPMD_PORT);
    this.ejabberdPid = pidOf(instance, 'ejabberd');
    this.#instance = instance;
    this.#haproxy = typeof front === 'object' ? front : undefined;
    this.#frontPid = typeof front === 'object' ? front.pid : front;
  }

  static async start(kind: SubjectName, options: Options = {}): Promise<Server> {
    const { maxWait, gateway = kind === 'megaphone', cores } = options;
    // On its way out the instance ends its servers; Ctrl-C alone would not let it.
    process.once('SIGINT', () => process.exit(130));
    const instance = await Instance.start({ gateway, ...(cores === undefined ? {} : { cores }) });
    if (maxWait !== undefined) await setModuleOptions(instance, { mod_megaphone: { max_wait: maxWait } });
    const probe = await HiddenNode.start({
      name: `bench_${process.pid}@localhost`,
      cookie: loadCookie({ home: instance.var }),
      epmd: { port: Number(instance.env.ERL_EPMD_PORT) },
    });
    await probe.connect(instance.ejabberdNode);
    if (kind !== 'haproxy') {
      const url = kind === 'own' ? instance.ejabberdUrl : instance.gatewayUrl;
      return new Server(url, instance, probe, gateway ? pidOf(instance, 'gateway') : undefined);
    }
    // The gateway's port, which nobody else has.
    const port = Number(instance.env.MEGAPHONE_HTTP_PORT);
    const haproxy = await Haproxy.start(instance.ejabberdUrl, port, instance.var, cores);
    return new Server(haproxy.url, instance, probe, haproxy);
  }

  /** Bytes. */
  memory(): Usage {
    return this.usage(residentBytes);
  }

  /** Seconds since the start. */
  cpu(): Usage {
    return this.usage(cpuSeconds);
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
    this.#haproxy?.stop();
    await this.probe.stop();
    await this.#instance.stop();
  }

  /** Of the gateway, which may be several, or of haproxy. */
  get frontPids(): readonly number[] {
    return this.#frontPid === undefined ? [] : family(this.#frontPid);
  }

  /** Of what stands in front, all processes together. */
  usage(of: (pid: number) => number): Usage {
    return { ejabberd: of(this.ejabberdPid), gateway: this.frontPids.reduce((sum, pid) => sum + of(pid), 0) };
  }
}

function pidOf(instance: Instance, part: string): number {
  const folder = `${part}${instance.env.MEGAPHONE_INSTANCE}`;
  return Number(readFileSync(join(instance.var, folder, `${part}.pid`), 'utf8'));
}
