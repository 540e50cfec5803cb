/**
 * Two gateways of one ejabberd, as operators run them, behind HAProxy with plain round robin and the gateways' agents, or behind
 * another proxy.
 */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Program } from '../../../scripts/bench/lib/program.js';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import { Instance } from '../../../scripts/support/instance.js';
import { freePorts } from '../../../scripts/support/ports.js';
import { root } from '../../../scripts/support/root.js';
import { within } from '../../../scripts/support/within.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { until } from '../../support/until.js';

export interface Kind {
  readonly workers: number;
  /** Between HAProxy and gateways. */
  readonly tls: boolean;
}

/** Where a gateway listens. */
export interface GatewayPorts {
  readonly http: number;
  readonly asked: { readonly admin: number; readonly agent: number };
}

/** Starts another proxy than HAProxy: it listens at `port`, and what it keeps goes into `folder`. */
export type StartProxy = (of: {
  readonly folder: string;
  readonly port: number;
  readonly gateways: readonly [GatewayPorts, GatewayPorts];
}) => Promise<Program>;

interface Place {
  readonly settings: Readonly<Record<string, string>>;
  gateway: GatewayProcess | undefined;
}

export class TwoGateways {
  readonly instance: Instance;
  /** The proxy's. */
  readonly port: number;
  readonly #places: readonly Place[];
  readonly #folder: string;
  readonly #cookie: string;
  #proxy: Program | undefined;

  private constructor(instance: Instance, port: number, places: readonly Place[], cookie: string) {
    this.instance = instance;
    this.port = port;
    this.#places = places;
    this.#folder = instance.var;
    this.#cookie = cookie;
  }

  static async start({ workers, tls }: Kind, startProxy?: StartProxy): Promise<TwoGateways> {
    const instance = await Instance.start({ gateway: false });
    const cookie = (await readFile(join(instance.var, '.erlang.cookie'), 'utf8')).trim();
    const [port = 0, ...others] = await freePorts(7);
    const certificate = tls ? makeCertificate(instance.var, 'web') : { cert: '', key: '' };
    const places = [0, 1].map((index) => {
      const [http, admin, agent] = others.slice(3 * index, 3 * index + 3).map(String);
      const settings = {
        node: `web${index + 1}_${process.pid}@localhost`,
        nodes: instance.ejabberdNode,
        epmd_port: `${instance.env.ERL_EPMD_PORT}`,
        ...instance.tlsSettings,
        workers: `${workers}`,
        trusted_proxies: '127.0.0.1',
        tls_cert: certificate.cert,
        tls_key: certificate.key,
        http_port: http ?? '',
        admin_port: admin ?? '',
        agent_port: agent ?? '',
        drain_delay: '2 s',
        drain_time: '2 s',
      };
      return { settings, gateway: undefined };
    });
    const all = new TwoGateways(instance, port, places, cookie);
    await Promise.all([all.startGateway(1), all.startGateway(2)]);
    if (startProxy === undefined) {
      await all.#startHaproxy(tls);
      await all.serves(1);
      await all.serves(2);
    } else {
      all.#proxy = await startProxy({ folder: instance.var, port, gateways: all.gateways });
    }
    return all;
  }

