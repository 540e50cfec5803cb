/**
 * A private ejabberd and gateway for one test file or benchmark, made by the very scripts that developers use:
 * its own folder, EPMD, ports and node names, so that test files run side by side.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadCookie } from '../../src/node/cookie.js';
import { HiddenNode } from '../../src/node/hidden-node.js';
import type { NodeFiles } from './authority.js';
import * as installed from './installed-module.js';
import { nodeFiles, nodeTls } from './node-tls.js';
import { freePorts } from './ports.js';
import { root } from './root.js';

const run = promisify(execFile);
/** Nodes that asked so far: several may at once. */
let asked = 0;

export interface Account {
  /** Bare JID, e.g. `alice@localhost`. */
  readonly jid: string;
  readonly password: string;
}

interface Options {
  readonly gateway: boolean;
  readonly cores?: string;
  readonly beside?: { readonly instance: Instance; readonly name: string };
}

export class Instance {
  readonly var: string;
  readonly env: NodeJS.ProcessEnv;
  /** Distribution names of the two nodes. */
  readonly ejabberdNode: string;
  readonly gatewayNode: string;
  /** ejabberd's own BOSH and the gateway's. */
  readonly ejabberdUrl: string;
  readonly gatewayUrl: string;
  /** The same for WebSocket. */
  readonly ejabberdWebSocketUrl: string;
  readonly gatewayWebSocketUrl: string;
  alice!: Account;
  bob!: Account;

  readonly #suffix: string;
  readonly #cores: string | undefined;
  /** Its folder, cookie and EPMD are those of an earlier one. */
  readonly #isBeside: boolean;

