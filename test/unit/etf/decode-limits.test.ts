/** What the decoder refuses: bad bytes, each with its code, and terms beyond its limits. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS, decode, decodePrefix, decodeVersioned } from '../../../src/etf/decode.js';
import { EtfError } from '../../../src/etf/error.js';
import { ImproperList, Tuple } from '../../../src/etf/terms.js';
import { loadVectors } from './vectors.js';

/** What is wrong with the bytes, how they are refused, the bytes in hexadecimal, the offset that is named. */
const REFUSED: readonly (readonly [string, string, string, number])[] = [
  ['nothing', 'ETF_TRUNCATED', '', 0],
  ['a list of 2^32-1 elements in ten bytes', 'ETF_TRUNCATED', '6c ffffffff 6161616161', 5],
  ['a tuple of 2^32-1 elements', 'ETF_TRUNCATED', '69 ffffffff 6a', 5],
  ['a map of 2^32-1 pairs', 'ETF_TRUNCATED', '74 ffffffff 6a6a', 5],
  ['a map of 2^31+1 pairs, whose double ends in 2', 'ETF_TRUNCATED', '74 80000001 6a6a', 5],
  ['a binary of 4 GiB', 'ETF_TRUNCATED', '6d ffffffff 00', 5],
  ['a bit string of 4 GiB', 'ETF_TRUNCATED', '4d ffffffff 01 00', 6],
  ['an integer of 4 GiB', 'ETF_TRUNCATED', '6f ffffffff 00 01', 6],
  ['a string longer than its bytes', 'ETF_TRUNCATED', '6b ffff 00', 3],
  ['an atom longer than its bytes', 'ETF_TRUNCATED', '77 ff 61', 2],
  ['a fun of 4 GiB', 'ETF_TRUNCATED', '70 ffffffff 00', 5],
  ['a fun of no size', 'ETF_TRUNCATED', '70 00000000', 5],
  ['a fun that is larger than it says', 'ETF_BAD_FUN', fun(4), 0],
  ['a fun that is smaller than it says', 'ETF_BAD_FUN', `${fun(4, 1)}00`, 0],
  ['a fun with 2^32-1 free variables', 'ETF_TRUNCATED', fun(0, 0, 'ffffffff'), 30 + 3],
  ['a fun whose pid is none', 'ETF_BAD_FUN', fun(0).replace(/58770161.*/, '61'.repeat(16)), 39],
  ['an export with a big arity', 'ETF_BAD_FUN', '71 770161 770162 62000000ff', 8],
  ['an export of a binary', 'ETF_BAD_TAG', '71 6d0000000161 770162 6101', 1],
  ['a native record of 2^32-1 fields', 'ETF_TRUNCATED', '43 ffffffff 00 770161 770162', 12],
  [
    'a native record with a field that has no name',
    'ETF_BAD_TAG',
    '43 00000001 00 770161 770162 6161 61',
    12,
  ],
  ['a Latin-1 atom of 256 characters', 'ETF_BAD_ATOM', `64 0100 ${'61'.repeat(256)}`, 3],
  ['an ASCII atom of 256 characters', 'ETF_BAD_ATOM', `76 0100 ${'61'.repeat(256)}`, 3],
  ['an atom of 256 wide characters', 'ETF_BAD_ATOM', `76 0400 ${'f09f9880'.repeat(256)}`, 3],
  ['an atom that is not UTF-8', 'ETF_BAD_ATOM', '77 02 c328', 2],
  ['an atom that ends within a character', 'ETF_BAD_ATOM', '77 02 e697', 2],
  ['an atom with a surrogate', 'ETF_BAD_ATOM', '77 03 eda080', 2],
  ['an atom in too many bytes', 'ETF_BAD_ATOM', '77 02 c080', 2],
  ['a pid of a binary node', 'ETF_BAD_TAG', '58 6d0000000161 000000000000000000000000', 1],
  ['a reference of no words', 'ETF_BAD_IDENTIFIER', '5a 0000 770161 00000000', 10],
  ['a reference of six words', 'ETF_BAD_IDENTIFIER', `5a 0006 770161 00000000 ${'00000000'.repeat(6)}`, 10],
  ['not a number', 'ETF_BAD_FLOAT', '46 7ff8000000000000', 1],
  ['infinity', 'ETF_BAD_FLOAT', '46 fff0000000000000', 1],
  ['an old float that is no number', 'ETF_BAD_FLOAT', `63 ${'41'.repeat(31)}`, 1],
  ['an old float that is empty', 'ETF_BAD_FLOAT', `63 ${'00'.repeat(31)}`, 1],
  [
    'an old float that is too large',
    'ETF_BAD_FLOAT',
    `63 ${Buffer.from('1.00000000000000000000e+999').toString('hex').padEnd(62, '0')}`,
    1,
  ],
  ['a bit string of nine bits in a byte', 'ETF_BAD_BITSTRING', '4d 00000001 09 ff', 7],
  ['a bit string of no bits in a byte', 'ETF_BAD_BITSTRING', '4d 00000001 00 ff', 7],
  ['an empty bit string with bits', 'ETF_BAD_BITSTRING', '4d 00000000 03', 6],
  ['the same integer twice in a map', 'ETF_DUPLICATE_KEY', '74 00000002 6101 6a 6200000001 6a', 8],
  ['the same atom twice in a map', 'ETF_DUPLICATE_KEY', '74 00000002 770161 6a 64000161 6a', 9],
  ['the same binary twice in a map', 'ETF_DUPLICATE_KEY', '74 00000002 6d0000000161 6a 6d0000000161 6a', 12],
  [
    'the same big twice in a map',
    'ETF_DUPLICATE_KEY',
    `74 00000002 ${'6e0800ffffffffffffffff6a'.repeat(2)}`,
    17,
  ],
  ['the same tuple twice in a map', 'ETF_DUPLICATE_KEY', '74 00000002 680161 01 6a 680161 01 6a', 10],
  ['an unknown tag', 'ETF_BAD_TAG', '6801 00', 2],
  ['a version byte within a term', 'ETF_BAD_TAG', '6801 836a', 2],
  ['a compressed term', 'ETF_UNSUPPORTED_TAG', '50 00000001 789c', 0],
  ['a reference to an atom cache', 'ETF_UNSUPPORTED_TAG', '5200', 0],
  ['an atom cache for a node', 'ETF_UNSUPPORTED_TAG', '585200', 1],
  ['a local term', 'ETF_UNSUPPORTED_TAG', '79 0000000000000000 6a', 0],
  ['bytes behind the term', 'ETF_TRAILING_BYTES', '6a 6a', 1],
];

