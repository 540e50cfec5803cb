/**
 * Random frames, right and wrong: however they are cut and wherever their reading is held up, the same is heard; `ws` hears
 * the same; and random bytes do no harm.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../../../src/websocket/opcodes.js';
import { clientFrame, type Sent } from '../../support/websocket-frames.js';
import { Receiver } from '../../support/ws-receiver.js';
import { Heard } from './heard.js';

const MAX_MESSAGE = 600;

const key = fc.integer({ min: 0, max: 0xffffffff });
const utf8 = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    'x'.repeat(125),
    'x'.repeat(126),
    'ü'.repeat(150),
    'x'.repeat(MAX_MESSAGE),
    'x'.repeat(MAX_MESSAGE + 1),
  ),
);

/** A text in fragments that are cut anywhere, with Pings and Pongs between. */
const message: fc.Arbitrary<Sent[]> = fc
  .record({
    text: utf8.map((text) => Buffer.from(text)),
    cuts: fc.array(fc.nat(MAX_MESSAGE), { maxLength: 4 }),
    key,
    between: fc.array(
      fc.record({ opcode: fc.constantFrom(PING, PONG), payload: utf8.map((text) => text.slice(0, 30)), key }),
      { maxLength: 2 },
    ),
  })
  .map(({ text, cuts, key, between }) => {
    const ends = [...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
    return ends.flatMap((end, index): Sent[] => {
      const fin = index === ends.length - 1;
      const payload = text.subarray(ends[index - 1] ?? 0, end);
      const frame = { opcode: index === 0 ? TEXT : CONTINUATION, payload, fin, key };
      return fin ? [frame] : [frame, ...between];
    });
  });

const anyPayload = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

/** Alone, and where it stands, it may be right or wrong. */
const anyFrame: fc.Arbitrary<Sent> = fc.record(
  {
    opcode: fc.oneof(fc.constantFrom(CONTINUATION, TEXT, CLOSE, PING, PONG), fc.nat(15)),
    payload: anyPayload,
    fin: fc.boolean(),
    rsv: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
    key: fc.option(key, { nil: undefined, freq: 20 }),
  },
  { requiredKeys: ['opcode', 'payload', 'fin', 'rsv'] },
);

const closing: fc.Arbitrary<Sent> = fc
  .tuple(fc.oneof(fc.integer({ min: 990, max: 1020 }), fc.nat(65535)), fc.oneof(utf8, anyPayload))
  .map(([code, reason]) => {
    const payload = Buffer.concat([
      Buffer.from([code >> 8, code & 255]),
      Buffer.from(reason).subarray(0, 123),
    ]);
    return { opcode: CLOSE, payload };
  });

const stream: fc.Arbitrary<Sent[]> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: message },
      { weight: 1, arbitrary: anyFrame.map((frame) => [frame]) },
      { weight: 1, arbitrary: closing.map((frame) => [frame]) },
    ),
    { maxLength: 6 },
  )
  .map((frames) => frames.flat());

const bytesOf = (sent: readonly Sent[]): Buffer => Buffer.concat(sent.map(clientFrame));

const cuts = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })), {
  minLength: 1,
  maxLength: 10,
});

function whole(bytes: Buffer): Heard {
  const heard = new Heard(MAX_MESSAGE);
  heard.read(bytes);
  return heard;
}

function inPieces(bytes: Buffer, sizes: readonly number[]): Heard {
  const heard = new Heard(MAX_MESSAGE);
  for (let at = 0, count = 0; at < bytes.length; count += 1) {
    const size = sizes[count % sizes.length] ?? 1;
    heard.read(bytes.subarray(at, at + size));
    at += size;
  }
  return heard;
}

test('however frames are cut, the same is heard', () => {
  fc.assert(
    fc.property(stream, cuts, (sent, sizes) => {
      const bytes = bytesOf(sent);
      assert.deepEqual(inPieces(bytes, sizes).lines, whole(bytes).lines);
      assert.deepEqual(inPieces(bytes, [1]).lines, whole(bytes).lines);
    }),
    { numRuns: 2000 },
  );
});

/** Wants nothing more after each thing that it hears, until it is asked to go on. */
class Halting extends Heard {
  override text(message: Buffer): void {
    super.text(message);
    this.wantsFrames = false;
  }

  override ping(payload: Buffer): void {
    super.ping(payload);
    this.wantsFrames = false;
  }
}

test('wherever reading is held up, the same is heard, and nothing while it is', () => {
  fc.assert(
    fc.property(stream, cuts, (sent, sizes) => {
      const bytes = bytesOf(sent);
      const halting = new Halting(MAX_MESSAGE);
      let size = 0;
      for (let at = 0, count = 0; at < bytes.length; count += 1) {
        size = sizes[count % sizes.length] ?? 1;
        // What was read of a piece is unmasked: the rest of the very same bytes is read on.
        const piece = Buffer.from(bytes.subarray(at, at + size));
        for (let read = 0; read < piece.length; ) {
          const before = halting.lines.length;
          halting.wantsFrames = true;
          read = halting.readInPlace(piece, read);
          const isOver = /^(closing|failed)/.test(halting.lines.at(-1) ?? '');
          if (isOver) {
            assert.equal(read, piece.length);
            assert.deepEqual(halting.lines, whole(bytes).lines);
            return;
          }
          assert.ok(halting.lines.filter((line) => !line.startsWith('pong')).length <= before + 1);
        }
        at += size;
      }
      assert.deepEqual(halting.lines, whole(bytes).lines);
    }),
    { numRuns: 1000 },
  );
});

