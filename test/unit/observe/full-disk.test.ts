/** The disk under the log is full: lines are lost and counted, and nothing else happens to the service. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { killChild } from '../../../scripts/support/epmd.js';
import { freePorts } from '../../../scripts/support/ports.js';
import { happens, until } from '../../support/until.js';

const program = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const PAGE = 4096;

/** A gateway whose log is a file of a disk with room for one page, of which `used` bytes are taken. */
class Gateway {
  readonly folder = mkdtempSync(join(tmpdir(), 'megaphone-full-'));
  readonly child: ChildProcess;
  readonly admin: number;

  static async start(used: number, settings: readonly string[]): Promise<Gateway> {
    const [port = 0, admin = 0] = await freePorts(2);
    const gateway = new Gateway(used, port, admin, settings);
    await until(async () => (await gateway.health()) !== undefined);
    return gateway;
  }

  private constructor(used: number, port: number, admin: number, settings: readonly string[]) {
    this.admin = admin;
    const flags = ['--node', `full${process.pid}@localhost`, '--nodes', 'ejabberd@localhost=127.0.0.1:1'];
    flags.push('--epmd-port', '0', '--http-ip', '127.0.0.1', '--http-port', `${port}`);
    flags.push('--admin-port', `${admin}`, ...settings);
    const script = `mount -t tmpfs -o size=${PAGE} tmpfs "$0" && head -c ${used} /dev/zero >"$0/log" && exec "$@" >>"$0/log"`;
    const own = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
    const command = [...own, 'sh', '-c', script, this.folder, process.execPath, program, 'start', ...flags];
    const env = { ...process.env, MEGAPHONE_COOKIE: 'test' };
    this.child = spawn('unshare', command, { env, stdio: ['ignore', 'inherit', 'inherit'] });
  }

  /** Its disk is mounted for it alone. */
  get log(): string {
    return `/proc/${this.child.pid}/root${this.folder}/log`;
  }

  async health(): Promise<number | undefined> {
    assert.equal(this.child.exitCode, null);
    const answer = await this.#get('healthz').catch(() => undefined);
    return answer?.status;
  }

  async linesLost(): Promise<number> {
    const text = await (await this.#get('metrics')).text();
    return Number(/^megaphone_log_lines_lost_total (\d+)$/m.exec(text)?.[1]);
  }

  async remove(): Promise<void> {
    await killChild(this.child);
    rmSync(this.folder, { recursive: true });
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.admin}/${path}`);
  }
}

describe('a full disk under the log', { timeout: 60_000 }, () => {
  for (const workers of ['1', '2']) {
    it(`loses lines, and nothing else: ${workers} worker(s)`, async () => {
      const gateway = await Gateway.start(PAGE, ['--workers', workers]);
      try {
        await until(async () => (await gateway.linesLost()) > 0);
        assert.equal(statSync(gateway.log).size, PAGE);
        gateway.child.kill('SIGTERM');
        const [code] = await happens(gateway.child, 'exit');
        assert.equal(code, 0);
      } finally {
        await gateway.remove();
      }
    });
  }

  it('that has room again is written to, and a torn line spoils no other', async () => {
    const gateway = await Gateway.start(PAGE - 10, []);
    try {
      await until(async () => (await gateway.linesLost()) > 0);
      // Held open, the file can be read when the disk's owner has ended.
      const log = openSync(gateway.log, 'r+');
      const torn = readFileSync(log).subarray(PAGE - 10);
      assert.equal(torn.length, 10, 'the first line, as far as there was room');
      ftruncateSync(log, 10);
      writeSync(log, torn, 0, 10, 0);
      gateway.child.kill('SIGTERM');
      await happens(gateway.child, 'exit');
      const text = Buffer.alloc(PAGE);
      const length = readSync(log, text, 0, PAGE, 0);
      closeSync(log);
      const [first, ...rest] = text.toString('utf8', 0, length).trimEnd().split('\n');
      assert.equal(first, torn.toString());
      assert.match(JSON.parse(rest[0] ?? '').msg, /stopping/);
    } finally {
      await gateway.remove();
    }
  });
});