describe('decode refuses', () => {
  for (const [what, code, hex, offset] of REFUSED) {
    it(what, () => {
      const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      assert.throws(
        () => decode(bytes),
        (error) =>
          error instanceof EtfError &&
          error.code === code &&
          error.message.endsWith(`, at byte ${offset} of ${bytes.length}`),
      );
    });
  }

  it('another version than 131', () => {
    assert.throws(() => decodeVersioned(Buffer.of(130, 106)), { code: 'ETF_BAD_VERSION' });
    assert.throws(() => decodePrefix(Buffer.of(131, 106), 1), { code: 'ETF_BAD_VERSION' });
  });

  it('what is nested deeper than the limit, and nothing that is not', () => {
    for (const [opening, closing] of [
      ['6c00000001', '6a'],
      ['6801', ''],
      ['6900000001', ''],
      ['74000000016a', ''],
    ] as const) {
      const nested = (depth: number) =>
        Buffer.from(`${opening.repeat(depth)}6a${closing.repeat(depth)}`, 'hex');
      decode(nested(DEFAULT_LIMITS.maxDepth));
      assert.throws(() => decode(nested(DEFAULT_LIMITS.maxDepth + 1)), { code: 'ETF_TOO_DEEP' });
    }
  });

  it('more elements than the limit, wherever they are', () => {
    const limits = { ...DEFAULT_LIMITS, maxElements: 6 };
    for (const hex of [
      '680361016b00026162 68016a',
      '6c00000006 6a6a6a6a6a6a 6a',
      '7400000003 61016a 61026a 61036a',
      '6b0006616161616161',
    ]) {
      const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      decode(bytes, limits);
      assert.throws(() => decode(bytes, { ...limits, maxElements: 5 }), { code: 'ETF_TOO_MANY_ELEMENTS' });
    }
  });

  it('more bytes than the limit', () => {
    const bytes = Buffer.from('6d00000003616263', 'hex');
    decode(bytes, { ...DEFAULT_LIMITS, maxBytes: 8 });
    assert.throws(() => decode(bytes, { ...DEFAULT_LIMITS, maxBytes: 7 }), { code: 'ETF_TOO_LARGE' });
  });

  it('map keys that hold map keys that hold more than they are worth', () => {
    const nested = (levels: number) => {
      let term = Buffer.concat([Buffer.from('6d0000c350', 'hex'), Buffer.alloc(50_000)]);
      for (let level = 0; level < levels; level++) {
        term = Buffer.concat([Buffer.from('7400000002', 'hex'), term, Buffer.from('6a610161ff', 'hex')]);
      }
      return term;
    };
    decode(nested(16));
    assert.throws(() => decode(nested(18)), { code: 'ETF_TOO_LARGE' });
  });
});

