/** A gateway as operators run it, from the command line, with no ejabberd that it could reach. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../scripts/support/ports.js';
import { until } from './until.js';

const program = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export class GatewayProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly process: ChildProcess;
  #output = '';

  private constructor(port: number, adminPort: number, child: ChildProcess) {
    this.port = port;
    this.adminPort = adminPort;
    this.process = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
  }

  /** @param files how many it may have open; @param settings instead of those here; @param cookie its nodes' */
  static async start(
    files: number,
    settings: Readonly<Record<string, string>>,
    cookie = 'test',
  ): Promise<GatewayProcess> {
    const free = await freePorts(2);
    const [port = 0, adminPort = 0] = [settings.http_port, settings.admin_port].map((given, index) =>
      Number(given ?? free[index]),
    );
    const all = {
      node: `test${process.pid}@localhost`,
      nodes: 'ejabberd@localhost=127.0.0.1:1',
      epmd_port: '0',
      http_ip: '127.0.0.1',
      http_port: `${port}`,
      admin_port: `${adminPort}`,
      drain_delay: '0',
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([key, value]) => [`--${key.replaceAll('_', '-')}`, value]);
    const command = `ulimit -n ${files}; exec "$@"`;
    const child = spawn('bash', ['-c', command, 'bash', process.execPath, program, 'start', ...flags], {
      env: { ...process.env, MEGAPHONE_COOKIE: cookie },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gateway = new GatewayProcess(port, adminPort, child);
    await gateway.logs((line) => line.msg.startsWith('BOSH endpoint'));
    return gateway;
  }

  get lines(): readonly LogLine[] {
    const lines = this.#output.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** Resolves when it has logged such a line, or so many. */
  async logs(condition: (line: LogLine) => boolean, count = 1): Promise<void> {
    await until(() => {
      if (this.process.exitCode !== null) throw new Error(`the gateway ended: ${this.#output}`);
      return this.lines.filter(condition).length >= count;
    });
  }
}

export interface LogLine {
  readonly msg: string;
  readonly code?: string;
}
