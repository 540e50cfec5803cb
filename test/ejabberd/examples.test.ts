/** The programs of examples/ that no document plays. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { happens } from '../support/until.js';
import { stanza } from './support/stanza-client.js';

describe('examples/echo-bot.mjs', { timeout: 120_000 }, () => {
  let instance: Instance;
  before(async () => {
    instance = await Instance.start();
  });
  after(() => instance?.stop());

  const bot = (...args: string[]): ChildProcess =>
    spawn(process.execPath, [join(root, 'examples/echo-bot.mjs'), ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  it('sends each message back, in order, and logs out when it is ended', async () => {
    const { alice, bob, gatewayUrl } = instance;
    const echo = bot(gatewayUrl, alice.jid, alice.password);
    const [line] = (await happens(echo.stdout as NodeJS.EventEmitter, 'data')) as [Buffer];
    assert.match(String(line), /^online as alice@localhost\//);
    const user = stanza(gatewayUrl, bob);
    await user.login();
    user.sendPresence();
    for (const text of ['one', '<two> & "2"', 'drei 🎉']) user.sendMessage(alice.jid, text);
    await user.inbox.until(() => user.inbox.messages.length === 3);
    assert.deepEqual(user.inbox.messages, [
      'alice@localhost: one',
      'alice@localhost: <two> & "2"',
      'alice@localhost: drei 🎉',
    ]);
    await user.logout();
    const ended = happens(echo, 'exit');
    echo.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    assert.deepEqual(await instance.connectedUsers(), []);
  });

  it('says so when it is not let in', async () => {
    assert.deepEqual(await happens(bot(instance.gatewayUrl, instance.alice.jid, 'wrong'), 'exit'), [1, null]);
  });

  it('tells how it is called', async () => {
    assert.deepEqual(await happens(bot(), 'exit'), [2, null]);
  });
});
