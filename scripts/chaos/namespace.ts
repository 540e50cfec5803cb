/**
 * A network namespace with nothing but a loopback of its own: no packet leaves or enters it, and whoever runs there reaches others
 * by our relays alone. A socket stays in the namespace where it was made, whoever has it: a process that is inside (gate.ts) makes
 * them and hands them out. The namespace is gone with the last process in it. It takes Linux, root and iproute2.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Server, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Place } from './place.js';

/** A connection to that port, or, without one, a listening socket. */
export interface Wanted {
  readonly id: number;
  readonly port?: number;
}

/** The socket comes with it; without one nobody listens there. */
export interface Opened {
  readonly id: number;
  readonly port: number;
}

const GATE = fileURLToPath(new URL('./gate.js', import.meta.url));

export class Namespace implements Place {
  readonly #gate: ChildProcess;
  readonly #waiting = new Map<number, (opened: Opened, handle: unknown) => void>();
  #last = 0;

  private constructor(gate: ChildProcess) {
    this.#gate = gate;
    gate.on('message', (opened: Opened, handle) => {
      this.#waiting.get(opened.id)?.(opened, handle);
      this.#waiting.delete(opened.id);
    });
    gate.once('exit', () => {
      for (const answer of this.#waiting.values()) answer({ id: 0, port: 0 }, undefined);
    });
  }

  /** @throws Error where this system, or this user, cannot have one */
  static async make(): Promise<Namespace> {
    const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'gate', process.execPath, GATE];
    const gate = spawn('unshare', ['--net', '--', ...inside], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const namespace = new Namespace(gate);
    const failed = once(gate, 'exit').then(([code]) => {
      throw new Error(`no network namespace: unshare ended with ${code}. It takes Linux, root and iproute2.`);
    });
    // It answers once it is there.
    const { server } = await Promise.race([namespace.listen(), failed]);
    server.close();
    failed.catch(() => {});
    return namespace;
  }

  get prefix(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#gate.pid}/ns/net`, '--'];
  }

  async listen(): Promise<{ readonly server: Server; readonly port: number }> {
    const { port, handle } = await this.#ask();
    if (!(handle instanceof Server)) throw new Error('no port to listen on');
    return { server: handle, port };
  }

  async connect(port: number): Promise<Socket> {
    const { handle } = await this.#ask(port);
    if (!(handle instanceof Socket)) throw new Error(`nobody listens on port ${port}`);
    return handle;
  }

  close(): void {
    if (this.#gate.connected) this.#gate.disconnect();
  }

  #ask(port?: number): Promise<{ readonly port: number; readonly handle: unknown }> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, ({ port: opened }, handle) => resolve({ port: opened, handle }));
      this.#gate.send({ id, ...(port === undefined ? {} : { port }) } satisfies Wanted);
    });
  }
}
