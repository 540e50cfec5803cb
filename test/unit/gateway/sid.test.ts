/** What a request tells of its session without being parsed: the tag of a node, the sid and the rid, of any bytes at all. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { peek, tagOf, tagOfSid } from '../../../src/gateway/sid.js';

/** A first tag, with what both languages find in it; a part that is a pair is repeated, a character is a byte. */
interface Vector {
  readonly name: string;
  readonly sid: string | null;
  readonly rid: number | null;
  readonly body: readonly (string | readonly [string, number])[];
}

const vectors = readFileSync(new URL('../../../../test/vectors/first-tags.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)
  .map(({ name, sid, rid, body }) => {
    const text = body.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join('');
    return { name, sid: sid ?? undefined, rid: rid ?? 0, body: Buffer.from(text, 'latin1') };
  });

const sidOf = (body: string): string | undefined => peek(Buffer.from(body)).sid;

// printf %s ejabberd@localhost | openssl dgst -sha256 -binary | base64 | tr +/ -_ | cut -c1-6
test('the tag is the start of the base64url SHA-256 of the node name', () => {
  assert.equal(tagOf('ejabberd@localhost'), 'XFb4sv');
});

test('a sid gives its tag only in the form <tag>.<random>', () => {
  assert.equal(tagOfSid('abcdef.123'), 'abcdef');
  for (const sid of ['', 'abcdef', 'abcde.123', 'abcdefg.123']) assert.equal(tagOfSid(sid), undefined);
});

for (const { name, sid, rid, body } of vectors) {
  test(`the sid and the rid in a first tag: ${name}`, () => assert.deepEqual(peek(body), { sid, rid }));
}

test('whatever stands in other attributes, it is the sid attribute that counts', () => {
  const name = fc.stringMatching(/^[a-z][a-z:-]{0,8}$/).filter((text) => text !== 'sid');
  const value = fc.stringMatching(/^[ -~]{0,30}$/).map((text) => text.replace(/[<&]/g, ''));
  const quoted = value.map((text) => (text.includes("'") ? `"${text.replaceAll('"', '')}"` : `'${text}'`));
  const attributes = fc.array(fc.tuple(name, quoted), { maxLength: 6 });
  const text = (list: readonly (readonly [string, string])[]) => list.map(([n, v]) => ` ${n}=${v}`).join('');
  fc.assert(
    fc.property(attributes, attributes, fc.boolean(), (front, behind, has) => {
      const sid = has ? " sid='abcdef.1'" : '';
      assert.equal(sidOf(`<body${text(front)}${sid}${text(behind)}/>`), has ? 'abcdef.1' : undefined);
    }),
  );
});

test('nothing behind the first 4096 bytes counts', () => {
  const prolog = `<?xml ${'x'.repeat(4096 - 6)}`;
  assert.deepEqual(peek(Buffer.from(`${prolog}<body sid='abcdef.1' rid='1'>`)), { sid: undefined, rid: 0 });
  const start = "<body sid='abcdef.1' rid='1'/>";
  for (let at = 4096 - start.length; at <= 4096; at += 1) {
    const space = `<?xml?>${' '.repeat(60)}`;
    const whole = Buffer.from(`${space}<body x='${'x'.repeat(at)}'${start.slice(5)}`);
    assert.deepEqual(peek(whole), peek(whole.subarray(0, 4096)));
  }
});

test('any bytes at all are survived', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const { sid } = peek(Buffer.concat([Buffer.from('<body '), bytes]));
      assert.ok(sid === undefined || sid.length <= 128);
    }),
  );
});

/** The same bytes, counting how many of them are looked at, one by one or by a search. */
function counting(buffer: Buffer, looked: { bytes: number }): Buffer {
  const search = (what: number | string, from = 0): number => {
    const at = buffer.indexOf(what, from);
    looked.bytes += (at < 0 ? buffer.length : at) - from;
    return at;
  };
  const view = (from: number, to: number): Buffer => counting(buffer.subarray(from, to), looked);
  const text = (encoding: BufferEncoding, from = 0, to = buffer.length): string => {
    looked.bytes += to - from;
    return buffer.toString(encoding, from, to);
  };
  return new Proxy(buffer, {
    get: (_, key) => {
      if (key === 'length') return buffer.length;
      if (key === 'indexOf') return search;
      if (key === 'subarray') return view;
      if (key === 'toString') return text;
      const index = typeof key === 'string' ? Number(key) : Number.NaN;
      assert.ok(Number.isInteger(index), `nothing is known of the cost of ${String(key)}`);
      looked.bytes += 1;
      return buffer[index];
    },
  });
}

test('the work does not grow with the body', () => {
  // Every byte of a first tag, and some again: behind a name, behind a space.
  const atMost = 3 * 4096;
  const cost = (body: Buffer): number => {
    const looked = { bytes: 0 };
    peek(counting(body, looked));
    return looked.bytes;
  };
  for (const { name, body } of vectors) {
    assert.ok(cost(body) <= atMost, name);
    assert.ok(cost(Buffer.concat([body, Buffer.alloc(262_144, ' ')])) <= atMost, name);
  }
  const part = fc.constantFrom('<?xml', '<body', ' ', "'", '"', '=', 'x', "x='", ">'", '?>', '\ufeff');
  fc.assert(
    fc.property(fc.array(part), part, (parts, last) => {
      assert.ok(cost(Buffer.from(parts.join('') + last.repeat(100_000))) <= atMost);
    }),
    { numRuns: 50 },
  );
});
