/** `megaphone check` beside a real ejabberd: what its module and its node are set to, held against the gateway's configuration. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Authority } from '../../scripts/support/authority.js';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';

const run = promisify(execFile);

describe('megaphone check, beside ejabberd', { timeout: 240_000 }, () => {
  let instance: Instance;
  before(async () => {
    instance = await Instance.start();
  });
  after(() => instance?.stop());

  /** With the configuration of the gateway that runs. */
  async function check(...args: string[]): Promise<{ output: string; code: number }> {
    const file = join(instance.var, `gateway_test${process.pid}`, 'megaphone.yml');
    const command = [join(root, 'dist/src/main.js'), 'check', '--config', file, ...args];
    const { PATH } = process.env;
    const { ERL_EPMD_PORT } = instance.env;
    try {
      const { stdout } = await run(process.execPath, command, {
        env: { PATH, ERL_EPMD_PORT, HOME: instance.var },
        cwd: root,
      });
      return { output: stdout, code: 0 };
    } catch (error) {
      const { stdout, code } = error as { stdout: string; code: number };
      return { output: stdout, code };
    }
  }

  it('finds nothing wrong with the development instance, while it runs', async () => {
    const { output, code } = await check();
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`✔ ${instance.gatewayNode} is this gateway, running already`));
    assert.match(output, /✔ HTTP port \d+ is that of this gateway, running already/);
    assert.match(output, new RegExp(`✔ mod_megaphone runs on ${instance.ejabberdNode}`));
    assert.doesNotMatch(output, /answer_timeout|net_ticktime/);
  });

  it("holds answer_timeout against the module's max_wait", async () => {
    const { output, code } = await check('--answer-timeout', '60 s');
    assert.equal(code, 1, output);
    assert.match(
      output,
      /✘ answer_timeout is 60 s, and max_wait of mod_megaphone for localhost on \S+ 60 s: .* 504\n {2}→ answer_timeout: 180 s here/,
    );
    const enough = await check('--answer-timeout', '61 s');
    assert.equal(enough.code, 0, enough.output);
  });

  it("holds tick_time against the node's net_ticktime", async () => {
    const { output, code } = await check('--tick-time', '20 s');
    assert.equal(code, 1, output);
    assert.match(output, /✘ tick_time is 20 s, and net_ticktime of \S+ 60 s: .*\n {2}→ tick_time: 60 s/);
  });

  it('tells TLS on one side alone', async () => {
    const authority = new Authority();
    try {
      const { cert, key, ca } = authority.issue({ host: 'localhost' });
      const theirs = [
        '--distribution-tls-cert',
        cert,
        '--distribution-tls-key',
        key,
        '--distribution-tls-ca',
        ca,
      ];
      const none = ['--distribution-tls-cert', '', '--distribution-tls-key', '', '--distribution-tls-ca', ''];
      const { output, code } = await check(...(instance.tls === undefined ? theirs : none));
      assert.equal(code, 1);
      const what = instance.tls === undefined ? 'does not speak TLS' : 'speaks TLS';
      assert.match(
        output,
        new RegExp(`✘ ${instance.ejabberdNode} ${what}, .* \\[HANDSHAKE_TLS_MISMATCH\\]\\n {2}→ `),
      );
      // So does the running gateway, which has its name.
      assert.match(
        output,
        new RegExp(`✘ another node is called ${instance.gatewayNode}: .* \\[HANDSHAKE_TLS_MISMATCH\\]`),
      );
    } finally {
      authority.remove();
    }
  });
});
