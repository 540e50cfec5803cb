/** A program that listens on a port of this machine and ends with us. */

import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

export class Program {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /**
   * Resolves when it listens.
   * @param cores that it may run on, written as for taskset(1); all without
   */
  static async start(command: readonly string[], port: number, cores: string | undefined): Promise<Program> {
    const pinned = cores === undefined ? [] : ['taskset', '-c', cores];
    const [program = '', ...args] = [...pinned, ...command];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    process.once('exit', () => child.kill('SIGKILL'));
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error(`${command[0]} did not start`);
      await sleep(POLL_MS);
    }
    return new Program(child);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}
