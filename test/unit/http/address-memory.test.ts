/** What is remembered of clients behind proxies takes the memory of their addresses, not of the headers in which these stood. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { AddressLimits, FORWARDED } from '../../../src/http/address-limits.js';
import { TrustedProxies } from '../../../src/http/client-address.js';
import { Remembered } from '../../../src/http/remembered.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const COUNT = 2000;
/** Long enough for V8 to make a part of a text as a view of it. */
const ipOf = (i: number): string => `192.168.${100 + Math.floor(i / 100)}.${100 + (i % 100)}`;
/** As it is read from a connection. */
const read = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
const LONG = 15_000;

/** Bytes of the heap that are taken for each. */
function each(remember: (i: number) => void): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < COUNT; i += 1) remember(i);
  collect();
  return (process.memoryUsage().heapUsed - before) / COUNT;
}

test('an address that has a WebSocket, or asks, takes no memory of a long X-Forwarded-For', () => {
  const trustedProxies = ['10.0.0.0/8'];
  const proxies = new TrustedProxies(trustedProxies);
  const rate = { burst: 2, perSecond: 0.01 };
  const limits = new AddressLimits(
    { maxConnectionsPerAddress: 1, maxRequestsPerAddress: rate, exemptNetworks: [], trustedProxies },
    pino({ level: 'silent' }),
  );
  const bytes = each((i) => {
    const forwardedFor = read(`${'1.2.3.4, '.repeat(LONG / 9)}${ipOf(i)}`);
    const client = proxies.clientOf('10.0.0.1', 5, { forwardedFor, forwardedProto: undefined });
    assert.equal(client.ip, ipOf(i));
    limits.enter(limits.ofClient({ ip: client.ip }));
    assert.equal(limits.wait({ address: FORWARDED, forwardedFor, client }, 1), 0);
  });
  assert.ok(bytes < 1000, `${bytes} bytes for each`);
  // All are still known.
  for (let i = 0; i < COUNT; i += 1) assert.equal(limits.hasRoom(limits.ofClient({ ip: ipOf(i) })), false);
});

test('a text that is remembered takes no memory of the longer one in which it stood', () => {
  const remembered = new Remembered(COUNT);
  const bytes = each((i) => remembered.set(read(ipOf(i) + ' '.repeat(LONG)).slice(0, 15), 'x'));
  assert.ok(bytes < 1000, `${bytes} bytes for each`);
  assert.equal(remembered.get(ipOf(0)), 'x');
});
