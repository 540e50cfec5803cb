/** The addresses and ports that the load generator connects from: each once, and reused as late as possible. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourcePorts } from '../../../scripts/load/source-ports.js';

const PORTS = 65_536 - 1_024;
const take = (ports: SourcePorts, count: number) => Array.from({ length: count }, () => ports.take());

test('gives out every port of four loopback addresses once, then none', () => {
  const ports = new SourcePorts(4_194_304 - 1);
  const all = take(ports, 4 * PORTS);
  assert.deepEqual(
    [...new Set(all.map(({ localAddress }) => localAddress))],
    ['127.255.255.252', '127.255.255.253', '127.255.255.254', '127.255.255.255'],
  );
  assert.equal(
    new Set(all.map(({ localAddress, localPort }) => `${localAddress}:${localPort}`)).size,
    4 * PORTS,
  );
  assert.throws(() => ports.take(), /more than ports/);
});

test('gives a port again only after all others', () => {
  const ports = new SourcePorts(300);
  const [first] = take(ports, 1);
  assert.deepEqual(first, { localAddress: '127.0.4.176', localPort: 1_024 });
  ports.giveBack(first as NonNullable<typeof first>);
  const others = take(ports, 4 * PORTS - 1);
  assert.ok(
    others.every(({ localAddress, localPort }) => localAddress !== '127.0.4.176' || localPort !== 1_024),
  );
  assert.deepEqual(ports.take(), first);
});

test('gives different processes different addresses', () => {
  const [a, b] = [new SourcePorts(1_000), new SourcePorts(1_001)].map(
    (ports) => new Set(take(ports, 4 * PORTS).map(({ localAddress }) => localAddress)),
  );
  assert.equal(new Set([...(a ?? []), ...(b ?? [])]).size, 8);
});