/** What `ws` hears; it knows no limit that Pings count for. */
function heardByWs(bytes: Buffer): string[] {
  const lines: string[] = [];
  const receiver = new Receiver({ isServer: true, maxPayload: MAX_MESSAGE });
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    lines.push(`${isBinary ? 'binary' : 'text'} ${data}`),
  );
  receiver.on('ping', (data: Buffer) => lines.push(`ping ${data.toString('latin1')}`));
  receiver.on('pong', (data: Buffer) => lines.push(`pong ${data.toString('latin1')}`));
  receiver.on('conclude', (code: number, reason: Buffer) => lines.push(`closing ${code} ${reason}`));
  // Not through the stream, which tells errors in the next turn only.
  receiver._write(Buffer.from(bytes), 'latin1', (error) => {
    const status = Object.getOwnPropertySymbols(error ?? {}).find(
      (symbol) => symbol.description === 'status-code',
    );
    if (status !== undefined) lines.push(`failed ${(error as unknown as Record<symbol, number>)[status]}`);
  });
  return lines;
}

const withoutReason = (line: string): string => line.replace(/^(failed \d+) .*/, '$1');

/** Whether both hear the same, but for what the two take otherwise on purpose. */
function checkBesideWs(bytes: Buffer): string {
  const ours = whole(bytes).lines.map(withoutReason);
  const theirs = heardByWs(bytes);
  const last = ours.at(-1) ?? '';
  if (last === 'failed 1003') {
    // ws takes binary messages. What it makes of the rest of them is its own affair.
    assert.deepEqual(theirs.slice(0, ours.length - 1), ours.slice(0, -1));
  } else if (last === 'failed 1007') {
    // ws checks a text when it is whole, and may hear more before it comes to its end, if ever.
    assert.deepEqual(theirs.slice(0, ours.length - 1), ours.slice(0, -1));
    assert.ok(theirs.slice(ours.length - 1).every((line) => /^(ping|pong|closing|failed)/.test(line)));
  } else {
    assert.deepEqual(theirs, ours);
  }
  return /^(failed|closing) /.test(last) ? last.slice(0, 11) : 'open';
}

test('ws hears the same', () => {
  const ends = new Map<string, number>();
  fc.assert(
    fc.property(stream, (sent) => {
      const end = checkBesideWs(bytesOf(sent));
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }),
    { numRuns: 5000 },
  );
  // The streams are of all kinds.
  for (const end of ['failed 1002', 'failed 1003', 'failed 1007', 'failed 1009', 'closing 100']) {
    assert.ok((ends.get(end) ?? 0) > 10, `${end}: ${JSON.stringify([...ends])}`);
  }
});

test('what ws takes and RFC 6455 forbids: lengths in too many bytes, and of 64 bits (§5.2)', () => {
  const tooLong = [
    clientFrame({ opcode: TEXT, payload: 'abc', lengthBytes: 3 }),
    clientFrame({ opcode: TEXT, payload: 'abc', lengthBytes: 9 }),
    clientFrame({ opcode: TEXT, payload: 'x'.repeat(126), lengthBytes: 9 }),
  ];
  for (const bytes of tooLong) {
    assert.deepEqual(whole(bytes).lines, ['failed 1002 a length in more bytes than it needs']);
    assert.equal(heardByWs(bytes).length, 1);
    assert.match(heardByWs(bytes)[0] ?? '', /^text/);
  }
  const signed = clientFrame({ opcode: TEXT, announced: 2n ** 63n });
  assert.deepEqual(whole(signed).lines, ['failed 1002 a length beyond 63 bits']);
  assert.deepEqual(heardByWs(signed), ['failed 1009']);
});

test('random bytes are never more than refused, and never kept beyond the limit', () => {
  const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  /** The first two bytes look like a frame's. */
  const likely = fc
    .tuple(
      fc.constantFrom(0x01, 0x81, 0x00, 0x80, 0x88, 0x89, 0x8a),
      fc.integer({ min: 0x80, max: 0xff }),
      noise,
    )
    .map(([first, second, rest]) => Buffer.concat([Buffer.from([first, second]), rest]));
  const mixed = fc.array(fc.oneof(noise, likely, message.map(bytesOf)), { maxLength: 4 }).map(Buffer.concat);
  fc.assert(
    fc.property(mixed, cuts, (bytes, sizes) => {
      const heard = inPieces(bytes, sizes);
      assert.ok(heard.mostMemory <= 2 * MAX_MESSAGE + 1000, `${heard.mostMemory}`);
      assert.deepEqual(heard.lines, whole(bytes).lines);
      for (const line of heard.lines) assert.ok(Buffer.byteLength(line) <= MAX_MESSAGE + 5);
    }),
    { numRuns: 3000 },
  );
});

test('what a binary message begins with is refused, whatever comes behind', () => {
  for (const fin of [true, false]) {
    const head = clientFrame({ opcode: BINARY, announced: 2n ** 40n, fin }).subarray(0, 2);
    assert.deepEqual(whole(head).lines, ['failed 1003 a binary message: XMPP is sent as text']);
  }
});
