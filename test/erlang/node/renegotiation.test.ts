/** TLS 1.2 renegotiates a connection that lives long: Erlang starts it, after 2^28 records by itself. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Authority } from '../../../scripts/support/authority.js';
import { freePort } from '../../../scripts/support/epmd.js';
import type { Erl } from '../../../scripts/support/erl.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { lookup } from '../../../src/node/epmd-client.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { AMPLE_MS, Cluster, NODE, PEER } from './cluster.js';
import { digestOfAll, everythingArrives, pour, SINK, told } from './many-messages.js';
import { TlsRelay } from './tls-relay.js';

let authority: Authority;
before(() => {
  authority = new Authority();
});
after(() => authority.remove());

describe('TLS 1.2, renegotiated by Erlang', { timeout: 240_000 }, () => {
  let cluster: Cluster;
  let relay: TlsRelay | undefined;
  beforeEach(async () => {
    cluster = await Cluster.start('bare');
  });
  afterEach(async () => {
    relay?.stop();
    await cluster.stop();
  });
  /** After so many records Erlang starts it; by itself after 2^28. */
  const often = (records: number): string => `{renegotiate_at,${records}},{versions,['tlsv1.2']}`;
  const peer = (records: number, args: string[] = []): Promise<Erl> => {
    const tls = authority.erlArgs(authority.issue(), { server: often(records), client: often(records) });
    return cluster.erl({ args: [...tls, ...args, '-kernel', 'net_setuptime', '30'] });
  };

  test('again and again, as we are the client: nothing is lost', async () => {
    const erl = await peer(500);
    const node = await cluster.node({
      tls: new TlsCredentials(authority.issue()),
      connectTimeoutMs: AMPLE_MS,
    });
    relay = await TlsRelay.start(await lookup(PEER, cluster.epmd.port));
    await node.connect(PEER, { host: '127.0.0.1', port: relay.port });
    // The busier the machine, the more messages share a record.
    for (let rounds = 0; relay.renegotiated <= 10; rounds += 1) {
      assert.ok(rounds < 10, `${relay.renegotiated} records`);
      await everythingArrives(node, erl);
    }
  });

  let brokenOff = (_: MegaphoneError): void => {};
  /** Erlang is the client, which sends us a record for each answer, while we send it all that SINK takes. */
  async function answered(records: number, questions: number): Promise<void> {
    const port = await freePort();
    const node = await cluster.node({
      tls: new TlsCredentials(authority.issue()),
      connectTimeoutMs: AMPLE_MS,
      listen: { port },
    });
    node.on('down', (_, error) => brokenOff(error));
    relay = await TlsRelay.start({ host: '127.0.0.1', port });
    const erl = await peer(records, ['-erl_epmd_port', `${relay.port}`, '-dist_listen', 'false']);
    await erl.evaluate(`true = net_kernel:connect_node('${NODE}')`);
    await erl.evaluate(SINK);
    const poured = pour(node);
    for (let asked = 0; asked < questions && node.peers()[0]?.up; asked += 1) await node.ping(PEER);
    await poured;
    if (node.peers()[0]?.up) assert.equal(await told(erl), digestOfAll());
  }

  test('as often as Node.js lets a client, as we are the server: nothing is lost', async () => {
    await answered(700, 1_500);
    assert.ok(relay && relay.renegotiated > 10, `${relay?.renegotiated} records`);
  });

  test('more often than that, as we are the server, which ends the connection', async () => {
    const down = new Promise<MegaphoneError>((resolve) => {
      brokenOff = resolve;
    });
    await answered(100, 1_500);
    const { cause } = await down;
    assert.equal((cause as NodeJS.ErrnoException).code, 'ERR_TLS_SESSION_ATTACK');
  });
});
