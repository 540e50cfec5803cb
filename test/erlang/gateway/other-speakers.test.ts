/** Those who speak Erlang's distribution and are no Erlang node: its libraries for Java and for C. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { killChild } from '../../../scripts/support/epmd.js';
import { happens } from '../../support/until.js';
import { isOverTls } from '../over-tls.js';
import { Cluster, COOKIE, inService, post } from './support.js';

const run = promisify(execFile);
const source = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/erlang/gateway/${name}`, import.meta.url));
const skip = isOverTls && 'these libraries speak no TLS';
const JAVA_LIBRARY = '/usr/share/java/OtpErlang.jar';
const JAVA_MAILBOX = source('Mailbox.java');
const C_MAILBOX = source('mailbox.c');

let cluster: Cluster;
const children: ChildProcess[] = [];
const folders: string[] = [];
before(async () => {
  cluster = await Cluster.start();
});
after(async () => {
  await Promise.all(children.map(killChild));
  await cluster.stop();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, ERL_EPMD_PORT: String(cluster.epmd.port) });

/** Resolves when it says that it is ready. */
async function spawnMailbox(program: string, given: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, given, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await happens(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  return child;
}

const startMailbox = (node: string, gateway: string): Promise<ChildProcess> =>
  spawnMailbox('java', ['-cp', JAVA_LIBRARY, JAVA_MAILBOX, node, COOKIE, gateway]);

/** Erlang's own C library, where the release in use has it. */
function compileMailbox(): string {
  const root = execFileSync('erl', [
    '-noshell',
    '-eval',
    'io:put_chars(code:lib_dir(erl_interface)), halt().',
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'megaphone-mailbox-'));
  folders.push(folder);
  const program = join(folder, 'mailbox');
  const linked = [`-I${root}/include`, C_MAILBOX, `-L${root}/lib`, '-lei', '-lpthread'];
  execFileSync('gcc', ['-Wall', '-Wextra', '-Werror', '-D_REENTRANT', ...linked, '-o', program]);
  return program;
}

test('a node of the C library gets into service and answers requests', { skip }, async () => {
  const name = 'cnode@localhost';
  const service = await cluster.gateway({ nodes: name });
  const lost: string[] = [];
  service.node.on('down', (node) => lost.push(node));
  await spawnMailbox(compileMailbox(), ['cnode', COOKIE]);
  await inService(service);
  assert.equal(await (await post(service, '<body>Grüße</body>')).text(), '<body>Grüße</body>');
  service.gateway.cluster.tick();
  assert.equal(await (await post(service, 'again')).text(), 'again');
  assert.deepEqual(lost, []);
});

test('a mailbox of the Java library gets into service, answers requests and reads statistics', {
  skip,
}, async () => {
  const name = 'java@localhost';
  const service = await cluster.gateway({ nodes: name });
  const lost: string[] = [];
  service.node.on('down', (node) => lost.push(node));
  const mailbox = await startMailbox(name, service.node.name);
  await inService(service);
  assert.equal(await (await post(service, '<body>Grüße</body>')).text(), '<body>Grüße</body>');
  assert.equal(await (await post(service, 'stats')).text(), 'true');
  // The gateway's clock looks at its nodes each second.
  service.gateway.cluster.tick();
  assert.equal(await (await post(service, 'again')).text(), 'again');
  assert.deepEqual(lost, []);

  await killChild(mailbox);
  await inService(service, 0);
  await startMailbox(name, service.node.name);
  await inService(service);
  assert.equal(await (await post(service, 'returned')).text(), 'returned');
});

for (const [what, ...given] of [
  ['apply', '-a', 'erlang node'],
  ['evaluate', '-e'],
] as const) {
  test(`erl_call that asks the gateway to ${what} is refused at once`, { skip }, async () => {
    const service = await cluster.gateway({ nodes: 'ejabberd@localhost' });
    const calling = run('erl_call', ['-n', service.node.name, '-c', COOKIE, ...given], {
      env: environment(),
    });
    calling.child.stdin?.end('1 + 1.');
    assert.equal((await calling).stdout, '{badrpc, notsup}');
  });
}
