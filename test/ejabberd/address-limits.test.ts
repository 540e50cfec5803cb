/** Limits of one address, at a gateway with several workers: who is beyond them is refused, and a couple chats on, over BOSH and WebSocket. */

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { freePorts } from '../../scripts/support/ports.js';
import { until } from '../support/until.js';
import { type Couple, exchangeInTurns, logIn, logOut } from './support/scenario.js';
import { stanza } from './support/stanza-client.js';
import { strophe } from './support/strophe-client.js';

/** Each of the two workers allows twice its share, which is the whole. */
const CONNECTIONS = 40;
const REQUESTS = 1000;
const EXEMPT = '127.0.0.250';
const WORKERS = 2;
const SERVED = WORKERS * CONNECTIONS;

let instance: Instance;
let couple: Couple;
let port: number;
let admin: number;
before(async () => {
  [admin = 0] = await freePorts(1);
  Object.assign(process.env, {
    MEGAPHONE_ADMIN_PORT: `${admin}`,
    MEGAPHONE_WORKERS: `${WORKERS}`,
    MEGAPHONE_MAX_CONNECTIONS_PER_ADDRESS: `${CONNECTIONS}`,
    MEGAPHONE_MAX_REQUESTS_PER_ADDRESS: `${REQUESTS}/h`,
    // The couple's address is limited as any other.
    MEGAPHONE_EXEMPT_NETWORKS: EXEMPT,
    MEGAPHONE_HTTP_IP: '::',
  });
  instance = await Instance.start();
  port = Number(new URL(instance.gatewayUrl).port);
});
after(() => instance?.stop());

/** What the gateway counts, all workers together; they report once a second. */
async function counted(metric: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${metric} `));
  return Number(line?.slice(metric.length));
}

const refused = (reason: string): Promise<number> => counted(`megaphone_refused_total{reason="${reason}"}`);

const hostOf = (from: string): string => (from.includes(':') ? '::1' : '127.0.0.1');

/** A request on a connection of its own. */
function ask(from: string, method = 'GET', body = ''): Promise<{ status: number; retryAfter: number }> {
  const host = hostOf(from);
  return new Promise((resolve, reject) => {
    const options = { port, host, localAddress: from, path: '/bosh', method, agent: false };
    const client = request(options, (response) => {
      response.resume();
      const retryAfter = Number(response.headers['retry-after'] ?? 0);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, retryAfter }));
    });
    client.on('error', reject);
    client.end(body);
  });
}

describe('while one address is beyond its limits', { timeout: 180_000 }, () => {
  before(async () => {
    couple = {
      alice: strophe(instance.gatewayUrl, instance.alice),
      bob: stanza(instance.gatewayWebSocketUrl, instance.bob),
    };
    await logIn(couple);
  });
  after(() => logOut(instance, couple));

  for (const from of ['127.0.0.2', '::1']) {
    it(`of connections (${from}), it has so many, and others chat`, async () => {
      const statuses: string[] = [];
      const sockets = Array.from({ length: 2 * SERVED }, () => {
        const socket = connect({ port, host: hostOf(from), localAddress: from });
        socket.on('error', () => {}).once('data', (data) => statuses.push(data.toString('latin1', 9, 12)));
        socket.write('GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n');
        return socket;
      });
      try {
        await until(() => statuses.length === sockets.length);
        assert.equal(statuses.filter((status) => status === '200').length, SERVED);
        assert.equal(statuses.filter((status) => status === '429').length, SERVED);
        const { status, retryAfter } = await ask(from);
        assert.equal(status, 429);
        assert.ok(retryAfter > 0);
        await exchangeInTurns(couple, 20);
        assert.equal((await ask('127.0.0.3')).status, 200);
        assert.equal((await ask(EXEMPT)).status, 200);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
      // Then it may come again.
      await until(async () => (await ask(from)).status === 200);
    });
  }

  it('that is counted, and as nothing else', async () => {
    await until(async () => (await refused('connections_of_address')) >= 2 * SERVED + 2);
    assert.equal(await refused('overload'), 0);
  });

  it('of requests, so many are served, and others chat', async () => {
    const statuses: number[] = [];
    const begin = performance.now();
    const flood = async (): Promise<void> => {
      while (statuses.length < 2 * WORKERS * REQUESTS) statuses.push((await ask('127.0.0.4')).status);
    };
    await Promise.all([flood(), flood(), flood(), flood(), exchangeInTurns(couple, 20)]);
    const served = statuses.filter((status) => status === 200).length;
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
    // Connections are dealt to the workers in turns.
    const madeUp = WORKERS * ((((performance.now() - begin) / 1000 + 1) * REQUESTS) / 3600 + 1);
    const all = WORKERS * REQUESTS;
    assert.ok(served >= all && served <= all + madeUp, `${served}`);
    assert.equal((await ask('127.0.0.4', 'POST', "<body rid='2' sid='abcdef.x'/>")).status, 503);
    assert.equal((await ask('127.0.0.5')).status, 200);
    for (let count = 0; count < REQUESTS; count += 1) assert.equal((await ask(EXEMPT)).status, 200);
  });

  it('a flood of addresses is served, each once, and others chat', async () => {
    let next = 0;
    const flood = async (): Promise<void> => {
      for (let one = next++; one < 5_000; one = next++)
        assert.equal((await ask(`127.${1 + (one >> 8)}.0.${one & 255}`)).status, 200);
    };
    await Promise.all([flood(), flood(), flood(), flood(), exchangeInTurns(couple, 20)]);
  });
});
