/** The log of a start that failed reaches one who reads slowly. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { happens } from '../../support/until.js';

const program = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

/** Each is warned of, and together they are more than a pipe or a socket holds, and less than may wait. */
const MISTAKES = 2500;
const mistakes = Array.from({ length: MISTAKES }, (_, index) => [`MEGAPHONE_${index + 1000}`, '']);

for (const workers of ['1', '2']) {
  test(`${workers} worker(s): all lines are there`, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await happens(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const flags = ['--workers', workers, '--node', `failed${port}@localhost`, '--epmd-port', '0'];
    flags.push('--http-ip', '127.0.0.1', '--http-port', `${port}`);
    const gateway = spawn(process.execPath, [program, 'start', ...flags], {
      env: { PATH: process.env.PATH, MEGAPHONE_COOKIE: 'test', ...Object.fromEntries(mistakes) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await happens(gateway.stderr, 'data');
    let log = '';
    gateway.stdout.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    const [code] = await happens(gateway, 'close');
    server.close();
    assert.equal(code, 1);
    assert.equal(log.match(/MEGAPHONE_\d+/g)?.length, MISTAKES);
  });
}
