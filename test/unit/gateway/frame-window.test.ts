/** The window of a client's frames: closed in time, and open again as soon as its session says what it took. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameWindow } from '../../../src/gateway/frame-window.js';

const MAX_FRAMES = 64;
const MAX_BYTES = 65_536;

/** Of a session: when it says what it took. */
const SAYS_FRAMES = 16;
const SAYS_BYTES = 16_384;

test('64 small frames', () => {
  const window = new FrameWindow();
  for (let frame = 1; frame <= MAX_FRAMES; frame += 1) {
    assert.ok(window.isOpen);
    window.sent(1);
  }
  assert.ok(!window.isOpen);
  assert.equal(window.taken(1), true);
  assert.ok(window.isOpen);
  assert.equal(window.taken(2), false, 'it was open');
});

test('65536 bytes, and the frame that goes beyond', () => {
  const window = new FrameWindow();
  window.sent(MAX_BYTES - 1);
  assert.ok(window.isOpen);
  window.sent(1_000_000);
  assert.ok(!window.isOpen);
  // The first was large enough for a group of its own.
  assert.equal(window.taken(1), false);
  assert.equal(window.taken(2), true);
});

test('what a session cannot have taken is ignored', () => {
  const window = new FrameWindow();
  for (let frame = 1; frame <= MAX_FRAMES; frame += 1) window.sent(1);
  for (const nonsense of [-1, 0, 0.5, MAX_FRAMES + 1, 2 ** 40, Number.NaN]) {
    assert.equal(window.taken(nonsense), nonsense === 0.5, String(nonsense));
  }
  window.taken(32);
  window.sent(1);
  assert.equal(window.taken(31), false);
  assert.equal(window.taken(32), false);
});

/** How much a session takes at a time, and how large the frames are that come meanwhile. */
const traffic = fc.array(
  fc.record({
    frames: fc.array(fc.oneof(fc.nat(2_000), fc.nat(70_000)), { maxLength: 80 }),
    takes: fc.nat(80),
  }),
  { maxLength: 60, size: 'max' },
);

test('never more than the window is sent, and a session that has taken all finds it open', () => {
  fc.assert(
    fc.property(traffic, fc.boolean(), (rounds, saysLate) => {
      const window = new FrameWindow();
      const lengths: number[] = [];
      let taken = 0;
      let said = 0;
      const bytes = (from: number): number => lengths.slice(from).reduce((sum, length) => sum + length, 0);
      const take = (count: number): void => {
        for (let frame = 0; frame < count && taken < lengths.length; frame += 1) {
          taken += 1;
          const since = lengths.slice(said, taken).reduce((sum, length) => sum + length, 0);
          const isDue = taken - said >= SAYS_FRAMES || since >= SAYS_BYTES;
          // One that takes several at a time says so behind the last.
          if (isDue && (!saysLate || frame === count - 1 || taken === lengths.length)) {
            said = taken;
            window.taken(said);
          }
        }
      };
      for (const { frames, takes } of rounds) {
        for (const length of frames) {
          if (!window.isOpen) break;
          assert.ok(lengths.length - said < MAX_FRAMES && bytes(said) < MAX_BYTES);
          window.sent(length);
          lengths.push(length);
        }
        take(takes);
      }
      take(lengths.length);
      assert.ok(window.isOpen);
      // One that says what it took as soon as it is due finds it as exact as if all lengths were kept.
      if (!saysLate) assert.equal(bytes(said) < MAX_BYTES && lengths.length - said < MAX_FRAMES, true);
    }),
    { numRuns: 500 },
  );
});
