/** `megaphone check` as an operator runs it: each case provoked for real, with Erlang nodes whose `mod_megaphone` the test plays. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../scripts/support/epmd.js';
import { CONTRACT_VERSION } from '../../../src/gateway/contract.js';
import { listen } from '../../../src/http/listen.js';
import { isOverTls, TlsNodes } from '../over-tls.js';
import { type Program, Site, type Workplace } from './program.js';
import { type Cluster, loadModule, play } from './support.js';

let site: Site;
let cluster: Cluster;
let workplace: Workplace;
let port: number;

beforeEach(async () => {
  site = await Site.start();
  ({ cluster, workplace, port } = site);
});
afterEach(() => site.end());

/** What it printed, and its exit code. */
async function check(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Checked> {
  return outcome(workplace.run(['check', ...args], env));
}
interface Checked {
  readonly output: string;
  readonly code: number | null;
}
async function outcome(program: Program): Promise<Checked> {
  const code = await program.ends();
  return { output: program.output, code };
}

/** An ejabberd as far as the gateway looks at it. */
async function ejabberd(...args: string[]): Promise<void> {
  const erl = await cluster.erl('ejabberd', args);
  await loadModule(erl);
  await play(erl);
}

test('finds everything in order', async () => {
  await ejabberd();
  const { output, code } = await check();
  assert.equal(code, 0, output);
  const tls = /^(✔ TLS with other nodes): the certificate in .* can be used, until .*$/m;
  // This machine may have its own limits of open files, and of the kernel's.
  const ofMachine = /^(?:⚠| {2}→|✔ max_connections:|✔ the kernel's settings).*\n/gm;
  assert.deepEqual(output.replace(tls, '$1').replace(ofMachine, '').trim().split('\n'), [
    `✔ configuration: ${workplace.file('megaphone.yml')}`,
    `✔ cookie: in ${workplace.file('cookie')}, readable for its owner only`,
    ...(isOverTls ? ['✔ TLS with other nodes'] : []),
    `✔ EPMD answers on port ${cluster.epmd.port}`,
    '✔ the name megaphone@localhost is free',
    `✔ ejabberd@localhost is reached${isOverTls ? ' over TLS' : ''}, and accepts the cookie`,
    `✔ mod_megaphone runs on ejabberd@localhost and speaks version ${CONTRACT_VERSION} of the contract`,
    `✔ HTTP port ${port} is free`,
  ]);
});

test('knows the running gateway and its ports, also where allow_nodes names others alone', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const keys = ['admin-port', 'agent-port', 'distribution-port'];
  const own = await Promise.all(keys.map(async (key) => [`--${key}`, String(await freePort())]));
  const args = [...own.flat(), '--allow-nodes', 'nobody@elsewhere'];
  const gateway = workplace.run(['start', ...args]);
  await gateway.shows(/is in service/);
  const { output, code } = await check(args);
  assert.equal(code, 0, output);
  assert.match(output, /✔ megaphone@localhost is this gateway, running already/);
  assert.match(output, /✔ a process that is not our module registered itself as mod_megaphone/);
  for (const [what, of] of [['HTTP', port], ...own.map(([key = '', of]) => [key.slice(2, -5), of])])
    assert.match(output, new RegExp(`✔ ${what} port ${of} is that of this gateway, running already`));
  // So do the other commands, and nobody else.
  const nodes = workplace.run(['nodes', ...args]);
  assert.equal(await nodes.ends(), 0, nodes.output);
  assert.equal(await erl.text("net_kernel:connect_node('stranger@localhost')"), 'false');
  const stranger = await cluster.erl('stranger');
  assert.equal(await stranger.text("net_kernel:connect_node('megaphone@localhost')"), 'false');
  // It is to get another port.
  const moved = await check(['--http-port', String(await freePort())]);
  assert.match(moved.output, /✔ HTTP port \d+ is free; the running gateway, which has others, takes it when/);
});

test('sees two gateways of one name: by the configuration of the one that runs', async () => {
  await ejabberd();
  const gateway = workplace.run(['start']);
  await gateway.shows(/is in service/);
  renameSync(workplace.file('megaphone.yml'), workplace.file('other.yml'));
  const { output, code } = await check(['--config', 'other.yml', '--http-port', String(await freePort())]);
  assert.equal(code, 1);
  assert.ok(
    output.includes(
      `✘ megaphone@localhost is another gateway, running with ${workplace.file('megaphone.yml')}: two of one name\n  → give each`,
    ),
    output,
  );
});

const [OWN_ADDRESS] = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .flatMap(({ internal, family, address }) => (internal || family !== 'IPv4' ? [] : [address]));

test('sees two gateways of one name: on another machine, as ejabberd tells', {
  skip: OWN_ADDRESS === undefined ? 'this machine has no address but its loopback' : false,
}, async () => {
  const distribution = await freePort();
  const range = ['inet_dist_listen_min', 'inet_dist_listen_max'].flatMap((key) => [
    '-kernel',
    key,
    String(distribution),
  ]);
  await ejabberd(...range);
  // It comes from an address of its own, and this machine's EPMD knows nothing of it.
  const elsewhere = ['--epmd-port', '0', '--nodes', `ejabberd@localhost=${OWN_ADDRESS}:${distribution}`];
  const gateway = workplace.run(['start', ...elsewhere]);
  await gateway.shows(/is in service/);
  const { output, code } = await check();
  assert.equal(code, 1);
  assert.match(output, /✔ the name megaphone@localhost is free/);
  assert.ok(
    output.includes(
      `✘ ejabberd@localhost has a gateway called megaphone@localhost already, at ${OWN_ADDRESS}: two of one name\n  → `,
    ),
    output,
  );
});

test('tells who has a port: a stranger, by name where /proc tells; or another key', async () => {
  const servers = await Promise.all(
    ['http', 'admin', 'agent', 'distribution'].map(async (what) => {
      const server = createServer();
      const taken = await freePort();
      await listen(server, '127.0.0.1', taken);
      return { server, taken, key: `${what}_port` };
    }),
  );
  const flags = servers.flatMap(({ key, taken }) => [`--${key.replace('_', '-')}`, String(taken)]);
  const { output, code } = await check(['--local', '--distribution-ip', '127.0.0.1', ...flags]);
  for (const { server } of servers) server.close();
  assert.equal(code, 1);
  for (const { taken, key } of servers) {
    const who = process.platform === 'linux' ? `\\S+ \\(process ${process.pid}\\)` : 'another program';
    const text = `✘ cannot listen on 127.0.0.1 port ${taken}: EADDRINUSE \\[HTTP_LISTEN\\]\n  → ${who} listens there: stop it, or change the key ${key}`;
    assert.match(output, new RegExp(text));
  }
  const twice = await check(['--local', '--admin-port', String(port)]);
  assert.equal(twice.code, 1);
  assert.match(
    twice.output,
    new RegExp(`✘ admin_port is ${port}, as another key is \\[HTTP_LISTEN\\]\n  → give each`),
  );
});

test('holds tick_time against net_ticktime', async () => {
  await ejabberd('-kernel', 'net_ticktime', '20');
  for (const [seconds, mark, exit] of [
    ['25 s', '⚠', 0],
    ['60 s', '✘', 1],
    ['8 s', '✘', 1],
  ] as const) {
    const { output, code } = await check(['--tick-time', seconds]);
    assert.equal(code, exit, output);
    assert.match(
      output,
      new RegExp(
        `${mark} tick_time is ${seconds}, and net_ticktime of ejabberd@localhost 20 s: .*\n  → tick_time: 20 s`,
      ),
    );
  }
});

test('tells TLS on one side from a wrong cookie', async () => {
  await ejabberd();
  const nodes = new TlsNodes(true);
  try {
    const files = Object.entries(nodes.issue('localhost') ?? {});
    const other = files.flatMap(([key, file]) => [`--distribution-tls-${key}`, isOverTls ? '' : file]);
    const mismatch = await check(other);
    assert.equal(mismatch.code, 1);
    const text = isOverTls ? 'speaks TLS, and this node does not' : 'does not speak TLS, and this node does';
    assert.match(
      mismatch.output,
      new RegExp(`✘ ejabberd@localhost ${text} \\[HANDSHAKE_TLS_MISMATCH\\]\n  → `),
    );
    const wrong = await check([], { MEGAPHONE_COOKIE: 'anotherone' });
    assert.match(wrong.output, /✘ .* \[HANDSHAKE_WRONG_COOKIE\]\n {2}→ /);
    // A certificate that every user may pass for it with is advice.
    const [, key = ''] = files.find(([name]) => name === 'key') ?? [];
    chmodSync(key, 0o644);
    const open = await check([
      '--local',
      ...files.flatMap(([name, file]) => [`--distribution-tls-${name}`, file]),
    ]);
    assert.equal(open.code, 0, open.output);
    assert.match(open.output, /⚠ Every user .* \[NODE_KEY_NOT_PRIVATE\]/);
  } finally {
    nodes.remove();
  }
});

test('advises on limits without failing, and needs no ejabberd where it is to look at this machine alone', async () => {
  const { output, code } = await check(['--local', '--max-connections', '900', '--max-exchanges', '800'], {
    MEGAPHONE_HTTP_PROT: '1',
  });
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /ejabberd@/);
  assert.match(
    output,
    /⚠ max_connections \(900\) is more than max_exchanges \(800\): .*\n {2}→ max_exchanges: 900/,
  );
  assert.match(
    output,
    /⚠ the variable MEGAPHONE_HTTP_PROT is unknown: did you mean MEGAPHONE_HTTP_PORT\?\n {2}→ /,
  );
  const usage = workplace.run(['start', '--local']);
  assert.equal(await usage.ends(), 1);
  assert.match(usage.output, /--local is for megaphone check/);
});

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

