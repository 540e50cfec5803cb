/**
 * A cluster made by scripts/cluster.sh: the developer's own, or one for a test with a folder, EPMD and ports of its own.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { areFree, take } from './ports.js';
import { root } from './root.js';
import { PATIENCE_MS } from './within.js';

const run = promisify(execFile);
const script = join(root, 'scripts/cluster.sh');

export type Member = 'node' | 'gateway';

export interface Size {
  readonly nodes: number;
  readonly gateways: number;
}

export class Cluster {
  readonly size: Size;
  readonly env: NodeJS.ProcessEnv;
  /** Through HAProxy. */
  readonly url: string;
  readonly webSocketUrl: string;
  /** Where the members keep what they have, and the cookie. */
  readonly folder: string;
  readonly #prefix: readonly string[];

  /**
   * The one that this environment means, running or not.
   * @param prefix what comes before its scripts: a command that runs them somewhere else
   */
  constructor(env: NodeJS.ProcessEnv, prefix: readonly string[] = []) {
    this.#prefix = prefix;
    const { NODES = '3', GATEWAYS = '2', CLUSTER_PORT = '7000', MEGAPHONE_VAR = join(root, 'var') } = env;
    this.size = { nodes: Number(NODES), gateways: Number(GATEWAYS) };
    this.env = env;
    this.folder = join(MEGAPHONE_VAR, 'cluster');
    this.url = `http://127.0.0.1:${CLUSTER_PORT}/bosh`;
    this.webSocketUrl = `ws://127.0.0.1:${CLUSTER_PORT}/ws`;
  }

  /** Starts one of its own; `stop` removes it. */
  static async start({ nodes, gateways }: Size, workers = 1): Promise<Cluster> {
    const port = await freeRange();
    const cluster = new Cluster({
      ...process.env,
      MEGAPHONE_VAR: await mkdtemp(join(tmpdir(), 'megaphone-cluster-')),
      NODES: `${nodes}`,
      GATEWAYS: `${gateways}`,
      WORKERS: `${workers}`,
      CLUSTER_PORT: `${port}`,
      ERL_EPMD_PORT: `${port + 2}`,
    });
    // A test that dies, or is ended by the test runner, must not leave servers behind.
    process.once('exit', cluster.#stopNow);
    process.once('SIGTERM', () => process.exit(143));
    await cluster.script('up');
    return cluster;
  }

  /** Runs cluster.sh; what it prints, or an error that carries it. */
  async script(...args: string[]): Promise<string> {
    const [command = script, ...more] = [...this.#prefix, script, ...args];
    return (await run(command, more, { env: this.env, cwd: root })).stdout;
  }

  /** start, stop, status; of a node also ctl. */
  member(kind: Member, number: number, ...command: string[]): Promise<string> {
    return this.script(kind, `${number}`, ...command);
  }

  async kill(kind: Member, number: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.kill(await this.pid(kind, number), signal);
  }

  async pid(kind: Member, number: number): Promise<number> {
    const name = kind === 'node' ? 'ejabberd' : 'gateway';
    return Number(await readFile(join(this.folder, `${name}${number}`, `${name}.pid`), 'utf8'));
  }

  /** Name and password of alice and bob. */
  async accounts(): Promise<readonly { readonly jid: string; readonly password: string }[]> {
    const text = await readFile(join(this.folder, 'ejabberd1/accounts'), 'utf8');
    return [...text.matchAll(/^(\S+) (\S+)$/gm)].map(([, user = '', password = '']) => ({
      jid: `${user}@localhost`,
      password,
    }));
  }

  async stop(): Promise<void> {
    this.#stopNow();
    process.off('exit', this.#stopNow);
    // It hears a moment later that all are gone, nodes of this process among them; left behind, it would keep its ports taken.
    const epmd = join(this.folder, `epmd-${this.env.ERL_EPMD_PORT}.started`);
    for (let tries = 50; tries > 0 && existsSync(epmd); tries -= 1) {
      await sleep(100);
      await run(join(root, 'scripts/epmd.sh'), ['down'], {
        env: { ...this.env, MEGAPHONE_VAR: this.folder },
      });
    }
    await rm(join(this.folder, '..'), { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  readonly #stopNow = (): void => {
    spawnSync(script, ['down'], { env: this.env });
  };
}

/** The first of a thousand ports of which those are free that a small cluster takes. */
async function freeRange(): Promise<number> {
  const wanted = [0, 1, 2, ...[100, 200, 300, 400, 500].flatMap((of) => [1, 2, 3].map((n) => of + n))];
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const first = Math.floor(Math.random() * 8);
    for (let n = 0; n < 8; n += 1) {
      // Above those that are given away one by one.
      const port = 24_000 + 1_000 * ((first + n) % 8);
      // Whoever looks whether a port is free has it meanwhile: not those of others, whose servers may be about to start again.
      if (take(port) && (await areFree(wanted.map((offset) => port + offset)))) return port;
    }
    await sleep(500);
  }
  throw new Error('of the ports 24000 to 31999 others have some of each thousand');
}
