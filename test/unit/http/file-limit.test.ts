/** A real gateway process that may open few files: connections beyond are refused, nothing else breaks, it goes on. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { GatewayProcess } from '../../support/gateway-process.js';
import { happens, until } from '../../support/until.js';

const FILES = 164;

let gateway: GatewayProcess;
before(async () => {
  // Nobody's time is over before all have come, however long that takes.
  gateway = await GatewayProcess.start(FILES, { header_timeout: '5 min', request_timeout: '5 min' });
});
after(() => gateway.process.kill('SIGKILL'));

const get = async (path: string, port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}${path}`)).text();

async function metric(name: string): Promise<number> {
  const [, value] =
    new RegExp(`^megaphone_${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(
      await get('/metrics', gateway.adminPort),
    ) ?? [];
  return Number(value);
}

test('the file limit bounds the connections, with 503 for those beyond, one log line, and a metric', async () => {
  const sockets: Socket[] = [];
  let refused = 0;
  let closed = 0;
  // They come in one moment of its clock, by which who came early makes room for who comes late: the kernel takes them meanwhile.
  gateway.process.kill('SIGSTOP');
  for (let i = 0; i < 2 * FILES; i += 1) {
    const socket = connect(gateway.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('data', (bytes) => {
      if (bytes.toString('latin1').startsWith('HTTP/1.1 503')) refused += 1;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      closed += 1;
    });
    socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\n');
    await happens(socket, 'connect');
  }
  gateway.process.kill('SIGCONT');
  // 64 files are kept for everything else; of the rest nine in ten connections are served.
  await until(async () => (await metric('connections')) === 100);
  // Those beyond hear nothing: to answer them would take files, too.
  await until(() => closed === 2 * FILES - 100);
  for (const socket of sockets) socket.write('\r\n');
  await until(() => refused === 10);
  await until(async () => (await metric('refused_total{reason="overload"}')) === 2 * FILES - 90);

  for (const socket of sockets) socket.destroy();
  await until(async () => (await metric('connections')) === 0);
  assert.match(await get('/bosh', gateway.port), /BOSH endpoint/);

  const codes = gateway.lines.map(({ code }) => code).filter((code) => code?.startsWith('HTTP_'));
  assert.deepEqual(codes, ['HTTP_FILE_LIMIT', 'HTTP_CONNECTIONS']);
});

test('SIGHUP without a certificate changes nothing', async () => {
  gateway.process.kill('SIGHUP');
  assert.match(await get('/bosh', gateway.port), /BOSH endpoint/);
});
