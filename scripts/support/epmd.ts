/** A real EPMD of the test's own, on a free port, so that tests never touch the machine's. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from './ports.js';
import { within } from './within.js';

export class Epmd {
  readonly port: number;
  #child: ChildProcess;

  /** Answers when this resolves. */
  static async start(port?: number): Promise<Epmd> {
    const chosen = port ?? (await freePort());
    const epmd = new Epmd(chosen);
    await epmd.#ready();
    return epmd;
  }

  private constructor(port: number) {
    this.port = port;
    this.#child = spawnEpmd(port);
  }

  /** Killed: every registration is lost. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await within(exited, () => 'the end of epmd');
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#child = spawnEpmd(this.port);
    await this.#ready();
  }

  async #ready(): Promise<void> {
    for (let attempts = 0; !(await accepts(this.port)); attempts++) {
      if (attempts === 1_000) throw new Error(`epmd does not start on port ${this.port}`);
      await sleep(10);
    }
  }
}

/** The shell ends epmd when its own input does, so also when the test process is killed. */
function spawnEpmd(port: number): ChildProcess {
  const script = `epmd -port ${port} & cat; kill -9 $!; wait`;
  return spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
}

/** SIGKILL, also when it is stopped by SIGSTOP; resolves when it is gone. */
export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await within(exited, () => `the end of process ${child.pid}`);
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
