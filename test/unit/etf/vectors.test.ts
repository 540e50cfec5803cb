/** Terms as a real Erlang wrote them: read and written to the byte, whole, cut off and in pieces. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FrameReader } from '../../../src/distribution/frames.js';
import { decode, decodePrefix, decodeVersioned } from '../../../src/etf/decode.js';
import { encode, encodeVersioned } from '../../../src/etf/encode.js';
import { EtfError } from '../../../src/etf/error.js';
import { loadVectors, withoutOpaque } from './vectors.js';

const VECTORS = loadVectors();

describe('golden vectors of a real Erlang', () => {
  for (const { name, bytes, canonical, term, holdsOpaque } of VECTORS) {
    it(name, () => {
      const decoded = decodeVersioned(bytes);
      assert.deepStrictEqual(withoutOpaque(decoded), term);
      assert.deepStrictEqual(decode(bytes.subarray(1)), decoded);

      // A fun keeps the atom tags that it came with, so its Latin-1 form is echoed and not made canonical.
      if (!holdsOpaque || bytes.equals(canonical))
        assert.deepStrictEqual(encodeVersioned(decoded), canonical);
      if (!holdsOpaque) assert.deepStrictEqual(encode(term), canonical.subarray(1));
      assert.deepStrictEqual(decodeVersioned(encodeVersioned(decoded)), decoded);
    });
  }

  it('are found wherever they stand in a frame', () => {
    for (const { bytes } of VECTORS) {
      const frame = Buffer.concat([Buffer.of(112), bytes, bytes, Buffer.of(131)]);
      const first = decodePrefix(frame, 1);
      assert.equal(first.end, 1 + bytes.length);
      assert.deepStrictEqual(first.term, decodeVersioned(bytes));
      assert.deepStrictEqual(decodePrefix(frame, first.end), { term: first.term, end: frame.length - 1 });
    }
  });

  it('are the same when their frames arrive byte by byte', () => {
    for (const { name, bytes } of VECTORS) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      const reader = new FrameReader(4, 1 << 20);
      const frames: Buffer[] = [];
      for (const byte of Buffer.concat([length, bytes, length, bytes])) {
        reader.push(Buffer.of(byte));
        const frame = reader.next();
        if (frame !== undefined) frames.push(frame);
      }
      assert.equal(frames.length, 2, name);
      for (const frame of frames)
        assert.deepStrictEqual(decodeVersioned(frame), decodeVersioned(bytes), name);
    }
  });

  it('are reported as truncated at every byte but the last', () => {
    for (const { name, bytes } of VECTORS) {
      for (let length = 0; length < bytes.length; length += stepAt(length, bytes.length)) {
        assert.throws(
          () => decodeVersioned(bytes.subarray(0, length)),
          isError('ETF_TRUNCATED'),
          `${name}, ${length} bytes`,
        );
      }
    }
  });

  it('are refused with a byte too many', () => {
    for (const { name, bytes } of VECTORS) {
      const longer = Buffer.concat([bytes, Buffer.of(106)]);
      assert.throws(() => decodeVersioned(longer), isError('ETF_TRAILING_BYTES'), name);
    }
  });

  it('hold what they should', () => {
    const tags = new Set(VECTORS.map(({ bytes }) => bytes[1]));
    const expected = [
      67, 70, 77, 88, 89, 90, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
      113, 114, 115, 116, 118, 119, 120,
    ];
    for (const tag of expected) assert.ok(tags.has(tag), `no vector starts with tag ${tag}`);
  });
});

/** Every byte of what is short and of the ends of what is long, samples in between. */
function stepAt(length: number, total: number): number {
  return total <= 5000 || length < 100 || total - length < 100 ? 1 : Math.min(997, total - length - 99);
}

function isError(code: string) {
  return (error: unknown) => error instanceof EtfError && error.code === code;
}