/** In a shell that prepares something first; what it printed. */
function checkIn(command: readonly string[], prepare: string, ...args: string[]): string {
  const [program = '', ...rest] = [...command, 'sh', '-c', `${prepare} && exec "$@"`, 'sh'];
  const { stdout, stderr } = spawnSync(
    program,
    [...rest, process.execPath, MAIN, 'check', '--local', ...args],
    {
      cwd: workplace.directory,
      encoding: 'utf8',
    },
  );
  assert.equal(stderr, '');
  return stdout;
}

test('counts open files: of a process that is yet to start, and of the one that runs', async () => {
  const few = checkIn([], 'ulimit -n 1000', '--max-connections', '5000');
  const line =
    /⚠ max_connections is 5000, and a process started from here may open 1000 files: that is 842 connections\n {2}→ LimitNOFILE=5164 in/;
  assert.match(few, line);
  assert.match(
    checkIn([], 'ulimit -n 1000', '--max-connections', '800'),
    /✔ max_connections: .* files for 800\n/,
  );
  const shared = checkIn([], 'ulimit -n 1000', '--max-connections', '1600', '--workers', '2');
  assert.match(shared, /✔ max_connections: .* files for 800 for each of 2 workers\n/);
  // Ours are more than those of the one that runs.
  const gateway = workplace.run(['start', '--max-connections', '300']);
  await gateway.shows(/BOSH endpoint/);
  execFileSync('prlimit', ['--nofile=300:300', '--pid', `${gateway.child.pid}`]);
  const { output, code } = await check(['--local', '--max-connections', '300']);
  assert.equal(code, 0, output);
  assert.match(
    output,
    new RegExp(
      `⚠ max_connections is 300, and the gateway \\(process ${gateway.child.pid}\\) may open 300 files: that is 212 `,
    ),
  );
});

