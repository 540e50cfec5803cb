/** Those who speak Erlang's distribution and are no Erlang node: its libraries for Java and for C. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { killChild } from '../../support/epmd.js';
import { Cluster, COOKIE, inService, post } from './support.js';

const run = promisify(execFile);
const JAVA = '/usr/share/java/OtpErlang.jar';
const MAILBOX = fileURLToPath(new URL('../../../../test/erlang/gateway/Mailbox.java', import.meta.url));

let cluster: Cluster;
const children: ChildProcess[] = [];
before(async () => {
  cluster = await Cluster.start();
});
after(async () => {
  await Promise.all(children.map(killChild));
  await cluster.stop();
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, ERL_EPMD_PORT: String(cluster.epmd.port) });

async function startMailbox(node: string, gateway: string): Promise<ChildProcess> {
  const child = spawn('java', ['-cp', JAVA, MAILBOX, node, COOKIE, gateway], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  return child;
}

test('a mailbox of the Java library gets into service, answers requests and reads statistics', async () => {
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
  test(`erl_call that asks the gateway to ${what} is refused at once`, async () => {
    const service = await cluster.gateway({ nodes: 'ejabberd@localhost' });
    const calling = run('erl_call', ['-n', service.node.name, '-c', COOKIE, ...given], {
      env: environment(),
    });
    calling.child.stdin?.end('1 + 1.');
    assert.equal((await calling).stdout, '{badrpc, notsup}');
  });
}