  private constructor(folder: string, ports: readonly number[], { beside, cores }: Options) {
    const [http = 0, ejabberdHttp = 0, c2s = 0, ownEpmd = 0] = ports;
    const epmd = beside?.instance.env.ERL_EPMD_PORT ?? ownEpmd;
    this.#suffix = `_test${process.pid}${beside ? `_${beside.name}` : ''}`;
    this.#isBeside = beside !== undefined;
    this.var = folder;
    this.#cores = cores;
    this.env = {
      ...process.env,
      MEGAPHONE_VAR: folder,
      MEGAPHONE_INSTANCE: this.#suffix,
      MEGAPHONE_HTTP_PORT: `${http}`,
      EJABBERD_HTTP_PORT: `${ejabberdHttp}`,
      EJABBERD_C2S_PORT: `${c2s}`,
      ERL_EPMD_PORT: `${epmd}`,
    };
    this.ejabberdNode = `ejabberd${this.#suffix}@localhost`;
    this.gatewayNode = `megaphone${this.#suffix}@localhost`;
    this.ejabberdUrl = `http://127.0.0.1:${ejabberdHttp}/bosh`;
    this.gatewayUrl = `http://127.0.0.1:${http}/bosh`;
    this.ejabberdWebSocketUrl = `ws://127.0.0.1:${ejabberdHttp}/ws`;
    this.gatewayWebSocketUrl = `ws://127.0.0.1:${http}/ws`;
    // A test that dies, or is ended by the test runner, must not leave servers behind.
    process.once('exit', this.#stopNow);
    process.once('SIGTERM', () => process.exit(143));
  }

  /**
   * Starts both halves, or ejabberd alone.
   * @param options `cores`: those that they may run on, written as for taskset(1); `beside`: an earlier one, of whose cluster
   * this may become a part, and a word for the names of its own nodes
   */
  static async start(options: Options = { gateway: true }) {
    const folder = options.beside?.instance.var ?? (await mkdtemp(join(tmpdir(), 'megaphone-test-')));
    const instance = new Instance(folder, await freePorts(4), options);
    if (options.beside) await instance.#takeAccountsOf(options.beside.instance);
    await installed.lend(instance.#folder('ejabberd'));
    await instance.script('ejabberd.sh', 'start');
    await installed.keep(instance.#folder('ejabberd'));
    if (options.gateway) await instance.startGateway();
    const accounts = await readFile(join(instance.#folder('ejabberd'), 'accounts'), 'utf8');
    const [alice, bob] = accounts
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([user, password = '']) => ({ jid: `${user}@localhost`, password }));
    if (!alice || !bob) throw new Error(`no two accounts in ${accounts}`);
    instance.alice = alice;
    instance.bob = bob;
    return instance;
  }

  /** What another node needs to speak with these two, where MEGAPHONE_TLS makes them speak TLS. */
  get tls(): NodeFiles | undefined {
    return nodeFiles(this.var, this.env);
  }

  /** The same as megaphone.yml has it. */
  get tlsSettings(): Readonly<Record<string, string>> {
    const { tls } = this;
    return tls === undefined
      ? {}
      : { distribution_tls_cert: tls.cert, distribution_tls_key: tls.key, distribution_tls_ca: tls.ca };
  }

  /** Runs one of scripts/ for this instance; its output, or an error that carries what it printed. */
  async script(name: string, ...args: string[]): Promise<string> {
    const path = join(root, 'scripts', name);
    const command = this.#cores === undefined ? [path] : ['taskset', '-c', this.#cores, path];
    const [program = path, ...before] = command;
    const { stdout } = await run(program, [...before, ...args], { env: this.env, cwd: root });
    return stdout;
  }

  ctl(...args: string[]): Promise<string> {
    return this.script('ejabberd.sh', 'ctl', ...args);
  }

  /** Full JIDs of everyone online, as ejabberd sees it: asked by a node of our own, for tests ask often. */
  async connectedUsers(): Promise<string[]> {
    const node = await HiddenNode.start({
      name: `users_${process.pid}_${asked++}@localhost`,
      cookie: loadCookie({ home: this.var }),
      epmd: { port: Number(this.env.ERL_EPMD_PORT) },
      ...nodeTls(this.var, this.env),
    });
    try {
      await node.connect(this.ejabberdNode);
      const users = await node.rpc(this.ejabberdNode, 'ejabberd_sm', 'connected_users', [], 60_000);
      return (users as Uint8Array[]).map((jid) => Buffer.from(jid).toString());
    } finally {
      await node.stop();
    }
  }

  async startGateway(): Promise<void> {
    await this.script('gateway.sh', 'start');
  }

  /** As an operator's `kill -9`, or the machine's loss, would. */
  async killGateway(): Promise<void> {
    const pid = await readFile(join(this.#folder('gateway'), 'gateway.pid'), 'utf8');
    process.kill(Number(pid), 'SIGKILL');
  }

  /** Those that are there are not made anew. */
  async #takeAccountsOf(other: Instance): Promise<void> {
    await mkdir(this.#folder('ejabberd'), { recursive: true });
    await copyFile(join(other.#folder('ejabberd'), 'accounts'), join(this.#folder('ejabberd'), 'accounts'));
  }

  /** The process of its ejabberd. */
  async ejabberdPid(): Promise<number> {
    return Number(await readFile(join(this.#folder('ejabberd'), 'ejabberd.pid'), 'utf8'));
  }

  async stop(): Promise<void> {
    this.#stopNow();
    process.off('exit', this.#stopNow);
    if (this.#isBeside) return;
    // What ends may still be writing.
    await rm(this.var, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  #folder(part: string): string {
    return join(this.var, `${part}${this.#suffix}`);
  }

  /** At once: nobody needs what they would do at their end, and what tests show of that they show before. */
  readonly #stopNow = (): void => {
    for (const part of ['gateway', 'ejabberd']) killGroup(join(this.#folder(part), `${part}.pid`));
    const epmd = join(this.var, `epmd-${this.env.ERL_EPMD_PORT}.started`);
    // It hears a moment later that they are gone, and stays for whoever is beside.
    for (let tries = this.#isBeside ? 0 : 50; tries > 0 && existsSync(epmd); tries -= 1)
      spawnSync(join(root, 'scripts', 'epmd.sh'), ['down'], { env: this.env });
  };
}

/** Of the process in this file, which was started with a group of its own. */
function killGroup(file: string): void {
  try {
    process.kill(-Number(readFileSync(file, 'utf8')), 'SIGKILL');
  } catch {
    // It was stopped before.
  }
}
