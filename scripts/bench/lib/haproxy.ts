/**
 * haproxy in front of ejabberd's own BOSH, as it is run there: HTTP mode, as many threads as cores, connections kept
 * open on both sides and those to the server reused, X-Forwarded-For, timeouts longer than a request is held. No log.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.js';

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
  readonly #program: Program;

  private constructor(url: string, program: Program) {
    this.url = url;
    this.#program = program;
  }

  /**
   * @param folder for its configuration
   * @param cores that it may run on, written as for taskset(1); all without
   */
  static async start(url: string, port: number, folder: string, cores: string | undefined): Promise<Haproxy> {
    const file = join(folder, 'haproxy.cfg');
    const { host, pathname } = new URL(url);
    writeFileSync(file, configuration(port, host));
    // Debian has it where only root looks.
    const program = await Program.start(['/usr/sbin/haproxy', '-q', '-db', '-f', file], port, cores);
    return new Haproxy(`http://127.0.0.1:${port}${pathname}`, program);
  }

  get pid(): number {
    return this.#program.pid;
  }

  stop(): void {
    this.#program.stop();
  }
}
