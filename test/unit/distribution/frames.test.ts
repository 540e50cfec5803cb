/** Frames from any pieces of a stream and into one write, within their limits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FrameBatch } from '../../../src/distribution/frame-batch.js';
import { FrameReader } from '../../../src/distribution/frames.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function readAll(reader: FrameReader, chunks: Iterable<Buffer>): Buffer[] {
  const frames: Buffer[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  return frames;
}

function* byteByByte(bytes: Buffer): Iterable<Buffer> {
  for (let index = 0; index < bytes.length; index++) yield bytes.subarray(index, index + 1);
}

describe('FrameReader', () => {
  const streams = [
    ['a tick', 4, '00000000', ['']],
    ['one frame', 4, '00000003 010203', ['010203']],
    ['frames and ticks in a row', 4, '00000001 aa 00000000 00000000 00000002 bbcc', ['aa', '', '', 'bbcc']],
    ['an unfinished frame', 4, '00000001 aa 00000002 bb', ['aa']],
    ['an unfinished length', 4, '00000001 aa 000000', ['aa']],
    ['the short lengths of a handshake', 2, '0001 aa 0002 bbcc', ['aa', 'bbcc']],
  ] as const;
  for (const [what, lengthBytes, stream, frames] of streams) {
    test(`${what}, whole and byte by byte`, () => {
      const expected = frames.map(hex);
      assert.deepEqual(readAll(new FrameReader(lengthBytes, 100), [hex(stream)]), expected);
      assert.deepEqual(readAll(new FrameReader(lengthBytes, 100), byteByByte(hex(stream))), expected);
    });
  }

  test('any frames come out of any chunks as they went in', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (bodies, sizes) => {
        const stream = Buffer.concat(
          bodies.flatMap((body) => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(body.length);
            return [length, body];
          }),
        );
        const chunks: Buffer[] = [];
        for (let start = 0, n = 0; start < stream.length; n++) {
          const size = sizes[n % sizes.length] as number;
          chunks.push(stream.subarray(start, start + size));
          start += size;
        }
        const frames = readAll(new FrameReader(4, 100), chunks);
        assert.deepEqual(
          frames.map((frame) => frame.toString('hex')),
          bodies.map((body) => Buffer.from(body).toString('hex')),
        );
      }),
    );
  });

  test('a frame inside one chunk is a view on it, not a copy', () => {
    const chunk = hex('00000002 aabb 00000001 cc');
    const [first] = readAll(new FrameReader(4, 100), [chunk]);
    chunk[4] = 0xff;
    assert.deepEqual(first, hex('ffbb'));
  });

  test('a length beyond the limit is refused before its bytes come', () => {
    const reader = new FrameReader(4, 100);
    reader.push(hex('00000064'));
    assert.equal(reader.next(), undefined);
    const refusing = new FrameReader(4, 100);
    refusing.push(hex('00000065'));
    assert.throws(() => refusing.next(), { code: 'LINK_FRAME_TOO_LONG' });
  });

  test('bytes behind the handshake are read with the lengths of the connection', () => {
    const reader = new FrameReader(2, 10);
    reader.push(hex('0001 aa 00000003 010203'));
    assert.deepEqual(reader.next(), hex('aa'));
    reader.switchTo(4, 100);
    assert.deepEqual(reader.next(), hex('010203'));
  });
});

describe('FrameBatch', () => {
  const control = hex('83 6a');

  test('length, pass-through byte, control message, payload', () => {
    const batch = new FrameBatch();
    batch.append(control, hex('83 61 01'));
    batch.append(control);
    batch.appendTick();
    assert.equal(batch.bytes, 10 + 7 + 4);
    assert.deepEqual(batch.take(), [hex('00000006 70 836a 836101  00000003 70 836a  00000000')]);
    assert.equal(batch.bytes, 0);
    assert.deepEqual(batch.take(), []);
  });

  test('what was taken stays as it is while the batch goes on', () => {
    const batch = new FrameBatch();
    batch.append(control, hex('01'));
    const [first] = batch.take();
    const before = Buffer.from(first as Uint8Array);
    batch.append(control, hex('02'));
    batch.take();
    assert.deepEqual(first, before);
  });

  test('a payload in pieces is one payload, its small pieces copied', () => {
    const batch = new FrameBatch();
    const head = hex('83 01');
    batch.append(control, head, hex('02 03'), hex('04'));
    head[1] = 0xff;
    assert.deepEqual(batch.take(), [hex('00000008 70 836a 8301 0203 04')]);
  });

  test('rewound, it uses its room again, but never that of frames not taken yet', () => {
    const batch = new FrameBatch();
    batch.append(control, hex('01'));
    const [first] = batch.take();
    batch.rewind();
    batch.append(control, hex('02'));
    batch.rewind();
    const [second] = batch.take();
    assert.equal(second?.byteOffset, first?.byteOffset);
    assert.deepEqual(second, hex('00000004 70 836a 02'));
  });

  test('a large payload is passed on, not copied', () => {
    const batch = new FrameBatch();
    const payload = Buffer.alloc(100_000, 7);
    batch.append(control, payload);
    batch.append(control);
    const pieces = batch.take();
    assert.equal(pieces.length, 3);
    assert.equal(pieces[1], payload);
  });

  test('whatever sizes go in, a reader gets the same frames in the same order', () => {
    const bytes = (maxLength: number) =>
      fc.integer({ min: 0, max: maxLength }).map((n) => Buffer.alloc(n, n));
    const frames = fc.array(fc.tuple(bytes(70_000), bytes(40_000), bytes(20_000), fc.boolean()), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(frames, (sent) => {
        const batch = new FrameBatch();
        const stream: Uint8Array[] = [];
        for (const [start, head, body, cut] of sent) {
          batch.append(start, head, body);
          if (cut) stream.push(...batch.take());
        }
        stream.push(...batch.take());
        const received = readAll(new FrameReader(4, 1_000_000), [Buffer.concat(stream)]);
        const expected = sent.map(([start, head, body]) =>
          Buffer.concat([Buffer.of(112), start, head, body]),
        );
        assert.equal(received.length, expected.length);
        for (const [index, frame] of received.entries()) assert.ok(frame.equals(expected[index] as Buffer));
      }),
      { numRuns: 50 },
    );
  });
});
