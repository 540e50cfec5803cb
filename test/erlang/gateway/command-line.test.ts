/** The program as an operator runs it: a process of its own, a configuration file, signals. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, killChild } from '../../support/epmd.js';
import { Cluster, COOKIE, loadModule, next, play, until } from './support.js';

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

let cluster: Cluster;
let directory: string;
let port: number;
const programs: ChildProcess[] = [];
const { PATH: path } = process.env;

beforeEach(async () => {
  cluster = await Cluster.start();
  directory = mkdtempSync(join(tmpdir(), 'megaphone-cli-'));
  port = await freePort();
  configure({
    node: 'megaphone@localhost',
    epmd_port: cluster.epmd.port,
    http_ip: '127.0.0.1',
    http_port: port,
  });
  writeFileSync(join(directory, 'cookie'), `${COOKIE}\n`, { mode: 0o400 });
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map(killChild));
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

function configure(settings: Readonly<Record<string, unknown>>): void {
  const lines = Object.entries({ cookie_file: join(directory, 'cookie'), ...settings });
  writeFileSync(join(directory, 'megaphone.yml'), lines.map(([key, value]) => `${key}: ${value}\n`).join(''));
}

/** The program, run in the directory of its configuration. */
class Program {
  readonly child: ChildProcess;
  output = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: directory,
      env: { PATH: path, ...env },
    });
    programs.push(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (text) => {
        this.output += text;
      });
    }
  }

  async shows(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.output) || this.child.exitCode !== null);
    assert.match(this.output, pattern);
  }

  /** The exit code; nothing that it printed may show the cookie. */
  async ends(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    assert.ok(!this.output.includes(COOKIE), this.output);
    return this.child.exitCode;
  }
}

const post = (body: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/bosh`, { method: 'POST', body });

test('start prints the BOSH URL and serves; SIGTERM ends held requests with 503 and exits 0', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const program = new Program(['start']);
  await program.shows(new RegExp(`BOSH endpoint: http://127.0.0.1:${port}/bosh`));
  await program.shows(/ejabberd@localhost is in service/);
  for (const line of program.output.trim().split('\n')) assert.ok(JSON.parse(line).msg);
  const held = post('<body/>');
  await next(erl);
  program.child.kill('SIGTERM');
  assert.equal((await held).status, 503);
  assert.equal(await next(erl, 'element(2, M)'), 'closed');
  assert.equal(await program.ends(), 0);
  assert.deepEqual(await erl.text('nodes(hidden)'), '[]');
});

test('after a SIGKILL a new gateway takes over the name, and ConnIds of the old one answer nothing', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const first = new Program(['start']);
  await first.shows(/is in service/);
  const lost = post('first').catch(() => 'lost');
  await next(erl, 'persistent_term:put(old, C)');
  await killChild(first.child);
  assert.equal(await lost, 'lost');
  const second = new Program(['start']);
  await second.shows(/is in service/);
  const held = post('second');
  const sameNumbers = await next(
    erl,
    `Old = persistent_term:get(old), Old ! <<"of the old one">>, C ! <<"right">>,
     Numbers = fun(Pid) -> <<131, 88, 119, Size, Rest/binary>> = term_to_binary(Pid, [{minor_version, 2}]),
       binary:part(Rest, Size, 8) end,
     {Numbers(Old) =:= Numbers(C), Old =:= C}`,
  );
  assert.equal(sameNumbers, '{true,false}');
  assert.equal(await (await held).text(), 'right');
});

test('start without EPMD fails and says what mends it', async () => {
  const program = new Program(['start', '--epmd-port', String(await freePort())]);
  assert.equal(await program.ends(), 1);
  assert.match(program.output, /EPMD at .* cannot be asked.*\[EPMD_UNREACHABLE\]\n {2}→ .*epmd -daemon/);
});

test('start without its node runs, says so once, and answers 503', async () => {
  const program = new Program(['start']);
  await program.shows(/"code":"EPMD_NOT_REGISTERED"/);
  assert.equal((await post('<body/>')).status, 503);
  program.child.kill('SIGINT');
  assert.equal(await program.ends(), 0);
  assert.equal(program.output.match(/EPMD_NOT_REGISTERED/g)?.length, 1);
});

test('a cookie file that others may read is refused with the command that mends it', async () => {
  writeFileSync(join(directory, 'open'), COOKIE, { mode: 0o644 });
  const program = new Program(['start', '--cookie-file', join(directory, 'open')]);
  assert.equal(await program.ends(), 1);
  assert.match(program.output, /CONFIG_COOKIE_NOT_PRIVATE/);
  assert.match(program.output, /chmod 400/);
});

