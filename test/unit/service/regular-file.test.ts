/** What operators name as files: a pipe holds up nobody, at the start or later; and what is read of other things than files. */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readRegularFile } from '../../../src/regular-file.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { happens, until } from '../../support/until.js';

const program = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'megaphone-files-'));
after(() => rmSync(folder, { recursive: true }));

const path = (name: string): string => join(folder, name);
const pipe = path('pipe');
execFileSync('mkfifo', ['-m', '600', pipe]);
const link = path('link');
symlinkSync(pipe, link);

function file(name: string, content: string | Buffer): string {
  rmSync(path(name), { force: true });
  writeFileSync(path(name), content, { mode: 0o600 });
  return path(name);
}

const read = (name: string, most?: number): string =>
  readRegularFile(name, {
    ...{ code: 'CONFIG_UNREADABLE', problem: 'no', hint: 'another', ...(most === undefined ? {} : { most }) },
  }).toString();
const refused = (message: string) => ({ code: 'CONFIG_UNREADABLE', message });

test('a file is read, also through a link, up to its bound', () => {
  symlinkSync(file('text', 'grün'), path('to-text'));
  assert.equal(read(path('to-text')), 'grün');
  assert.equal(read(path('text'), 5), 'grün');
  assert.equal(read(file('empty', '')), '');
  // Without a size, as all there.
  assert.match(read('/proc/self/status'), /^Name:/);
  assert.throws(() => read(file('large', Buffer.alloc(2049)), 2048), refused('no: it has more than 2 kB'));
  assert.throws(() => read(path('nowhere')), refused('no: ENOENT'));
});

test('a directory and a device are none', () => {
  for (const name of [folder, '/dev/null']) {
    assert.throws(() => read(name), refused('no: it is no regular file'));
  }
});

const START = ['start', '--node', `files${process.pid}@localhost`, '--http-ip', '127.0.0.1'];
const EPHEMERAL = ['--http-port', '0', '--epmd-port', '0', '--nodes', 'ejabberd@localhost=127.0.0.1:1'];
const cookie = file('cookie', 'test');
const named: readonly [code: string, flags: readonly string[]][] = [
  ['CONFIG_UNREADABLE', ['--config', pipe]],
  ['CONFIG_UNREADABLE', ['--config', link]],
  ['CONFIG_COOKIE_UNREADABLE', ['--cookie-file', pipe]],
  ['CONFIG_TOKEN_UNREADABLE', ['--cookie-file', cookie, '--admin-port', '1', '--admin-token-file', pipe]],
  ['HTTP_CERTIFICATE', ['--cookie-file', cookie, '--tls-cert', pipe, '--tls-key', pipe]],
  [
    'NODE_CERTIFICATE',
    [
      ...['--cookie-file', cookie, '--distribution-tls-cert', pipe],
      ...['--distribution-tls-key', pipe, '--distribution-tls-ca', pipe],
    ],
  ],
];

for (const [code, flags] of named) {
  test(`at the start a pipe is refused: ${flags.at(-2)}: ${code}`, async () => {
    const { MEGAPHONE_COOKIE: _, ...env } = process.env;
    // Another process, which a pipe may stand still; the time is for a busy machine.
    const ended = await new Promise<{ code: unknown; text: string }>((resolve) => {
      const options = { env, timeout: 60_000, killSignal: 'SIGKILL' } as const;
      execFile(process.execPath, [program, ...START, ...EPHEMERAL, ...flags], options, (error, _out, text) =>
        resolve({ code: error?.code, text }),
      );
    });
    assert.equal(ended.code, 1, ended.text);
    assert.match(ended.text, new RegExp(`: it is no regular file \\[${code}\\]\\n  → name a file`));
  });
}

const TOKEN = 'correct-horse-battery-staple';

for (const workers of [1, 2]) {
  test(`SIGHUP revokes a token that is gone, and no pipe stands the process still: ${workers} process(es)`, async () => {
    const token = file(`token${workers}`, TOKEN);
    const gateway = await GatewayProcess.start(4096, { admin_token_file: token, workers: `${workers}` });
    const ended = happens(gateway.process, 'exit');
    const status = async (): Promise<number> => {
      const url = `http://127.0.0.1:${gateway.adminPort}/api/token`;
      const signal = AbortSignal.timeout(30_000);
      return (await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` }, signal })).status;
    };
    try {
      assert.equal(await status(), 200);
      for (const spoil of [
        () => rmSync(token),
        () => file(`token${workers}`, ''),
        () => {
          rmSync(token);
          symlinkSync(pipe, token);
        },
      ]) {
        spoil();
        gateway.process.kill('SIGHUP');
        await until(async () => (await status()) === 403);
        file(`token${workers}`, TOKEN);
        gateway.process.kill('SIGHUP');
        await until(async () => (await status()) === 200);
      }
      const told = gateway.lines.filter(({ msg }) => msg.startsWith('no token is valid any more: '));
      assert.equal(told.length, 3);
    } finally {
      gateway.process.kill('SIGKILL');
      await ended;
    }
  });
}