describe('decode', () => {
  it('needs neither depth nor stack for a list whose tail is a list, over and over', () => {
    const cells = Buffer.concat([
      ...Array<Buffer>(200_000).fill(Buffer.from('6c000000016107', 'hex')),
      Buffer.from('770162', 'hex'),
    ]);
    const list = decode(cells);
    assert.ok(list instanceof ImproperList);
    assert.equal(list.items.length, 200_000);
  });

  it('gives binaries as views of its input', () => {
    const bytes = Buffer.from('68016d00000003616263', 'hex');
    const term = decode(bytes);
    assert.ok(term instanceof Tuple);
    bytes.write('xyz', 7);
    assert.deepStrictEqual(term.elements[0], Buffer.from('xyz'));
  });

  it('reads any view, whatever its offset and type', () => {
    const bytes = new Uint8Array(Buffer.from('ffff68026101770161ff', 'hex')).subarray(2, 9);
    assert.deepStrictEqual(decode(bytes), decode(Buffer.from(bytes)));
  });

  it('either reads damaged bytes or throws an EtfError', () => {
    const vectors = loadVectors().filter(({ bytes }) => bytes.length < 1000);
    const damaged = fc
      .tuple(
        fc.constantFrom(...vectors),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      )
      .map(([{ bytes }, changes]) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          decodeVersioned(bytes);
        } catch (error) {
          assert.ok(error instanceof EtfError, String(error));
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('stays within a heap of 64 MB whatever the bytes claim', () => {
    const script = `
      import { decode } from ${JSON.stringify(new URL('../../../src/etf/decode.js', import.meta.url).href)};
      const repeat = (hex, count) => Buffer.alloc(count * hex.length / 2, Buffer.from(hex, 'hex'));
      const refusal = (bytes) => { try { decode(bytes); return 'none'; } catch (error) { return error.code; } };
      console.log([
        repeat('6c00000001', 10_000_000),  // nested ten million deep
        repeat('690000ffff', 10_000_000),  // every tuple claims 65535 elements
        repeat('6c00200000', 10_000_000),
        repeat('7400080000', 10_000_000),
        repeat('6c00000000', 10_000_000),  // the tail of a tail of a tail
      ].map(refusal).join(' '));`;
    const flags = ['--max-old-space-size=64', '--input-type=module', '--eval', script];
    const codes = execFileSync(process.execPath, flags, { encoding: 'utf8' }).trim().split(' ');
    assert.deepStrictEqual(codes, [
      'ETF_TOO_DEEP',
      'ETF_TOO_MANY_ELEMENTS',
      'ETF_TOO_MANY_ELEMENTS',
      'ETF_TOO_MANY_ELEMENTS',
      'ETF_TRUNCATED',
    ]);
  });
});

/** A fun of module a and pid node a; `short` bytes less than its size claims, or `long` more. */
function fun(short: number, long = 0, free = '00000000'): string {
  const body = `00${'00'.repeat(16)}00000000${free}7701616101610258770161${'00'.repeat(12)}`;
  const size = 4 + body.length / 2 + (long > 0 ? long : -short);
  return `70${size.toString(16).padStart(8, '0')}${body}`;
}
