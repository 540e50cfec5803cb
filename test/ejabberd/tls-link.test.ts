/**
 * The development instance with `MEGAPHONE_TLS=1`: gateway and ejabberd speak TLS with each other, and web clients talk over
 * both transports as ever, also while certificates are made anew.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { until } from '../support/until.js';
import type { ChatClient } from './support/chat-client.js';
import { converse } from './support/conversation.js';
import { ServerNode } from './support/server-node.js';
import { strophe } from './support/strophe-client.js';

const run = promisify(execFile);
const main = join(root, 'dist/src/main.js');
const MESSAGES = 300;

describe('an instance over TLS', { timeout: 300_000 }, () => {
  let instance: Instance;
  let alice: ChatClient;
  let bob: ChatClient;

  before(async () => {
    process.env.MEGAPHONE_TLS = '1';
    instance = await Instance.start();
  });
  after(async () => {
    await Promise.all([alice, bob].map((client) => client?.logout()));
    await instance.stop();
  });

  const folder = (): string =>
    join(instance.var, instance.gatewayNode.split('@', 1)[0] as string).replace('megaphone_', 'gateway_');
  const log = (): Promise<string> => readFile(join(folder(), 'gateway.log'), 'utf8');
  /** `megaphone ARG…` with the gateway's configuration, and as a stranger to TLS where that is wanted. */
  const megaphone = async (args: readonly string[], env = {}): Promise<string> => {
    const options = { env: { ...instance.env, NO_COLOR: '1', ...env } };
    const command = [main, ...args, '--config', join(folder(), 'megaphone.yml')];
    return run(process.execPath, command, options).then(
      ({ stdout }) => stdout,
      ({ stdout, stderr }) => `${stdout}${stderr}`,
    );
  };

  it('speaks nothing else', async () => {
    const server = await ServerNode.connect(instance);
    assert.equal(
      await server.print(
        `{init:get_argument(proto_dist), lists:member('${instance.gatewayNode}', nodes(hidden))}`,
      ),
      '{{ok,[["inet_tls"]]},true}',
    );
    await server.stop();
    assert.match(await instance.ctl('status'), /is started/);
  });

  it('carries conversations over BOSH and WebSocket', async () => {
    // Strophe takes the answers to two BOSH requests as they come, not in their order.
    alice = strophe(instance.gatewayUrl, instance.alice);
    bob = strophe(instance.gatewayWebSocketUrl, instance.bob);
    for (const client of [alice, bob]) {
      await client.login();
      client.sendPresence();
    }
    await Promise.all([converse(alice, bob, MESSAGES), converse(bob, alice, MESSAGES, { exact: false })]);
  });

  it('is found well by `megaphone check`, and answers `megaphone ping`', async () => {
    const found = await megaphone(['check']);
    assert.match(found, new RegExp(`✔ ${instance.ejabberdNode} is reached over TLS, and accepts the cookie`));
    assert.match(found, /✔ TLS with other nodes: the certificate in \S+localhost.pem can be used/);
    assert.doesNotMatch(found, /✘/);
    assert.equal(await megaphone(['ping', instance.ejabberdNode]), 'pong\n');
  });

  it('is told from a wrong cookie by both, where they speak no TLS', async () => {
    const plain = { MEGAPHONE_DISTRIBUTION_TLS_CERT: '', MEGAPHONE_DISTRIBUTION_TLS_KEY: '' };
    const settings = await readFile(join(folder(), 'megaphone.yml'), 'utf8');
    assert.match(settings, /^distribution_tls_cert/m);
    // Flags win over the file.
    const flags = ['--distribution-tls-cert', '', '--distribution-tls-key', '', '--distribution-tls-ca', ''];
    for (const command of [['check'], ['ping', instance.ejabberdNode]]) {
      const said = await megaphone([...command, ...flags], plain);
      assert.match(said, /ejabberd\S+ speaks TLS, and this node does not \[HANDSHAKE_TLS_MISMATCH\]/);
    }
    for (const command of [['check'], ['ping', instance.ejabberdNode]]) {
      assert.match(await megaphone(command, { MEGAPHONE_COOKIE: 'wrong' }), /\[HANDSHAKE_WRONG_COOKIE\]/);
    }
  });

  it('goes on with certificates made anew, and new connections use them', async () => {
    const { tls } = instance;
    assert.ok(tls);
    const before = await readFile(tls.cert, 'utf8');
    await rm(tls.cert);
    await instance.script('tls.sh', 'localhost');
    assert.notEqual(await readFile(tls.cert, 'utf8'), before);
    const pid = Number(await readFile(join(folder(), 'gateway.pid'), 'utf8'));
    process.kill(pid, 'SIGHUP');
    await until(async () => /new connections with nodes get the certificate/.test(await log()));
    const server = await ServerNode.connect(instance);
    const talk = Promise.all([
      converse(alice, bob, MESSAGES),
      converse(bob, alice, MESSAGES, { exact: false }),
    ]);
    const ups = (text: string): number => text.split('"msg":"connected to ejabberd').length;
    const times = ups(await log());
    await server.evaluate(`erlang:disconnect_node('${instance.gatewayNode}').`);
    await until(async () => ups(await log()) > times);
    await talk;
    await server.stop();
  });
});
