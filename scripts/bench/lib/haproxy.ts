/**
 * haproxy in front of ejabberd's own BOSH, as it is run there: HTTP mode, as many threads as cores, connections kept
 * open on both sides and those to the server reused, X-Forwarded-For, timeouts longer than a request is held. No log.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const configuration = (port: number, server: string): string => `global
    maxconn 8000
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse safe
    timeout connect 5s
    timeout http-request 10s
    timeout http-keep-alive 75s
    timeout client 90s
    timeout server 90s
listen bosh
    bind 127.0.0.1:${port}
    server ejabberd ${server}
`;

export class Haproxy {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#process = child;
  }

  /**
   * @param folder for its configuration
   * @param cores that it may run on, written as for taskset(1); all without
   */
  static async start(url: string, port: number, folder: string, cores: string | undefined): Promise<Haproxy> {
    const file = join(folder, 'haproxy.cfg');
    const { host, pathname } = new URL(url);
    writeFileSync(file, configuration(port, host));
    const pinned = cores === undefined ? [] : ['taskset', '-c', cores];
    // Debian has it where only root looks.
    const [program = '', ...args] = [...pinned, '/usr/sbin/haproxy', '-q', '-db', '-f', file];
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    process.once('exit', () => child.kill('SIGKILL'));
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error('haproxy did not start');
      await sleep(50);
    }
    return new Haproxy(`http://127.0.0.1:${port}${pathname}`, child);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
