/** The program as an operator runs it: a process of its own, in the directory of its configuration. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, killChild } from '../../../scripts/support/epmd.js';
import { within } from '../../../scripts/support/within.js';
import { until } from '../../support/until.js';
import { Cluster, COOKIE } from './support.js';

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const { PATH: path } = process.env;

/** A directory with a configuration, and the programs that were run there. */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), 'megaphone-cli-'));
  /** The program's own file. */
  readonly main = MAIN;
  readonly #programs: Program[] = [];

  constructor(settings: Readonly<Record<string, unknown>>) {
    writeFileSync(this.file('cookie'), `${COOKIE}\n`, { mode: 0o400 });
    const lines = Object.entries({ cookie_file: this.file('cookie'), ...settings });
    writeFileSync(this.file('megaphone.yml'), lines.map(([key, value]) => `${key}: ${value}\n`).join(''));
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    const program = new Program(this.directory, args, env);
    this.#programs.push(program);
    return program;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#programs.map(({ child }) => killChild(child)));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Nodes of a test's own, and where a gateway runs beside them. */
export class Site {
  readonly cluster: Cluster;
  readonly workplace: Workplace;
  readonly port: number;

  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<Site> {
    return new Site(await Cluster.start(), await freePort(), settings);
  }

  private constructor(cluster: Cluster, port: number, settings: Readonly<Record<string, unknown>>) {
    const own = { node: 'megaphone@localhost', ...cluster.settings, http_port: port };
    this.cluster = cluster;
    this.workplace = new Workplace({ ...own, ...settings });
    this.port = port;
  }

  async end(): Promise<void> {
    await this.workplace.remove();
    await this.cluster.stop();
  }
}

export class Program {
  readonly child: ChildProcess;
  output = '';

  constructor(directory: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [MAIN, ...args], { cwd: directory, env: { PATH: path, ...env } });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (text) => {
        this.output += text;
      });
    }
  }

  async shows(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.output) || this.child.exitCode !== null);
    assert.match(this.output, pattern);
  }

  /** The exit code; nothing that it printed may show the cookie. */
  async ends(): Promise<number | null> {
    if (this.child.exitCode === null)
      await within(once(this.child, 'close'), () => `its end: ${this.output}`);
    assert.ok(!this.output.includes(COOKIE), this.output);
    return this.child.exitCode;
  }
}
