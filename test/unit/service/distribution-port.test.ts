/** What strangers get at the distribution port of a whole gateway, and what the log and the metrics say of it. */

import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { pino } from 'pino';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { workerConfigs } from '../../../src/config/workers.js';
import { encodeName } from '../../../src/distribution/handshake-messages.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { Service } from '../../../src/service/service.js';
import { slowClock } from '../../support/slow-clock.js';
import { happens, until } from '../../support/until.js';

const COOKIE = 'nobody-may-read-this';
const config = (settings: Readonly<Record<string, unknown>> = {}): Config =>
  configSchema.parse({
    nodes: 'ejabberd@localhost=127.0.0.1:1',
    epmd_port: 0,
    http_ip: '127.0.0.1',
    http_port: 0,
    ...settings,
  });

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly code: string };
}

async function start(
  settings?: Readonly<Record<string, unknown>>,
): Promise<{ service: Service; lines: Line[] }> {
  const lines: Line[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line) as Line) });
  const service = await Service.start(config(settings), new Cookie(COOKIE), log);
  cleanUp.push(() => service.stop());
  return { service, lines };
}

async function stranger(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect(port, host);
  cleanUp.push(() => socket.destroy());
  socket.on('error', () => {});
  await happens(socket, 'connect');
  return socket;
}

test('a flood is counted, and told in a line for each kind of refusal', { timeout: 120_000 }, async (t) => {
  slowClock(t);
  const { service, lines } = await start();
  const { counters } = service.gateway;
  const stupid = Buffer.concat([Buffer.of(0, 18), encodeName({ name: 'x@y', creation: 1, flags: 0n })]);
  let refusals = 0;
  service.node.on('refused', () => {
    refusals += 1;
  });
  const flood = (): void => {
    if (refusals >= 1_500) return;
    const socket = connect(service.node.port, '127.0.0.1');
    socket.on('error', () => {}).on('close', flood);
    socket.resume();
    socket.end(stupid);
  };
  for (let count = 0; count < 50; count += 1) flood();
  await until(() => refusals >= 1_500);
  assert.equal(service.reports.stats().refused_handshakes, refusals);
  assert.equal(counters.refusedHandshakes, refusals);
  const told = lines.filter(({ msg }) => msg.startsWith('refused')).map(({ err }) => err?.code);
  assert.ok(told.includes('HANDSHAKE_TOO_FAST') && told.includes('HANDSHAKE_FLAGS'));
  assert.equal(told.length, new Set(told).size);
  assert.ok(!JSON.stringify(lines).includes(COOKIE));
});

test('distribution_ip binds the port to that address alone', async () => {
  const { service } = await start({ distribution_ip: '127.0.0.2' });
  await stranger(service.node.port, '127.0.0.2');
  const other = connect(service.node.port, '127.0.0.1');
  const [error] = (await happens(other, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  for (const worker of workerConfigs(config({ distribution_ip: '127.0.0.2', workers: 3 }))) {
    assert.equal(worker.distribution_ip, '127.0.0.2');
  }
});

test('the end of a connection is told for every node, as a warning only where something broke', async () => {
  const { service, lines } = await start();
  const shell = await HiddenNode.start({ name: 'shell@localhost', cookie: new Cookie(COOKIE), epmd: false });
  await shell.connect(service.node.name, { host: '127.0.0.1', port: service.node.port });
  const down = happens(service.node, 'down');
  await shell.stop();
  await down;
  const [line] = lines.filter(({ msg }) => msg === 'disconnected from shell@localhost');
  assert.deepEqual([line?.level, line?.err?.code], [30, 'LINK_CLOSED']);
});

test('an EPMD that talks on after its answer is left, and the log is not filled with that', async () => {
  let registrations = 0;
  const epmd = createServer((socket) => {
    registrations += 1;
    socket
      .on('error', () => {})
      .on('data', () => {
        socket.write(Buffer.of(118, 0, 0, 0, 0, 9));
        // The answer has arrived by itself; then whatever comes to mind.
        setTimeout(() => socket.write(Buffer.alloc(1_000_000)), 50);
      });
  }).listen(0, '127.0.0.1');
  await happens(epmd, 'listening');
  cleanUp.push(() => epmd.close());
  const { service, lines } = await start({ epmd_port: (epmd.address() as { port: number }).port });
  for (let times = 0; times < 2; times += 1) await happens(service.node, 'epmdLost');
  assert.ok(registrations >= 2);
  assert.equal(lines.filter(({ msg }) => msg.includes('EPMD')).length, 1);
});
