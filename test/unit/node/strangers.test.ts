/** Who gets to the handshake, and for how long: the rules that keep strangers from shutting others out. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { networkOf } from '../../../src/node/network.js';
import { Newcomers } from '../../../src/node/newcomers.js';
import { TokenBuckets } from '../../../src/node/token-buckets.js';

describe('TokenBuckets', () => {
  const each = { burst: 10, perSecond: 2 };
  const all = { burst: 25, perSecond: 5 };

  test('one may so many times at once, then so many times a second', () => {
    const buckets = new TokenBuckets(each, all);
    const taken = (now: number): number => {
      let count = 0;
      while (buckets.take('a', now)) count += 1;
      return count;
    };
    assert.deepEqual([taken(100), taken(100), taken(100.5), taken(101.5), taken(1000)], [10, 0, 1, 2, 10]);
  });

  test('whatever one does, another one may', () => {
    const buckets = new TokenBuckets(each, all);
    for (let count = 0; count < 100_000; count += 1) buckets.take('flood', count / 10_000);
    assert.equal(buckets.take('other', 10), true);
  });

  test('all together may no more than all may, and none more than each may', () => {
    const attempts = fc.array(
      fc.tuple(
        fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
        fc.double({ min: 0, max: 0.5, noNaN: true, noDefaultInfinity: true }),
      ),
    );
    fc.assert(
      fc.property(attempts, (times) => {
        const buckets = new TokenBuckets(each, all);
        const taken = new Map<string, number>();
        let now = 0;
        for (const [key, later] of times) {
          now += later;
          if (buckets.take(key, now)) taken.set(key, (taken.get(key) ?? 0) + 1);
        }
        const counts = [...taken.values()];
        for (const count of counts) assert.ok(count <= each.burst + each.perSecond * now + 1e-6);
        assert.ok(counts.reduce((sum, count) => sum + count, 0) <= all.burst + all.perSecond * now + 1e-6);
      }),
    );
  });

  test('memory is bounded, whoever comes', () => {
    const buckets = new TokenBuckets(each, all);
    for (let count = 0; count < 10_000; count += 1) buckets.take(`${count}`, 0);
    assert.ok(buckets.size <= 1024 && buckets.size >= 512);
  });
});

describe('Newcomers', () => {
  test('there is always room for one more; the oldest of the address that has most goes', () => {
    const newcomers = new Newcomers<number>(3);
    assert.deepEqual(
      [newcomers.add(1, 'a'), newcomers.add(2, 'b'), newcomers.add(3, 'b'), newcomers.add(4, 'c')],
      [undefined, undefined, undefined, 2],
    );
    // Each has one: then the oldest of all.
    assert.equal(newcomers.add(5, 'd'), 1);
  });

  test('an address that has less than another loses none, whatever the other does', () => {
    const most = 8;
    const step = fc.record({ address: fc.constantFrom('a', 'b', 'c'), ends: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const newcomers = new Newcomers<number>(most);
        const model = new Map<number, string>();
        const countOf = (address: string): number =>
          [...model.values()].filter((other) => other === address).length;
        for (const [number, { address, ends }] of steps.entries()) {
          const [oldest] = model.keys();
          if (ends && oldest !== undefined) {
            newcomers.remove(oldest);
            model.delete(oldest);
          }
          model.set(number, address);
          const evicted = newcomers.add(number, address);
          if (evicted !== undefined) {
            const from = model.get(evicted) ?? '';
            for (const other of ['a', 'b', 'c']) assert.ok(countOf(from) >= countOf(other));
            assert.ok(evicted < number);
            model.delete(evicted);
          }
          assert.ok(newcomers.size <= most);
          assert.deepEqual([...newcomers], [...model.keys()]);
        }
      }),
    );
  });
});

test('an IPv6 network counts as one address', () => {
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), networkOf('2001:db8:1:2::9'));
  assert.notEqual(networkOf('2001:db8:1:2::9'), networkOf('2001:db8:1:3::9'));
  assert.notEqual(networkOf('::ffff:192.0.2.1'), networkOf('::ffff:192.0.2.2'));
  assert.notEqual(networkOf('192.0.2.1'), networkOf('192.0.2.2'));
});