  get gateways(): readonly [GatewayPorts, GatewayPorts] {
    return [this.#portsOf(1), this.#portsOf(2)];
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/bosh`;
  }

  get webSocketUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  async startGateway(number: number): Promise<void> {
    const place = this.#place(number);
    place.gateway = await GatewayProcess.start(4096, place.settings, this.#cookie);
    // It listens before it has found its node, and HAProxy takes whom it has not asked yet for one that is up.
    const ready = `http://127.0.0.1:${place.settings.admin_port}/health/ready`;
    await until(async () => (await fetch(ready)).ok);
  }

  /** Its exit code. */
  async endGateway(number: number): Promise<number | null> {
    const { gateway } = this.#place(number);
    if (gateway === undefined) return null;
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    const [code] = await within(exited, () => `the end of gateway ${number}`);
    return code;
  }

  async killGateway(number: number): Promise<void> {
    const { gateway } = this.#place(number);
    if (gateway === undefined) return;
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGKILL');
    await within(exited, () => `the death of gateway ${number}`);
  }

  /** `megaphone drain` or `resume`, in words; rejects where the exit code is not 0. */
  order(number: number, order: 'drain' | 'resume'): Promise<string> {
    const { node = '', epmd_port = '', workers = '' } = this.#place(number).settings;
    const tls = Object.entries(this.instance.tlsSettings).flatMap(([key, file]) => [
      `--${key.replaceAll('_', '-')}`,
      file,
    ]);
    const flags = ['--node', node, '--epmd-port', epmd_port, '--workers', workers, ...tls];
    return new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [join(root, 'dist/src/main.js'), order, ...flags],
        { env: { ...process.env, MEGAPHONE_COOKIE: this.#cookie } },
        (error, stdout) => (error ? reject(error) : resolve(stdout)),
      );
    });
  }

  /** Resolves when HAProxy gives it clients. */
  async serves(number: number): Promise<void> {
    await until(async () => (await this.#stat(`gateway${number}`, 'status')) === 'UP');
  }

  status(number: number): Promise<string> {
    return this.#stat(`gateway${number}`, 'status');
  }

  /** Answers through HAProxy, and of its own, with 4xx and 5xx: one is for who looked whether it listens. */
  async refusals(): Promise<number> {
    return (
      Number(await this.#stat('FRONTEND', 'hrsp_4xx')) + Number(await this.#stat('FRONTEND', 'hrsp_5xx'))
    );
  }

  async metric(number: number, name: string): Promise<number> {
    const { admin_port } = this.#place(number).settings;
    const page = await (await fetch(`http://127.0.0.1:${admin_port}/metrics`)).text();
    return Number(new RegExp(`^megaphone_${name} (\\d+)$`, 'm').exec(page)?.[1]);
  }

  async stop(): Promise<void> {
    this.#proxy?.stop();
    for (const { gateway } of this.#places) gateway?.process.kill('SIGKILL');
    await this.instance.stop();
  }

  #portsOf(number: number): GatewayPorts {
    const { http_port, admin_port, agent_port } = this.#place(number).settings;
    return { http: Number(http_port), asked: { admin: Number(admin_port), agent: Number(agent_port) } };
  }

  #place(number: number): Place {
    const place = this.#places[number - 1];
    if (place === undefined) throw new Error(`there is no gateway ${number}`);
    return place;
  }

  async #startHaproxy(tls: boolean): Promise<void> {
    const file = join(this.#folder, 'haproxy.cfg');
    const servers = this.#places.map(({ settings: { http_port, agent_port } }, index) => {
      const server = `server gateway${index + 1} 127.0.0.1:${http_port}${tls ? ' ssl verify none' : ''}`;
      return `    ${server} check agent-check agent-port ${agent_port} inter 500ms\n`;
    });
    writeFileSync(
      file,
      `global
    maxconn 4000
    stats socket ${join(this.#folder, 'haproxy.sock')} mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 90s
    timeout server 90s
    timeout tunnel 90s
    timeout http-keep-alive 60s
listen web
    bind 127.0.0.1:${this.port}
    balance roundrobin
    option forwardfor
${servers.join('')}`,
    );
    // Debian has it where only root looks.
    this.#proxy = await Program.start(['/usr/sbin/haproxy', '-q', '-db', '-f', file], this.port, undefined);
  }

  async #stat(row: string, column: string): Promise<string> {
    const socket = connect(join(this.#folder, 'haproxy.sock'));
    socket.end('show stat\n');
    const [head = '', ...lines] = (await text(socket)).trim().split('\n');
    const columns = head.replace('# ', '').split(',');
    const cells = lines.map((line) => line.split(',')).find(([, name]) => name === row) ?? [];
    return cells[columns.indexOf(column)] ?? '';
  }
}
