/** The short way to a message for a pid of ours finds what the general way finds, whatever the bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Control, decodeControl, encodeControl } from '../../../src/distribution/control.js';
import { PidMessages } from '../../../src/distribution/pid-messages.js';
import { decodePrefix } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Pid, Reference } from '../../../src/etf/terms.js';

const NAME = 'megaphone@localhost';
const CREATION = 7;
const messages = new PidMessages({ name: NAME, creation: CREATION });

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const ourPid = fc.tuple(uint32, uint32).map(([id, serial]) => new Pid(NAME, id, serial, CREATION));
const anyPid = fc.oneof(
  ourPid,
  fc.tuple(uint32, uint32).map(([id, serial]) => new Pid(NAME, id, serial, CREATION + 1)),
  fc.tuple(uint32, uint32).map(([id, serial]) => new Pid('ejabberd@localhost', id, serial, CREATION)),
);
const ref = new Reference('ejabberd@localhost', 1, [1, 2, 3]);
const control: fc.Arbitrary<Control> = fc.oneof(
  { weight: 3, arbitrary: ourPid.map((to): Control => ({ op: 'SEND', to })) },
  anyPid.map((to): Control => ({ op: 'SEND', to })),
  fc.tuple(anyPid, anyPid).map(([from, to]): Control => ({ op: 'SEND_SENDER', from, to })),
  anyPid.map((from): Control => ({ op: 'REG_SEND', from, to: 'megaphone' })),
  fc.tuple(anyPid, anyPid).map(([from, to]): Control => ({ op: 'MONITOR_P', from, to, ref })),
);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => encodeVersioned(bytes)),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
);
const surroundings = fc.uint8Array({ maxLength: 40 });

/** What the general way finds: the recipient's pid of a message, and where the payload starts. */
function generally(bytes: Buffer, start: number, end: number): { to: Pid; payload: number } | undefined {
  const frame = bytes.subarray(start, end);
  if (frame[0] !== 112) return undefined;
  try {
    const { term, end: payloadAt } = decodePrefix(frame, 1);
    const read = decodeControl(term);
    if (read.op !== 'SEND' || frame[payloadAt] !== 131) return undefined;
    return { to: read.to, payload: start + payloadAt };
  } catch {
    return undefined;
  }
}

test('whatever stands around them, messages to our pids are found, and nothing else', () => {
  fc.assert(
    fc.property(control, payload, surroundings, surroundings, (said, body, before, after) => {
      const frame = Buffer.concat([Buffer.of(112), encodeControl(said), body]);
      const bytes = Buffer.concat([before, frame, after]);
      const [start, end] = [before.length, before.length + frame.length];
      const found = messages.recipient(bytes, start, end);
      const general = generally(bytes, start, end);
      const isOurs = general?.to.node === NAME && general.to.creation === CREATION;
      assert.deepEqual(found, isOurs ? general.to : undefined);
      if (found !== undefined) assert.equal(messages.payload, general?.payload);
    }),
    { numRuns: 1_000 },
  );
});

test('a message with one byte changed, or cut off, is found where the general way finds the same, or not at all', () => {
  const frame = Buffer.concat([
    Buffer.of(112),
    encodeControl({ op: 'SEND', to: new Pid(NAME, 1, 2, CREATION) }),
    encodeVersioned(Buffer.from('hello')),
  ]);
  const check = (bytes: Buffer, end: number): void => {
    const found = messages.recipient(bytes, 0, end);
    if (found === undefined) return;
    assert.deepEqual({ to: found, payload: messages.payload }, generally(bytes, 0, end));
  };
  for (let at = 0; at < frame.length; at += 1) {
    // Behind the cut the rest of the bytes stays: the next frame's, as far as this one knows.
    check(frame, at);
    for (let value = 0; value < 256; value += 1) {
      const changed = Buffer.from(frame);
      changed[at] = value;
      check(changed, changed.length);
    }
  }
});
