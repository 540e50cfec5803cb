/** Plain data, such as statistics, written by erlpack and read by a real Erlang; and what is refused beforehand. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { encodePlain, type Plain } from '../../../src/etf/plain.js';
import { Opaque, tuple } from '../../../src/etf/terms.js';
import { Erl } from './erl.js';

const SAME: readonly (readonly [Plain, string])[] = [
  [null, 'nil'],
  [undefined, 'nil'],
  [true, 'true'],
  ['', '<<>>'],
  ['日本 😀 é', '<<"日本 😀 é"/utf8>>'],
  ['with a \0', '<<"with a ", 0>>'],
  ['lone \ud800', '<<"lone �"/utf8>>'],
  [[], '[]'],
  [[1, [2, 'x', [null]]], '[1, [2, <<"x">>, [nil]]]'],
  [{}, '#{}'],
  [
    { ip: '192.0.2.7', port: 51234, secure: true },
    '#{<<"ip">> => <<"192.0.2.7">>, <<"port">> => 51234, <<"secure">> => true}',
  ],
  [{ a: undefined, b: { c: [1.5] } }, '#{<<"a">> => nil, <<"b">> => #{<<"c">> => [1.5]}}'],
  [1.5, '1.5'],
  [[0, 255, 256, -1, 2 ** 31 - 1, -(2 ** 31)], '[0, 255, 256, -1, 2147483647, -2147483648]'],
  [[2 ** 31, 2 ** 32 - 1], '[2147483648, 4294967295]'],
  // What erlpack alone would get wrong:
  [{ sent: 2 ** 32 }, '#{<<"sent">> => 4294967296}'],
  [[2 ** 53 - 1, -(2 ** 31) - 1], '[9007199254740991, -2147483649]'],
  [[2 ** 53, 1e300], '[9007199254740992.0, 1.0e300]'],
  [
    { 7: 'a', '-1': 'b', '4294967294': 'c' },
    '#{<<"7">> => <<"a">>, <<"-1">> => <<"b">>, <<"4294967294">> => <<"c">>}',
  ],
  [-0, '0'],
  [JSON.parse('{"__proto__": 1}') as Plain, '#{<<"__proto__">> => 1}'],
];

/** Not plain data, though TypeScript cannot always tell. */
const REFUSED: readonly (readonly [string, string, unknown])[] = [
  ['NaN', 'ETF_BAD_FLOAT', Number.NaN],
  ['infinity', 'ETF_BAD_FLOAT', Number.POSITIVE_INFINITY],
  ['a bigint', 'ETF_NOT_A_TERM', 5n],
  ['a function', 'ETF_NOT_A_TERM', () => 1],
  ['a symbol', 'ETF_NOT_A_TERM', Symbol('s')],
  ['a buffer', 'ETF_NOT_A_TERM', Buffer.from('hi')],
  ['a date', 'ETF_NOT_A_TERM', new Date(0)],
  ['a map', 'ETF_NOT_A_TERM', new Map([[1, 2]])],
  ['a list with holes', 'ETF_NOT_A_TERM', new Array(3)],
  ['a list with a property', 'ETF_NOT_A_TERM', Object.assign([1], { x: 2 })],
  ['a proxy', 'ETF_NOT_A_TERM', new Proxy({}, {})],
  ['a proxy of a list', 'ETF_NOT_A_TERM', new Proxy([], {})],
];

describe('plain data', () => {
  let erl: Erl;
  before(() => {
    erl = new Erl();
  });
  after(() => erl.stop());

  for (const [value, expression] of SAME) {
    it(`is ${expression} in Erlang`, async () => {
      const bytes = encodeVersioned(tuple(1, new Opaque(encodePlain(value))));
      assert.equal(await erl.same(bytes, `{1, ${expression}}`), 'true');
    });
  }

  for (const [what, code, value] of REFUSED) {
    it(`is not ${what}`, () => {
      assert.throws(() => encodePlain(value as Plain), { code });
      assert.throws(() => encodePlain({ a: [value as Plain] }), { code });
    });
  }

  it('is nested 256 deep at most', async () => {
    const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as Plain;
    const bytes = encodeVersioned(new Opaque(encodePlain(nested(256))));
    assert.equal(await erl.same(bytes, '['.repeat(256) + ']'.repeat(256)), 'true');
    assert.throws(() => encodePlain(nested(257)), { code: 'ETF_TOO_DEEP' });
    const cycle: { self?: Plain } = {};
    cycle.self = cycle as Plain;
    assert.throws(() => encodePlain(cycle as Plain), { code: 'ETF_TOO_DEEP' });
  });

  it('whose getter throws ends with that exception, not with the process', () => {
    const script = `
      import { encodePlain } from ${JSON.stringify(new URL('../../../src/etf/plain.js', import.meta.url).href)};
      try { encodePlain({ get a() { throw new Error('from the getter'); } }); } catch (error) { console.log(error.message); }`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    assert.equal(printed.trim(), 'from the getter');
  });

  it('of any kind means to Erlang what JSON says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (value) => {
        const bytes = encodeVersioned(new Opaque(encodePlain(value as Plain)));
        assert.equal(await erl.same(bytes, expressionOf(value as Plain)), 'true');
      }),
      { numRuns: 500 },
    );
  });
});

/** The Erlang source of a JSON value. */
function expressionOf(value: Plain): string {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'string') return `<<${[...Buffer.from(value, 'utf8')].join(',')}>>`;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : floatExpression(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(expressionOf).join(',')}]`;
  return `#{${Object.entries(value).map(([key, item]) => `${expressionOf(key)} => ${expressionOf(item as Plain)}`)}}`;
}

/** Erlang wants a fraction: 1.0e21, not 1e21. */
function floatExpression(value: number): string {
  const [digits, exponent] = value.toExponential().split('e');
  return `${digits?.includes('.') ? digits : `${digits}.0`}e${exponent}`;
}
