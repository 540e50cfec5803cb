/** The program as an operator runs it: a process of its own, a configuration file, signals. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { freePort, killChild } from '../../../scripts/support/epmd.js';
import { isOverTls } from '../over-tls.js';
import { Workplace } from './program.js';
import { Cluster, COOKIE, loadModule, next, play } from './support.js';

let cluster: Cluster;
let workplace: Workplace;
let port: number;

beforeEach(async () => {
  cluster = await Cluster.start();
  port = await freePort();
  workplace = new Workplace({
    node: 'megaphone@localhost',
    ...cluster.settings,
    http_port: port,
  });
});
afterEach(async () => {
  await workplace.remove();
  await cluster.stop();
});

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

test('check finds everything in order', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const program = workplace.run(['check']);
  assert.equal(await program.ends(), 0);
  const tls = /^(✔ TLS with other nodes): the certificate in .* can be used, until .*$/m;
  assert.deepEqual(program.output.replace(tls, '$1').trim().split('\n'), [
    `✔ configuration: ${workplace.file('megaphone.yml')}`,
    `✔ cookie: in ${workplace.file('cookie')}, readable for its owner only`,
    ...(isOverTls ? ['✔ TLS with other nodes'] : []),
    `✔ EPMD answers on port ${cluster.epmd.port}`,
    '✔ the name megaphone@localhost is free',
    `✔ ejabberd@localhost is reached${isOverTls ? ' over TLS' : ''}, and accepts the cookie`,
    '✔ mod_megaphone runs on ejabberd@localhost and speaks version 6 of the contract',
    `✔ HTTP port ${port} is free`,
  ]);
});

test('check runs beside the gateway', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const gateway = workplace.run(['start']);
  await gateway.shows(/is in service/);
  const program = workplace.run(['check']);
  assert.equal(await program.ends(), 0);
  assert.match(program.output, /✔ megaphone@localhost is this gateway, running already/);
  assert.match(program.output, /✔ a process that is not our module registered itself as mod_megaphone/);
});

test('check says what is wrong and what mends it', async () => {
  const erl = await cluster.erl('ejabberd');
  const findings = async (env: Readonly<Record<string, string>> = {}, ...args: string[]): Promise<string> => {
    const program = workplace.run(['check', ...args], env);
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
  await loadModule(erl, 2);
  assert.match(await findings(), /✘ mod_megaphone on ejabberd@localhost speaks version 2/);
  assert.match(
    await findings({ MEGAPHONE_COOKIE: 'another' }),
    /✔ cookie: given in MEGAPHONE_COOKIE\n(?:.*\n)*✘ .*ookie.*\[HANDSHAKE_\w+\]\n {2}→ /,
  );
  assert.match(
    await findings({}, '--distribution-ip', '192.0.2.1'),
    /✘ .* on 192\.0\.2\.1:\d+: EADDRNOTAVAIL \[NODE_LISTEN\]\n {2}→ this machine has no such address/,
  );
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
  const program = workplace.run(['check', '--http-port', String(other.bosh.port)]);
  assert.equal(await program.ends(), 1);
  assert.match(
    program.output,
    /✘ cannot listen on 127\.0\.0\.1 port \d+: EADDRINUSE \[HTTP_LISTEN\]\n {2}→ another program/,
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
