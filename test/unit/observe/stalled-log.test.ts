/** Nobody reads the log: the real program goes on as if somebody did, whatever its standard output is. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import { killChild } from '../../../scripts/support/epmd.js';
import { freePorts } from '../../../scripts/support/ports.js';
import { happens, until } from '../../support/until.js';

const program = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const unread = fileURLToPath(new URL('../../../../test/support/unread.py', import.meta.url));

const root = mkdtempSync(join(tmpdir(), 'megaphone-unread-'));
after(() => rmSync(root, { recursive: true }));
// The line that tells of a missing certificate is twice as long as its name.
const folder = join(root, ...Array.from({ length: 18 }, () => 'x'.repeat(200)));
mkdirSync(folder, { recursive: true });
const certificate = makeCertificate(folder, 'localhost');

class Gateway {
  /** `unread.py`, which passes the log on from when it is told to. */
  readonly #reader: ChildProcess;
  readonly #port: number;
  readonly #admin: number;
  readonly #pid: number;
  readonly #cert: string;
  /** What was read of the log. */
  log = '';

  static async start(output: string, workers: string): Promise<Gateway> {
    const [port = 0, admin = 0] = await freePorts(2);
    const flags = ['--node', `unread${port}@localhost`, '--nodes', 'ejabberd@localhost=127.0.0.1:1'];
    flags.push('--epmd-port', '0', '--http-ip', '127.0.0.1', '--http-port', `${port}`);
    flags.push('--admin-port', `${admin}`, '--workers', workers);
    const cert = join(folder, `${port}.pem`);
    copyFileSync(certificate.cert, cert);
    flags.push('--tls-cert', cert, '--tls-key', certificate.key);
    const reader = spawn('python3', [unread, output, process.execPath, program, 'start', ...flags], {
      env: { ...process.env, MEGAPHONE_COOKIE: 'test' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [pid] = (await happens(reader.stdout, 'data')) as [Buffer];
    const gateway = new Gateway(reader, port, admin, Number(pid), cert);
    // Before all is up, SIGHUP ends it.
    const up = /^megaphone_worker_up.* 1$/gm;
    const expected = workers === '1' ? 0 : Number(workers);
    await until(async () => ((await gateway.#metrics().catch(() => '')).match(up) ?? []).length === expected);
    await until(async () => (await gateway.serves().catch(() => 0)) === 200);
    return gateway;
  }

  private constructor(reader: ChildProcess, port: number, admin: number, pid: number, cert: string) {
    this.#reader = reader;
    this.#port = port;
    this.#admin = admin;
    this.#pid = pid;
    this.#cert = cert;
    reader.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
  }

  /** Each worker reads its certificate again and again, and says that it cannot. */
  async fillLog(): Promise<void> {
    rmSync(this.#cert);
    while ((await this.#linesLost()) === 0) {
      for (let i = 0; i < 50; i += 1) {
        process.kill(this.#pid, 'SIGHUP');
        await sleep(4);
      }
    }
  }

  /** The status that the BOSH endpoint answers with. */
  async serves(): Promise<number | undefined> {
    const request = get({ port: this.#port, path: '/bosh', rejectUnauthorized: false, agent: false });
    const [response] = await happens(request, 'response');
    response.resume();
    return response.statusCode;
  }

  read(): void {
    this.#reader.stdin?.write('\n');
  }

  /** @returns its exit code */
  async stop(): Promise<number> {
    process.kill(this.#pid, 'SIGTERM');
    const [code] = await happens(this.#reader, 'close');
    return code;
  }

  async remove(): Promise<void> {
    if (this.#reader.exitCode !== null) return;
    process.kill(this.#pid, 'SIGKILL');
    await killChild(this.#reader);
  }

  async #linesLost(): Promise<number> {
    return Number(/^megaphone_log_lines_lost_total (\d+)$/m.exec(await this.#metrics())?.[1]);
  }

  async #metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#admin}/metrics`)).text();
  }
}

describe('a log that nobody reads', { concurrency: 6, timeout: 120_000 }, () => {
  for (const [output, workers, isReadLater] of [
    ['pipe', '1', false],
    ['pipe', '2', true],
    ['socket', '1', true],
    ['socket', '2', false],
    ['terminal', '1', false],
    ['terminal', '1', true],
  ] as const) {
    const end = isReadLater ? 'tells what was lost when it is read again' : 'stops';
    it(`into a ${output}, of ${workers} worker(s): it serves on, and ${end}`, async () => {
      const gateway = await Gateway.start(output, workers);
      try {
        await gateway.fillLog();
        for (let i = 0; i < 4; i += 1) assert.equal(await gateway.serves(), 200);
        if (isReadLater) {
          gateway.read();
          await until(() => gateway.log.includes('LOG_LINES_LOST'));
          assert.match(gateway.log, /\d+ lines of the log were lost: nobody took them/);
        }
        assert.equal(await gateway.stop(), 0);
        if (isReadLater) assert.match(gateway.log, /stopped/);
      } finally {
        await gateway.remove();
      }
    });
  }
});
