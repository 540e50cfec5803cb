/**
 * What `megaphone check` says of a machine, by what its /proc says: settings that no test can have for itself, and numbers that no
 * machine has. The rest is provoked for real in test/erlang/gateway/check.test.ts.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { linesOf } from '../../../src/cli/finding.js';
import { kernel } from '../../../src/cli/setup/kernel.js';
import { limits } from '../../../src/cli/setup/limits.js';
import { portOwner } from '../../../src/cli/setup/port-owner.js';
import { configSchema } from '../../../src/config/schema.js';

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'megaphone-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(proc, file)), { recursive: true });
  writeFileSync(join(proc, file), `${text}\n`);
}

const SETTINGS: Readonly<Record<string, string>> = {
  'net/core/somaxconn': '4096',
  'net/netfilter/nf_conntrack_max': '262144',
  'net/ipv4/tcp_mem': '187608\t250145\t375216',
  'net/ipv4/ip_local_port_range': '32768\t60999',
  'net/ipv4/ip_local_reserved_ports': '',
};

/** What is said of a usual machine where one of its settings is another. */
function said(
  settings: Readonly<Record<string, string>>,
  config: Readonly<Record<string, unknown>>,
): string[] {
  for (const [name, value] of Object.entries({ ...SETTINGS, ...settings })) write(`sys/${name}`, value);
  return [...kernel(configSchema.parse(config), proc)].flatMap(linesOf);
}

const MILLION = { max_connections: 1_000_000, max_exchanges: 1_000_000 };
const LINE = '  → in /etc/sysctl.d/60-megaphone.conf, followed by sysctl --system: ';

test('a usual machine is enough for the defaults, and for half a million only with more', () => {
  assert.deepEqual(said({}, {}), ["✔ the kernel's settings go with 16000 connections"]);
  const lines = said({}, { max_connections: 500_000 });
  assert.deepEqual(
    lines.filter((line) => line.startsWith('  →')),
    [`${LINE}net.netfilter.nf_conntrack_max = 625000`, `${LINE}net.ipv4.tcp_mem = 250000 375000 500000`],
  );
  assert.equal(lines.filter((line) => line.startsWith('⚠')).length, 2);
});

test('what is said is gone with the line that is said to mend it', () => {
  const first = said(
    { 'net/core/somaxconn': '128' },
    { ...MILLION, http_ip: '127.0.0.1', distribution_port: 40_000 },
  );
  const mended = first.flatMap((line) => {
    const [, setting, value] = /sysctl --system: (\S+) = (.*)$/.exec(line) ?? [];
    return setting === undefined || value === undefined
      ? []
      : [[setting.replaceAll('.', '/'), value] as const];
  });
  assert.equal(mended.length, 5);
  const after = said(Object.fromEntries(mended), {
    ...MILLION,
    http_ip: '127.0.0.1',
    distribution_port: 40_000,
  });
  // What no setting mends.
  assert.deepEqual(
    after.map((line) => line.replace(/\d+ ports:.*/, '…')),
    [
      '⚠ net.ipv4.ip_local_port_range has …',
      '  → name the gateway several times in the proxy, by 127.0.0.1, 127.0.0.2 and so on: each address has ports of its own',
    ],
  );
});

test('a proxy elsewhere has ports of its own, and what is not there is no matter', () => {
  assert.deepEqual(
    said({ 'net/ipv4/tcp_mem': '1 2 1000000', 'net/netfilter/nf_conntrack_max': '2000000' }, MILLION),
    ["✔ the kernel's settings go with 1000000 connections"],
  );
  rmSync(join(proc, 'sys'), { recursive: true });
  assert.deepEqual([...kernel(configSchema.parse(MILLION), proc)], []);
});

test('ranges of ports that are reserved are kept', () => {
  const lines = said(
    { 'net/ipv4/ip_local_reserved_ports': '33000-33010,40000' },
    { http_port: 40_000, admin_port: 50_000 },
  );
  assert.equal(lines[1], `${LINE}net.ipv4.ip_local_reserved_ports = 33000-33010,40000,50000`);
  assert.match(lines[0] ?? '', /give port 50000 to/);
});

test('more files than the kernel allows any process take a line of its own first', () => {
  write('self/limits', 'Max open files            1024                 524288               files');
  write('sys/fs/nr_open', '1048576');
  const many = { ...MILLION, tls_cert: 'cert', tls_key: 'key' };
  const [, hint] = [...limits(configSchema.parse(many), false, proc)].flatMap(linesOf);
  assert.equal(
    hint,
    '  → LimitNOFILE=1250164 in the systemd unit, or ulimit -n 1250164 in the shell that starts it; first fs.nr_open = 1250164 in /etc/sysctl.d/60-megaphone.conf, and sysctl --system',
  );
  const each = [...limits(configSchema.parse({ ...many, workers: 2 }), false, proc)].flatMap(linesOf);
  assert.match(each[1] ?? '', /LimitNOFILE=625164 in .* starts it$/);
});

test('who listens on a port is told, not who is connected to it, nor who has another one', () => {
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`;
  write(
    'net/tcp',
    ['  sl  local_address …', row('0100007F:1F90', '01', 11), row('0100007F:1F91', '0A', 12)].join('\n'),
  );
  write('net/tcp6', row('00000000000000000000000000000000:1F90', '0A', 13));
  for (const [pid, name, inode] of [
    ['7', 'curl', 11],
    ['8', 'other', 12],
    ['9', 'nginx', 13],
  ] as const) {
    write(`${pid}/comm`, name);
    mkdirSync(join(proc, pid, 'fd'));
    symlinkSync(`socket:[${inode}]`, join(proc, pid, 'fd', '3'));
  }
  assert.deepEqual(portOwner(8080, proc), { pid: 9, name: 'nginx' });
  assert.equal(portOwner(8082, proc), undefined);
});

const SIZING = readFileSync(fileURLToPath(new URL('../../../../docs/sizing.md', import.meta.url)), 'utf8');

for (const users of ['100000', '1000000']) {
  test(`the sample for ${users} users is enough for itself`, () => {
    const block = (kind: string): string =>
      new RegExp(`<!-- ${kind}: ${users} -->\n\`\`\`\\w*\n(.*?)\`\`\``, 's').exec(SIZING)?.[1] ?? '';
    const config = parse(block('size')) as Readonly<Record<string, unknown>>;
    const [, files = ''] = /^LimitNOFILE=(\d+)$/m.exec(block('unit')) ?? [];
    const settings = [...block('sysctl').matchAll(/^(\S+) = (.*)$/gm)].map(
      ([, name = '', value = '']) => [name.replaceAll('.', '/'), value] as const,
    );
    assert.ok(settings.length > 2);
    assert.deepEqual(said(Object.fromEntries(settings), config), [
      `✔ the kernel's settings go with ${config.max_connections} connections`,
    ]);
    write('self/limits', `Max open files            ${files}                 ${files}               files`);
    const found = [...limits(configSchema.parse(config), false, proc)];
    assert.deepEqual(
      found.map(({ mark }) => mark),
      ['✔'],
    );
  });
}
