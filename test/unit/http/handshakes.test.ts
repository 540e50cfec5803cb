/** Who connects and says nothing, where TLS is spoken, is no guest yet and cannot be evicted: its deadline alone ends it. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import { Counters } from '../../../src/observe/counters.js';
import { happens, until } from '../../support/until.js';
import { listen, NO_BOSH } from './serve.js';

const folder = mkdtempSync(join(tmpdir(), 'megaphone-handshakes-'));
after(() => rmSync(folder, { recursive: true }));

test('one port of a client that is connected to several addresses here holds none of them for ever', async () => {
  const counters = new Counters();
  const certificate = makeCertificate(folder, 'first');
  const options = { ip: '0.0.0.0', headerTimeout: 1, certificate };
  const front = await listen(NO_BOSH, options, { counters });
  const sockets: Socket[] = [];
  try {
    for (const host of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      const from = { localAddress: '127.0.0.1', localPort: sockets[0]?.localPort ?? 0 };
      const socket = connect({ port: front.port, host, ...from });
      sockets.push(socket.on('error', () => {}).resume());
      await happens(socket, 'connect');
    }
    assert.equal(new Set(sockets.map(({ localPort }) => localPort)).size, 1);
    await until(() => sockets.every(({ destroyed }) => destroyed));
    await until(() => counters.refused.handshake === 3);
  } finally {
    for (const socket of sockets) socket.destroy();
    await front.close();
  }
});
