/** The program as an operator runs it: a process of its own, a configuration file, signals. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { freePort, killChild } from '../../../scripts/support/epmd.js';
import { Site, type Workplace } from './program.js';
import { type Cluster, COOKIE, loadModule, next, play } from './support.js';

let site: Site;
let cluster: Cluster;
let workplace: Workplace;
let port: number;

beforeEach(async () => {
  site = await Site.start();
  ({ cluster, workplace, port } = site);
});
afterEach(() => site.end());

const post = (body: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/bosh`, { method: 'POST', body });

test('start prints the BOSH URL and serves; SIGTERM ends held requests with 503 and exits 0', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const program = workplace.run(['start']);
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

test('drain and resume tell what came of it, by their exit code, too', async () => {
  const nobody = workplace.run(['drain']);
  assert.equal(await nobody.ends(), 1);
  assert.match(nobody.output, /^megaphone: .*"megaphone" \[EPMD_NOT_REGISTERED\]\n {2}→ /);
  // Somebody who can be asked, so that there is a wait.
  const program = workplace.run([
    'start',
    '--agent-port',
    String(await freePort()),
    '--drain-delay',
    '5 min',
  ]);
  await program.shows(/BOSH endpoint/);
  const wrong = workplace.run(['drain'], { MEGAPHONE_COOKIE: 'anotherone' });
  assert.equal(await wrong.ends(), 1);
  assert.match(wrong.output, /HANDSHAKE_WRONG_COOKIE/);
  const first = workplace.run(['drain']);
  await first.shows(/^megaphone@localhost: draining, 0 connections, 0 requests held, 0 WebSockets$/m);
  const resumed = workplace.run(['resume']);
  assert.equal(await resumed.ends(), 0);
  assert.match(resumed.output, /^megaphone@localhost: in service, /);
  assert.equal(await first.ends(), 1);
  program.child.kill('SIGTERM');
  await program.shows(/SIGTERM: stopping/);
  const late = workplace.run(['resume']);
  assert.equal(await late.ends(), 1);
  assert.match(late.output, /^megaphone@localhost: stopping, /);
  program.child.kill('SIGTERM');
  await program.ends();
});

test('after a SIGKILL a new gateway takes over the name, and ConnIds of the old one answer nothing', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const first = workplace.run(['start']);
  await first.shows(/is in service/);
  const lost = post('first').catch(() => 'lost');
  await next(erl, 'persistent_term:put(old, C)');
  await killChild(first.child);
  assert.equal(await lost, 'lost');
  const second = workplace.run(['start']);
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
  const program = workplace.run(['start', '--epmd-port', String(await freePort())]);
  assert.equal(await program.ends(), 1);
  assert.match(program.output, /EPMD at .* cannot be asked.*\[EPMD_UNREACHABLE\]\n {2}→ .*epmd -daemon/);
});

test('start without its node runs, says so once, and answers 503', async () => {
  const program = workplace.run(['start']);
  await program.shows(/"code":"EPMD_NOT_REGISTERED"/);
  assert.equal((await post('<body/>')).status, 503);
  program.child.kill('SIGINT');
  assert.equal(await program.ends(), 0);
  assert.equal(program.output.match(/EPMD_NOT_REGISTERED/g)?.length, 1);
});

test('a cookie file that others may read is refused with the command that mends it', async () => {
  writeFileSync(workplace.file('open'), COOKIE, { mode: 0o644 });
  const program = workplace.run(['start', '--cookie-file', workplace.file('open')]);
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
    const program = workplace.run(args);
    assert.equal(await program.ends(), 1);
    assert.match(program.output, answer);
    assert.doesNotMatch(program.output, /HUSH/);
  }
});

test('nodes shows what the running gateway sees', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const program = workplace.run(['start', '--workers', '2']);
  await program.shows(/megaphone-2@localhost.*is up|is up: .*megaphone-2@localhost/);
  for (const worker of [1, 2]) {
    const info =
      '#{<<"nodes">> => [node()], <<"known">> => [node(), \'other@localhost\'], <<"sessions">> => 7}';
    await erl.evaluate(`
      Wait = fun Wait() -> lists:member('megaphone-${worker}@localhost', nodes(hidden)) orelse begin timer:sleep(10), Wait() end end,
      Wait(), {megaphone, 'megaphone-${worker}@localhost'} ! {cluster, ${info}}, ok`);
  }
  await program.shows(/other@localhost is found through ejabberd@localhost[\s\S]*other@localhost is found/);
  const shown = workplace.run(['nodes', '--workers', '2']);
  assert.equal(await shown.ends(), 0, shown.output);
  const lines = shown.output
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('npm'));
  assert.deepEqual(
    lines.map((line) => line.replace(/: EPMD [^;]*;/, ': EPMD …;')),
    [1, 2].flatMap((worker) => [
      `megaphone-${worker}@localhost sees 2 nodes:`,
      '  ejabberd@localhost  in service; 7 sessions, weight 100; 0 requests wait; seed',
      '  other@localhost     out of service: EPMD …; 0 requests wait; known by ejabberd@localhost',
    ]),
  );
});

test('ping answers pong, or why not; names lists what EPMD knows', async () => {
  const erl = await cluster.erl('ejabberd');
  const ping = workplace.run(['ping', erl.name]);
  assert.equal(await ping.ends(), 0);
  assert.equal(ping.output, 'pong\n');
  const nobody = workplace.run(['ping', 'nobody@localhost']);
  assert.equal(await nobody.ends(), 1);
  assert.match(nobody.output, /EPMD_NOT_REGISTERED/);
  const names = workplace.run(['names']);
  assert.equal(await names.ends(), 0);
  assert.match(names.output, /^ejabberd at port \d+$/m);
});
