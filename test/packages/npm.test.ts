/** The npm package: what is in it, and that it installs and serves where there is no compiler. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import { happens, until } from '../support/until.js';

const NO_ERLPACK = /erlpack is not built here/;

describe('the npm package', { timeout: 300_000 }, () => {
  let folder: string;
  let tarball: string;
  /** All that is found there besides Node.js: a shell. */
  let env: NodeJS.ProcessEnv;
  const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
  const megaphone = (...args: string[]) =>
    spawnSync(join(folder, 'node_modules/.bin/megaphone'), args, { cwd: folder, env, encoding: 'utf8' });

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'megaphone-npm-'));
    mkdirSync(join(folder, 'bin'));
    symlinkSync(process.execPath, join(folder, 'bin/node'));
    symlinkSync('/bin/sh', join(folder, 'bin/sh'));
    // What the network takes stands in the environment.
    const kept = Object.entries(process.env).filter(([name]) => !/^(?:MEGAPHONE|EJABBERD|ERL)_/.test(name));
    env = { ...Object.fromEntries(kept), PATH: join(folder, 'bin'), MEGAPHONE_COOKIE: 'secret' };
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
    tarball = execFileSync(process.execPath, [npm, ...pack], { cwd: root, encoding: 'utf8' }).trim();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('has what runs, what documents it and the source of the module, each with its licence, and nothing else', () => {
    const listed = execFileSync('tar', ['-tf', join(folder, tarball)], { encoding: 'utf8' });
    const files = listed
      .trim()
      .split('\n')
      .map((path) => path.replace(/^package\//, ''));
    const module = readdirSync(join(root, 'erl/mod_megaphone/src')).map(
      (name) => `erl/mod_megaphone/src/${name}`,
    );
    const wanted = [
      ...['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'package.json', 'megaphone.example.yml'],
      ...['dist/src/main.js', 'dist/src/workers/worker.js', 'docs/operating.md', 'examples/haproxy.cfg'],
      ...[
        'erl/LICENSE',
        'erl/mod_megaphone/mod_megaphone.spec',
        'erl/mod_megaphone/conf/mod_megaphone.yml',
        ...module,
      ],
    ];
    assert.deepEqual(
      wanted.filter((path) => !files.includes(path)),
      [],
    );
    const other = files.filter((path) =>
      /\.(?:ts|map|tsbuildinfo)$|^(?:dist\/)?(?:test|scripts)\/|^\./.test(path),
    );
    assert.deepEqual(other, []);
  });

  it('installs without a compiler', () => {
    const options = ['--no-audit', '--no-fund', '--prefer-offline', '--prefix', folder];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [npm, 'install', ...options, join(folder, tarball)],
      { cwd: folder, env, encoding: 'utf8', timeout: 240_000 },
    );
    assert.equal(status, 0, stdout + stderr);
  });

  it('has commands that say what they are for, and which release this is', () => {
    assert.match(megaphone('--help').stdout, /megaphone start/);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.equal(megaphone('--version').stdout, `${version}\n`);
  });

  it('says in a check that erlpack is missing, and that this is no fault', () => {
    const { stdout, status } = megaphone(
      'check',
      '--epmd-port',
      '0',
      '--nodes',
      'ejabberd@localhost=127.0.0.1:1',
    );
    assert.match(stdout, new RegExp(`^✔ ${NO_ERLPACK.source}`, 'm'));
    assert.match(stdout, /^✘ ejabberd@localhost/m);
    assert.equal(status, 1);
  });

  it('starts, says the same in its log, serves and stops', async () => {
    const [port, admin] = await freePorts(2);
    const flags = ['--epmd-port', '0', '--nodes', 'ejabberd@localhost=127.0.0.1:1', '--http-ip', '127.0.0.1'];
    const ports = ['--http-port', `${port}`, '--admin-port', `${admin}`, '--drain-delay', '0'];
    const gateway = spawn(join(folder, 'node_modules/.bin/megaphone'), ['start', ...flags, ...ports], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let log = '';
      gateway.stdout.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      await until(() => /BOSH endpoint/.test(log));
      assert.match(log, NO_ERLPACK);
      assert.equal((await fetch(`http://127.0.0.1:${admin}/health/live`)).status, 200);
      const exit = happens(gateway, 'exit');
      gateway.kill('SIGTERM');
      assert.deepEqual(await exit, [0, null]);
    } finally {
      gateway.kill('SIGKILL');
    }
  });
});
