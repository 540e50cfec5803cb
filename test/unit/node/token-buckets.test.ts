/** Buckets that are remembered in generations, beside ones that are all remembered for ever; and what counts as one address. */

import assert from 'node:assert/strict';
import { BlockList, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { networkOf } from '../../../src/node/network.js';
import { type Rate, TokenBuckets } from '../../../src/node/token-buckets.js';

/** Whoever takes or is charged, and how much later than the one before. */
const steps = (keys: number) =>
  fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: keys - 1 }).map(String),
      isCharged: fc.boolean(),
      later: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 400 })),
    }),
    { maxLength: 300 },
  );
const rates = fc
  .record({ burst: fc.integer({ min: 1, max: 20 }), seconds: fc.integer({ min: 1, max: 100 }) })
  .map(({ burst, seconds }): Rate => ({ burst, perSecond: burst / seconds }));

/** How many one has by right. */
class Ideal {
  #tokens: number;
  #at = 0;
  readonly #rate: Rate;
  readonly #owed: number;
  constructor(rate: Rate, owed: number) {
    this.#rate = rate;
    this.#owed = owed;
    this.#tokens = rate.burst;
  }
  at(now: number): number {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (now - this.#at) * this.#rate.perSecond);
    this.#at = now;
    return this.#tokens;
  }
  spend(): void {
    this.#tokens = Math.max(-this.#owed, this.#tokens - 1);
  }
}

/** @param check what was allowed, what is by right, and how long one is told to wait behind that */
function play(
  rate: Rate,
  most: number,
  all: readonly { key: string; isCharged: boolean; later: number }[],
  check: (may: boolean, right: number, wait: number) => void,
): void {
  const owed = most * rate.burst;
  const buckets = new TokenBuckets(rate, undefined, most, owed);
  const ideals = new Map<string, Ideal>();
  let now = 0;
  for (const { key, isCharged, later } of all) {
    now += later;
    const ideal = ideals.get(key) ?? new Ideal(rate, owed);
    ideals.set(key, ideal);
    const right = ideal.at(now);
    if (isCharged) buckets.charge(key, now);
    const may = isCharged || buckets.take(key, now);
    if (may) ideal.spend();
    if (!isCharged) check(may, right, buckets.wait(key, now));
    assert.ok(buckets.size <= most);
  }
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

test('where all are remembered, each may exactly what it may by right', () => {
  fc.assert(
    fc.property(rates, steps(10), (rate, all) => {
      play(rate, 1000, all, (may, right, wait) => {
        if (!isNear(right, 1)) assert.equal(may, right >= 1);
        const left = may ? right - 1 : right;
        if (!isNear(left, 1)) assert.ok(isNear(wait, left >= 1 ? 0 : (1 - left) / rate.perSecond));
      });
    }),
  );
});

test('where too many come, nobody is refused who may by right', () => {
  fc.assert(
    fc.property(rates, steps(40), (rate, all) => {
      play(rate, 8, all, (may, right) => assert.ok(may || right < 1 + 1e-6));
    }),
  );
});

test('a million addresses leave no more than the bound, and who comes all the time stays limited', () => {
  const rate = { burst: 100, perSecond: 10 };
  const buckets = new TokenBuckets(rate, undefined, 65_536);
  let taken = 0;
  for (let count = 0; count < 1_000_000; count += 1) {
    const now = Math.floor(count / 100_000);
    buckets.take(`2001:db8:${(count >> 16).toString(16)}:${(count & 0xffff).toString(16)}`, now);
    if (count % 1000 === 0 && buckets.take('192.0.2.1', now)) taken += 1;
  }
  assert.ok(buckets.size <= 65_536);
  // Of a thousand times.
  assert.equal(taken, rate.burst + 9 * rate.perSecond);
});

test('what nobody used for as long as it takes to fill is forgotten', () => {
  const buckets = new TokenBuckets({ burst: 10, perSecond: 1 }, undefined, 100);
  for (let key = 0; key < 40; key += 1) buckets.take(`${key}`, 0);
  assert.equal(buckets.size, 40);
  buckets.take('later', 61);
  buckets.take('much later', 122);
  assert.equal(buckets.size, 2);
});

const group = fc.integer({ min: 0, max: 0xffff });
const sparse = fc.oneof(fc.constant(0), group);
const ipv6 = fc
  .tuple(fc.array(sparse, { minLength: 8, maxLength: 8 }), fc.boolean())
  .map(([groups, isShort]) => {
    const text = groups.map((number) => number.toString(16)).join(':');
    return isShort ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
  });

test('two IPv6 addresses are one where they are in one /64, however they are written', () => {
  fc.assert(
    fc.property(ipv6, fc.array(sparse, { minLength: 4, maxLength: 4 }), ipv6, (one, rest, another) => {
      assert.ok(isIPv6(one));
      const full = new BlockList();
      full.addSubnet(one, 64, 'ipv6');
      const isSame = networkOf(one) === networkOf(another);
      const isMapped = [one, another].some((ip) => !networkOf(ip).includes(':'));
      assert.ok(isMapped || isSame === full.check(another, 'ipv6'));
      const network = networkOf(one);
      const neighbour = `${network}:${rest.map((number) => number.toString(16)).join(':')}`;
      if (network.includes(':'))
        assert.ok(networkOf(neighbour) === network || !networkOf(neighbour).includes(':'));
    }),
  );
});

test('IPv4 is told apart whole, also where it stands in an IPv6 address', () => {
  assert.equal(networkOf('192.0.2.1'), '192.0.2.1');
  for (const ip of [
    '::ffff:192.0.2.1',
    '::ffff:c000:201',
    '0:0:0:0:0:ffff:192.0.2.1',
    '64:ff9b::c000:201',
    '64:ff9b::192.0.2.1',
  ])
    assert.equal(networkOf(ip), '192.0.2.1');
  assert.notEqual(networkOf('::1'), networkOf('1::'));
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0');
  assert.equal(networkOf(''), '');
});
