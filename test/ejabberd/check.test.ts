/** `megaphone check` beside a real ejabberd: what its module and its node are set to, held against the gateway's configuration. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { appendFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { freePort, killChild } from '../../scripts/support/epmd.js';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { until } from '../support/until.js';
import { printed } from './support/printed.js';

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

  // Of another release of Debian there is Node.js alone.
  const skip = spawnSync('npm', ['--version']).error !== undefined;
  it('is part of installing the gateway, as README.md has it', { skip }, async () => {
    const [install = [], begin = []] = printed('README.md', 'test/ejabberd/check.test.ts');
    // The first two made what is tested here.
    assert.deepEqual(install.slice(0, 2), ['npm ci', 'npm run build']);
    const clone = join(instance.var, 'clone');
    await mkdir(clone);
    for (const part of ['package.json', 'node_modules', 'dist', 'megaphone.example.yml'])
      await symlink(join(root, part), join(clone, part));
    const env = {
      ...instance.env,
      HOME: instance.var,
      npm_config_prefix: join(instance.var, 'npm'),
      npm_config_offline: 'true',
      PATH: `${join(instance.var, 'npm/bin')}:${instance.env.PATH}`,
      MEGAPHONE_HTTP_PORT: `${await freePort()}`,
    };
    const sh = (commands: readonly string[]): Promise<{ stdout: string }> =>
      run('sh', ['-ec', commands.join('\n')], { cwd: clone, env });
    await sh(install.slice(2));
    const settings = { node: 'web@localhost', nodes: [instance.ejabberdNode], ...instance.tlsSettings };
    await appendFile(join(clone, 'megaphone.yml'), stringify(settings));
    assert.deepEqual(begin, ['megaphone check', 'megaphone start']);
    const { stdout } = await sh(begin.slice(0, 1));
    assert.match(stdout, /✔ configuration: .*megaphone.yml\n[^✘]*✔ HTTP port \d+ is free/);
    const gateway = spawn('sh', ['-c', `exec ${begin[1]}`], {
      cwd: clone,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let log = '';
      gateway.stdout.on('data', (text) => {
        log += text;
      });
      await until(() => log.includes(`${instance.ejabberdNode} is in service`));
    } finally {
      await killChild(gateway);
    }
  });
});
