/** Where mod_megaphone's options go, as the documentation says: each way works, is there after a restart, and survives an upgrade. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { eventually } from '../support/until.js';
import { BoshSession, condition } from './conformance/bosh-session.js';
import { printed } from './support/printed.js';

/** A line of `modules:` in YAML. */
const options = (inactivity: number): string => `  mod_megaphone:\n    max_inactivity: ${inactivity}\n`;

describe("mod_megaphone's options", { timeout: 300_000 }, () => {
  let instance: Instance;
  let main: string;
  let asMade: string;
  let own: string;
  before(async () => {
    instance = await Instance.start();
    const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
    main = join(folder, 'ejabberd.yml');
    asMade = await readFile(main, 'utf8');
    own = join(folder, 'conf/mod_megaphone.yml');
    await mkdir(join(folder, 'conf'), { recursive: true });
  });
  after(() => instance.stop());

  /** What a new session is told. */
  async function inactivity(): Promise<number> {
    // The gateway looks once a second whether the module is back.
    const session = await eventually(
      () => BoshSession.create(instance.gatewayUrl),
      ({ creation }) => creation.status !== 503,
    );
    await session.terminate();
    return Number(session.creation.attributes.inactivity);
  }

  /** After a reload, a restart, and an upgrade. */
  async function expectAlways(seconds: number): Promise<void> {
    await instance.ctl('reload_config');
    assert.equal(await inactivity(), seconds, 'reloaded');
    await instance.script('ejabberd.sh', 'stop');
    await instance.script('ejabberd.sh', 'start');
    assert.equal(await inactivity(), seconds, 'restarted');
    await instance.ctl('module_upgrade', 'mod_megaphone');
    assert.equal(await inactivity(), seconds, 'upgraded');
  }

  /** As README.md has it, in a home of its own that has the instance's folder of modules. */
  async function installAsPrinted(): Promise<string> {
    const [commands = []] = printed('README.md', 'test/ejabberd/module-options.test.ts');
    assert.equal(commands.length, 3);
    const folder = dirname(main);
    await rm(join(folder, 'modules/sources/mod_megaphone'), { recursive: true, force: true });
    const home = join(instance.var, 'home');
    await mkdir(home);
    await symlink(join(folder, 'modules'), join(home, '.ejabberd-modules'));
    const env = { ...instance.env, HOME: home, PATH: `${folder}:${instance.env.PATH}` };
    return (await promisify(execFile)('sh', ['-ec', commands.join('\n')], { cwd: root, env })).stdout;
  }

  it('are the defaults after module_install', async () => {
    assert.equal(await inactivity(), 30);
  });

  it('go into a file of their own', async () => {
    await writeFile(own, `modules:\n${options(41)}`);
    await expectAlways(41);
  });

  it('go into ejabberd.yml where that file is empty', async () => {
    await writeFile(own, '');
    await appendFile(main, options(42));
    await expectAlways(42);
  });

  it('are refused by ejabberd in two places: it goes on with those that it had', async () => {
    await writeFile(own, `modules:\n${options(43)}`);
    await assert.rejects(instance.ctl('reload_config'), ({ stdout }: { readonly stdout: string }) =>
      stdout.includes('Duplicated option: mod_megaphone'),
    );
    assert.equal(await inactivity(), 42);
    await writeFile(main, asMade);
    await instance.ctl('reload_config');
    assert.equal(await inactivity(), 43);
  });

  it('go with the module: its sessions end with system-shutdown, and begin anew when it is back', async () => {
    const session = await BoshSession.create(instance.gatewayUrl);
    // The creation request is answered; this one is held.
    const held = session.next();
    await rm(own);
    await instance.ctl('module_uninstall', 'mod_megaphone');
    assert.equal(condition(await held.answer), 'system-shutdown');
    // Its compiler has nothing to say.
    assert.doesNotMatch(await installAsPrinted(), /warning/i);
    assert.equal(await inactivity(), 30);
  });
});