const NAMESPACE = ['unshare', '--map-root-user', '--net'];
const canUnshare = spawnSync('unshare', [...NAMESPACE.slice(1), 'true']).status === 0;

test("holds the kernel's settings against max_connections", {
  skip: canUnshare ? false : 'this user can have no network namespace',
}, () => {
  const set = (name: string, value: string): string => `echo '${value}' > /proc/sys/net/${name}`;
  const low = [
    set('core/somaxconn', '128'),
    set('ipv4/ip_local_port_range', '30000 32000'),
    set('ipv4/ip_local_reserved_ports', '31000-31002'),
  ].join(' && ');
  const args = ['--http-ip', '127.0.0.1', '--distribution-port', '31002', '--workers', '2'];
  const output = checkIn(NAMESPACE, low, ...args, '--max-connections', '3000');
  const file = 'in /etc/sysctl.d/60-megaphone.conf, followed by sysctl --system:';
  assert.match(
    output,
    new RegExp(`⚠ net.core.somaxconn is 128: .*\n  → ${file} net.core.somaxconn = 4096\n`),
  );
  assert.match(
    output,
    new RegExp(
      `⚠ net.ipv4.ip_local_port_range has 2001 ports: .*\n  → ${file} net.ipv4.ip_local_port_range = 10240 65535\n`,
    ),
  );
  assert.match(
    output,
    new RegExp(
      `⚠ the system may give port 31003 to .*\n  → ${file} net.ipv4.ip_local_reserved_ports = 31000-31002,31003\n`,
    ),
  );
  // The same kernel is enough for fewer.
  const fewer = checkIn(NAMESPACE, low, '--http-ip', '127.0.0.1', '--max-connections', '100');
  assert.match(fewer, /✔ the kernel's settings go with 100 connections\n/);
});

test('says what is wrong and what mends it', async () => {
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
  assert.match(
    await findings({}, '--node', 'other@localhost'),
    /✘ another node is called other@localhost: .*\[NODE_NOPROC\]/,
  );
  assert.match(
    await findings({ MEGAPHONE_HTTP_PORT: '0x' }),
    /✘ MEGAPHONE_HTTP_PORT: http_port: expected a port/,
  );
  await cluster.epmd.stop();
  assert.match(await findings(), /✘ EPMD at .*\[EPMD_UNREACHABLE\]\n {2}→ .*epmd -daemon/);
});
