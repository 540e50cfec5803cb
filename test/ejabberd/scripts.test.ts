/** The development instance: what `make run`, `up`, `down` and `status` promise, whatever happened before. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { appendFile, constants, lstat, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import { happens } from '../support/until.js';

const execute = promisify(execFile);

interface Result {
  readonly code: number;
  readonly output: string;
}

describe('the development instance', { timeout: 300_000 }, () => {
  let folder: string;
  let first: NodeJS.ProcessEnv;
  let second: NodeJS.ProcessEnv;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'megaphone-scripts-'));
    const [epmd, ...ports] = await freePorts(9);
    const environment = (
      instance: string,
      [http, ejabberdHttp, c2s, admin]: number[],
    ): NodeJS.ProcessEnv => ({
      ...process.env,
      MEGAPHONE_VAR: folder,
      MEGAPHONE_INSTANCE: instance,
      MEGAPHONE_HTTP_PORT: `${http}`,
      MEGAPHONE_ADMIN_PORT: `${admin}`,
      EJABBERD_HTTP_PORT: `${ejabberdHttp}`,
      EJABBERD_C2S_PORT: `${c2s}`,
      ERL_EPMD_PORT: `${epmd}`,
    });
    first = environment('', ports.slice(0, 4));
    second = environment('2', ports.slice(4));
  });

  after(async () => {
    for (const env of [first, second]) await dev('down', env);
    await rm(folder, { recursive: true });
  });

  function dev(command: string, env: NodeJS.ProcessEnv): Promise<Result> {
    return new Promise((resolve) => {
      execFile(join(root, 'scripts/dev.sh'), [command], { env }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
      });
    });
  }

  async function up(env: NodeJS.ProcessEnv): Promise<string> {
    const { code, output } = await dev('up', env);
    assert.equal(code, 0, output);
    return output;
  }

  async function pids(): Promise<number[]> {
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.pid'));
    return Promise.all(files.map(async (name) => Number(await readFile(join(folder, name), 'utf8'))));
  }

  it('is down before it is up', async () => {
    const { code, output } = await dev('status', first);
    assert.equal(code, 1);
    assert.equal(output, 'ejabberd: stopped\ngateway:  stopped\n');
    assert.equal((await dev('down', first)).code, 0);
  });

  it('comes up, and tells how to use it', async () => {
    const output = await up(first);
    assert.match(output, new RegExp(`http://localhost:${first.MEGAPHONE_HTTP_PORT}/bosh`));
    assert.match(output, new RegExp(`http://localhost:${first.MEGAPHONE_HTTP_PORT}/demo/`));
    const token = /its token, for what acts {3}(\S{24})\n/.exec(output)?.[1];
    const dashboard = `http://localhost:${first.MEGAPHONE_ADMIN_PORT}/`;
    assert.ok(output.includes(` ${dashboard}\n`), output);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${dashboard}api/token`, { headers })).status, 200);
    assert.match(output, new RegExp(`ws://localhost:${first.MEGAPHONE_HTTP_PORT}/ws`));
    assert.match(output, /alice@localhost {2}password \S{16}\n +bob@localhost {2}password \S{16}\n/);
    assert.match(output, new RegExp(`HOME=${folder} erl -sname shell@localhost -hidden`));
    assert.equal((await dev('status', first)).code, 0);
  });

  it('leaves an ejabberdctl that needs no environment', async () => {
    const path = join(folder, 'ejabberd/ejabberdctl');
    assert.ok((await dev('status', first)).output.includes(`${path} connected_users`));
    const { stdout } = await execute(path, ['registered_users', 'localhost'], {
      cwd: '/',
      env: { PATH: process.env.PATH },
    });
    assert.equal(stdout, 'alice\nbob\n');
  });

  it('keeps the cookie to itself', async () => {
    assert.equal((await stat(join(folder, '.erlang.cookie'))).mode & 0o777, 0o400);
  });

  it('stays as it is when it is to come up again', async () => {
    const before = await pids();
    assert.match(await up(first), /ejabberd runs already .*\nThe gateway runs already /);
    assert.deepEqual(await pids(), before);
  });

  it('keeps to its owner what it keeps', async () => {
    const open: string[] = [];
    for (const name of await readdir(folder, { recursive: true })) {
      // What ejabberd writes may be gone again.
      const { mode } = await lstat(join(folder, name)).catch(() => ({ mode: 0 }));
      if ((mode & 0o077) !== 0 && (mode & constants.S_IFLNK) !== constants.S_IFLNK) open.push(name);
    }
    assert.deepEqual(open, []);
  });

  it('keeps edits of its configuration, and says so', async () => {
    await dev('down', first);
    const files = ['ejabberd/ejabberd.yml', 'gateway/megaphone.yml'].map((name) => join(folder, name));
    for (const file of files) await appendFile(file, '# mine\n');
    const output = await up(first);
    for (const file of files) {
      assert.ok(output.includes(`Keeping your edits of ${file}.`), output);
      assert.match(await readFile(file, 'utf8'), /# mine$/m);
      await rm(file);
    }
    await dev('down', first);
    assert.doesNotMatch(await up(first), /Keeping/);
    for (const file of files) assert.doesNotMatch(await readFile(file, 'utf8'), /# mine/);
  });

  it('runs beside another instance', async () => {
    await up(second);
    assert.equal((await dev('status', first)).code, 0);
    assert.equal((await dev('down', second)).code, 0);
    assert.equal((await dev('status', first)).code, 0);
  });

  it('comes up after everything was killed', async () => {
    const before = await pids();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    assert.equal((await dev('status', first)).code, 1);
    await up(first);
    const now = await pids();
    assert.ok(now.length === 2 && now.every((pid) => !before.includes(pid)));
  });

  it('goes down, and leaves no port mapper behind', async () => {
    assert.equal((await dev('down', first)).code, 0);
    assert.deepEqual(await pids(), []);
    const names = await new Promise<number>((resolve) => {
      execFile('epmd', ['-names'], { env: first }, (error) => resolve(error ? Number(error.code) : 0));
    });
    assert.equal(names, 1);
  });

  for (const variable of [
    'MEGAPHONE_HTTP_PORT',
    'MEGAPHONE_ADMIN_PORT',
    'EJABBERD_HTTP_PORT',
    'EJABBERD_C2S_PORT',
  ]) {
    it(`says to set ${variable} when that port is taken`, async () => {
      await dev('down', first);
      const stranger = createServer().listen(Number(first[variable]), '127.0.0.1');
      await happens(stranger, 'listening');
      const { code, output } = await dev('up', first);
      stranger.close();
      assert.equal(code, 1);
      assert.match(
        output,
        new RegExp(`^Port ${first[variable]} is taken .*\nChoose another: ${variable}=`, 'm'),
      );
    });
  }

  it('runs in the foreground until Ctrl-C, which ends both halves', async () => {
    await dev('down', first);
    // A process group of its own, as a terminal gives to what it runs.
    const run = spawn(join(root, 'scripts/dev.sh'), ['run'], { env: first, detached: true });
    await printed(run, 'Ctrl-C ends both.');
    assert.match((await dev('run', first)).output, /runs in the background already/);
    process.kill(-(run.pid as number), 'SIGINT');
    await happens(run, 'close');
    assert.equal((await dev('status', first)).output, 'ejabberd: stopped\ngateway:  stopped\n');
  });
});

/** Resolves when the program has printed `text`; rejects when it ends before. */
function printed(program: ChildProcess, text: string): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    for (const stream of [program.stdout, program.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        if (output.includes(text)) resolve();
      });
    }
    program.once('close', () => reject(new Error(output)));
  });
}