test('mistakes on the command line are answered with the nearest word', async () => {
  for (const [args, answer] of [
    [['strat'], /unknown command strat; did you mean start\?/],
    [['start', '--http-prot', '1'], /unknown flag --http-prot; did you mean --http-port\?/],
    [['start', '--http-port', 'x'], /--http-port: http_port: expected a port from 0 to 65535, got "x"/],
    [['start', 'now'], /megaphone start takes no operand/],
    [['start', '--cookie=HUSH'], /no flag takes the cookie/],
    [['ping'], /which node\?/],
  ] as const) {
    const program = new Program(args);
    assert.equal(await program.ends(), 1);
    assert.match(program.output, answer);
    assert.doesNotMatch(program.output, /HUSH/);
  }
});

test('check finds everything in order', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const program = new Program(['check']);
  assert.equal(await program.ends(), 0);
  assert.deepEqual(program.output.trim().split('\n'), [
    `✔ configuration: ${join(directory, 'megaphone.yml')}`,
    '✔ cookie: found, and readable for its owner only',
    `✔ EPMD answers on port ${cluster.epmd.port}`,
    '✔ the name megaphone@localhost is free',
    '✔ ejabberd@localhost is reached, and accepts the cookie',
    '✔ mod_megaphone runs on ejabberd@localhost and speaks version 2 of the contract',
    `✔ HTTP port ${port} is free`,
  ]);
});

test('check runs beside the gateway', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const gateway = new Program(['start']);
  await gateway.shows(/is in service/);
  const program = new Program(['check']);
  assert.equal(await program.ends(), 0);
  assert.match(program.output, /✔ megaphone@localhost is this gateway, running already/);
  assert.match(program.output, /✔ a process that is not our module registered itself as mod_megaphone/);
});

test('check says what is wrong and what mends it', async () => {
  const erl = await cluster.erl('ejabberd');
  const findings = async (env: Readonly<Record<string, string>> = {}, ...args: string[]): Promise<string> => {
    const program = new Program(['check', ...args], env);
    assert.equal(await program.ends(), 1);
    return program.output;
  };
  assert.match(
    await findings(),
    /✘ mod_megaphone is not installed on ejabberd@localhost\n {2}→ .*module_install/,
  );
  await loadModule(erl);
  assert.match(
    await findings(),
    /✘ mod_megaphone is installed on ejabberd@localhost but does not run\n {2}→ /,
  );
  await loadModule(erl, 3);
  assert.match(await findings(), /✘ mod_megaphone on ejabberd@localhost speaks version 3/);
  assert.match(await findings({ MEGAPHONE_COOKIE: 'another' }), /✘ .*ookie.*\[HANDSHAKE_\w+\]\n {2}→ /);
  assert.match(
    await findings({}, '--nodes', 'nobody@localhost'),
    /✘ .*nobody.*\[EPMD_NOT_REGISTERED\]\n {2}→ /,
  );
  await cluster.erl('other');
  assert.match(await findings({}, '--node', 'other@localhost'), /✘ another node is called other@localhost/);
  assert.match(
    await findings({ MEGAPHONE_HTTP_PORT: '0x' }),
    /✘ MEGAPHONE_HTTP_PORT: http_port: expected a port/,
  );
  assert.match(await findings({ MEGAPHONE_HTTP_PROT: '1' }), /✘ the variable MEGAPHONE_HTTP_PROT is unknown/);
  await cluster.epmd.stop();
  assert.match(await findings(), /✘ EPMD at .*\[EPMD_UNREACHABLE\]\n {2}→ .*epmd -daemon/);
});

test('check sees a port that is taken', async () => {
  const other = await cluster.gateway({ nodes: 'ejabberd@localhost' });
  const program = new Program(['check', '--http-port', String(other.bosh.port)]);
  assert.equal(await program.ends(), 1);
  assert.match(
    program.output,
    /✘ cannot listen on 127\.0\.0\.1 port \d+: EADDRINUSE \[HTTP_LISTEN\]\n {2}→ another program/,
  );
});

test('ping answers pong, or why not; names lists what EPMD knows', async () => {
  const erl = await cluster.erl('ejabberd');
  const ping = new Program(['ping', erl.name]);
  assert.equal(await ping.ends(), 0);
  assert.equal(ping.output, 'pong\n');
  const nobody = new Program(['ping', 'nobody@localhost']);
  assert.equal(await nobody.ends(), 1);
  assert.match(nobody.output, /EPMD_NOT_REGISTERED/);
  const names = new Program(['names']);
  assert.equal(await names.ends(), 0);
  assert.match(names.output, /^ejabberd at port \d+$/m);
});
