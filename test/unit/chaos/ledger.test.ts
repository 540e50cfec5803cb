/** A page's ledger finds whatever is lost, doubled or out of order, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventReader, type ServerSentEvent } from '../../../scripts/chaos/comet/event-reader.js';
import { Ledger } from '../../../scripts/chaos/comet/ledger.js';

const [FROM, TO] = ['web1.1', '7'];

/** What of 1 to `count` came, in the order in which it did. */
const arrivals = fc.integer({ min: 1, max: 30 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    numbers: fc.array(fc.integer({ min: 1, max: count }), { maxLength: 60 }),
  }),
);

test('each number counts once, and what never came is missing', () => {
  fc.assert(
    fc.property(arrivals, ({ count, numbers }) => {
      const ledger = new Ledger();
      const seen = new Set<number>();
      for (const number of numbers) {
        const isLate = Math.max(0, ...seen) > number;
        const expected = seen.has(number) ? 'doubled' : isLate ? 'reordered' : 'next';
        assert.equal(ledger.take(FROM, TO, number, 3), expected);
        seen.add(number);
      }
      const all = Array.from({ length: count }, (_, n) => n + 1);
      const last = Math.max(0, ...seen);
      const missing = all.filter((number) => !seen.has(number));
      assert.deepEqual(
        ledger.missing({ from: FROM, to: TO, count }).sort(([a], [b]) => a - b),
        missing.map((number) => [number, number < last ? 3 : undefined]),
      );
      assert.equal(ledger.open(FROM), missing.filter((number) => number < last).length);
      assert.equal(ledger.reached({ from: FROM, to: TO, count }), seen.has(count));
    }),
  );
});

test('senders and ids have numbers of their own', () => {
  const ledger = new Ledger();
  for (const [from, to] of [
    [FROM, TO],
    [FROM, '71'],
    ['web1.11', TO],
  ] as const)
    assert.equal(ledger.take(from, to, 1, 0), 'next');
  ledger.take('web1.11', TO, 3, 0);
  assert.equal(ledger.open(FROM), 0);
  assert.equal(ledger.open('web1.11'), 1);
});

test('events are read wherever their bytes are cut, and half ones never', () => {
  const text =
    'id: a.1\ndata: one\ndata: two\n\n:\n\nevent: gap\ndata: 7\n\nid: a.2\nevent: place\ndata\n\nid: a.3\ndata: half\n';
  const whole: ServerSentEvent[] = [
    { id: 'a.1', event: '', data: 'one\ntwo' },
    { id: undefined, event: 'gap', data: '7' },
    { id: 'a.2', event: 'place', data: '' },
  ];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sizes) => {
      const events: ServerSentEvent[] = [];
      const reader = new EventReader((event) => events.push(event));
      for (let at = 0, n = 0; at < text.length; n += 1) {
        const size = sizes[n % sizes.length] ?? 1;
        reader.read(text.slice(at, at + size));
        at += size;
      }
      assert.deepEqual(events, whole);
    }),
  );
});
