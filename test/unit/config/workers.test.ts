/** What `workers` makes of one configuration: names, ports and shares of the limits. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeNames } from '../../../src/config/node-names.js';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { workerConfigs } from '../../../src/config/workers.js';
import type { Rate } from '../../../src/node/token-buckets.js';

const config = (settings: Readonly<Record<string, unknown>>): Config => configSchema.parse(settings);

function problem(settings: Readonly<Record<string, unknown>>): string {
  const { error } = configSchema.safeParse(settings);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n') ?? '';
}

test('one process has the configured name, several are numbered', () => {
  assert.deepEqual(nodeNames(config({})), ['megaphone@localhost']);
  assert.deepEqual(nodeNames(config({ node: 'gate@a.example', workers: '3' })), [
    'gate-1@a.example',
    'gate-2@a.example',
    'gate-3@a.example',
  ]);
});

test('auto is one for each core', () => {
  assert.equal(config({ workers: 'auto' }).workers, Math.min(availableParallelism(), 128));
});

test('a number of workers that cannot be is refused', () => {
  for (const workers of [0, -1, 1.5, 129, 'many', '']) {
    assert.equal(problem({ workers }), 'workers: expected a whole number from 1 to 128, or "auto"');
  }
});

test("a worker's name among the ejabberd nodes is refused", () => {
  const nodes = 'ejabberd@h,megaphone-2@h';
  assert.equal(problem({ node: 'megaphone@h', workers: 1, nodes }), '');
  assert.match(problem({ node: 'megaphone@h', workers: 2, nodes }), /^nodes\.1: .*own name/);
});

test('a distribution port that leaves no room for the workers behind it is refused', () => {
  assert.equal(problem({ workers: 3, distribution_port: 65_533 }), '');
  assert.match(problem({ workers: 3, distribution_port: 65_534 }), /^distribution_port: .* from 1 to 65533/);
});

const SHARED = ['max_connections', 'max_exchanges', 'max_receiving', 'max_waiting'] as const;

test('workers differ in name and port, share the maxima, and keep all else', () => {
  const settings = fc.record({
    workers: fc.integer({ min: 2, max: 128 }),
    max_connections: fc.integer({ min: 1, max: 1_000_000 }),
    max_exchanges: fc.integer({ min: 1, max: 1_000_000 }),
    max_receiving: fc.integer({ min: 1024, max: 16 * 1024 ** 3 }),
    max_waiting: fc.integer({ min: 1024, max: 1024 ** 3 }),
    distribution_port: fc.integer({ min: 1, max: 60_000 }),
  });
  fc.assert(
    fc.property(settings, (given) => {
      const whole = config({ ...given, admin_port: 9000, tick_time: '9 s' });
      const workers = workerConfigs(whole);
      assert.equal(workers.length, given.workers);
      assert.equal(new Set(workers.map(({ node }) => node)).size, given.workers);
      for (const [i, worker] of workers.entries()) {
        assert.equal(worker.distribution_port, given.distribution_port + i);
        assert.equal(worker.workers, 1);
        assert.equal(worker.admin_port, 0);
        assert.equal(worker.tick_time, 9);
      }
      for (const key of SHARED) {
        const sum = workers.reduce((total, worker) => total + worker[key], 0);
        assert.ok(sum >= given[key] && sum < given[key] + given.workers, key);
      }
    }),
  );
});

test('of what one address may, each worker allows twice its share, and no more than the whole', () => {
  const of = (workers: number, connections: number, requests: string) => {
    const limits = { max_connections_per_address: connections, max_requests_per_address: requests };
    const all = workerConfigs(config({ ...limits, workers }));
    const [first] = all;
    assert.ok(first);
    for (const worker of all) {
      assert.equal(worker.max_connections_per_address, first.max_connections_per_address);
      assert.deepEqual(worker.max_requests_per_address, first.max_requests_per_address);
    }
    const { burst, perSecond } = first.max_requests_per_address as Rate;
    return [first.max_connections_per_address, burst, perSecond];
  };
  assert.deepEqual(of(4, 4, '100/10s'), [2, 50, 5]);
  assert.deepEqual(of(2, 4, '100/10s'), [4, 100, 10]);
  assert.deepEqual(of(1, 4, '100/10s'), [4, 100, 10]);
  assert.deepEqual(of(8, 1, '1/s'), [1, 1, 0.25]);
  assert.deepEqual(of(3, 0, '10/s'), [0, 7, 20 / 3]);
  const none = workerConfigs(config({ workers: 4, max_requests_per_address: 0 }));
  assert.deepEqual(
    none.map(({ max_requests_per_address }) => max_requests_per_address),
    [0, 0, 0, 0],
  );
});

test('how often one address may do something', () => {
  const of = (rate: unknown) => config({ max_requests_per_address: rate }).max_requests_per_address;
  assert.deepEqual(of('60/min'), { burst: 60, perSecond: 1 });
  assert.deepEqual(of('5000/10 s'), { burst: 5000, perSecond: 500 });
  assert.deepEqual(of(' 20 / s '), { burst: 20, perSecond: 20 });
  assert.deepEqual([of(0), of('0')], [0, 0]);
  for (const rate of ['', '5', 5, '0/s', '5/', '/s', '5/0s', '5/week', '5/2h', '5/s/s', 'x/s', '5/10ms']) {
    assert.match(problem({ max_requests_per_address: rate }), /^max_requests_per_address: expected 0, or /);
  }
});
