/** What systemd is told, by its own systemd-notify, and heard at a socket like its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ServiceManager } from '../../../src/service/service-manager.js';
import { until } from '../../support/until.js';

/** A line for each datagram, its fields separated by blanks. What comes beside one (a descriptor, at BARRIER=1) is closed. */
const LISTENER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, 64)
    for _, _, fds in ancillary: os.close(int.from_bytes(fds[:4], sys.byteorder))
    print(data.decode().strip().replace("\\n", " "), flush=True)
`;

/** It has no file left when it begins, and when it looks first; later all. */
const SHORT_OF_FILES = [
  process.execPath,
  '--input-type=module',
  '-e',
  `
import { closeSync, openSync } from 'node:fs';
const { ServiceManager } = await import('${new URL('../../../src/service/service-manager.js', import.meta.url)}');
const files = [];
try { for (;;) files.push(openSync('/dev/null')); } catch {}
let asked = 0;
ServiceManager.find(process.env, () => {
  asked += 1;
  if (asked === 6) for (const file of files) closeSync(file);
  return { state: 'in_service', nodes: {}, connections: 64 };
});
setInterval(() => {}, 1000);
`,
];

describe('the service manager', { timeout: 60_000 }, () => {
  let folder: string;
  let listener: ChildProcess;
  let heard = '';
  const has = (text: RegExp): Promise<void> => until(() => text.test(heard));
  const stats = () => ({ state: 'in_service' as const, nodes: {}, connections: 7 });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'megaphone-notify-'));
    listener = spawn('python3', ['-c', LISTENER, join(folder, 'socket')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    listener.stdout?.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    await has(/^bound$/m);
  });
  after(() => {
    listener.kill();
    rmSync(folder, { recursive: true });
  });

  test('hears when it is up, at the watchdog, at a reload and at the end', async () => {
    const env = { ...process.env, NOTIFY_SOCKET: join(folder, 'socket'), WATCHDOG_USEC: '300000' };
    const manager = ServiceManager.find(env, stats);
    await has(/^READY=1 STATUS=in service, 0 of 0 ejabberd nodes, 7 connections$/m);
    await has(/^WATCHDOG=1 STATUS=.*\n(.*\n)*WATCHDOG=1 STATUS=/m);
    manager?.reloading();
    manager?.ready();
    await has(/^RELOADING=1 MONOTONIC_USEC=\d+\n(BARRIER=1\n)?READY=1 /m);
    manager?.stopping(13.2);
    await has(/^STOPPING=1 EXTEND_TIMEOUT_USEC=13200000 STATUS=/m);
  });

  test('hears again of one that had no files for a helper', async () => {
    const gateway = spawn('/bin/sh', ['-c', 'ulimit -n 64; exec "$0" "$@"', ...SHORT_OF_FILES], {
      env: { ...process.env, NOTIFY_SOCKET: join(folder, 'socket'), WATCHDOG_USEC: '300000' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    try {
      await until(() => /^WATCHDOG=1 .* 64 connections$/m.test(heard) || gateway.exitCode !== null);
      assert.match(heard, /^WATCHDOG=1 .* 64 connections$/m);
    } finally {
      gateway.kill();
    }
  });

  test('is nobody without a socket', () => assert.equal(ServiceManager.find({}, stats), undefined));
});
