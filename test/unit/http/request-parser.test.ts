/** The parser of the HTTP front: by a table, and by chance beside the one of node:http. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestParser } from '../../../src/http/request-parser.js';
import { stream } from './arbitrary.js';
import { MAX_BODY, Reader, readWithFresh, readWithNode, readWithOurs, split } from './parsers.js';

const POST = 'POST /bosh HTTP/1.1\r\nHost: x\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const long = (length: number): string => 'x'.repeat(length);

/** What is read: the body of each request, or the status that refuses it. */
const VECTORS: readonly (readonly [what: string, text: string, expected: readonly string[] | number])[] = [
  ['a length', `${POST}Content-Length: 2\r\n\r\nab`, ['ab']],
  ['no body', `${POST}\r\n`, ['']],
  ['a body that is not there yet', `${POST}Content-Length: 3\r\n\r\nab`, []],
  ['chunks', `${CHUNKED}1\r\na\r\n02\r\nbc\r\n0\r\n\r\n`, ['abc']],
  ['a chunk with an extension', `${CHUNKED}1;x="y"\r\na\r\n0\r\n\r\n`, ['a']],
  ['trailers, which change nothing', `${CHUNKED}1\r\na\r\n0\r\nHost: y\r\nOrigin: z\r\n\r\n`, ['a']],
  ['pipelined requests', `${POST}Content-Length: 1\r\n\r\na${CHUNKED}0\r\n\r\n${POST}\r\n`, ['a', '', '']],
  ['nothing behind the last request', `${POST}Connection: close\r\n\r\n${POST}\r\n`, ['']],
  ['empty lines in front', `\r\n\r\n${POST}\r\n`, ['']],
  ['a header without a value', `${POST}Origin:\r\nExpect: \r\nUser-Agent: a\r\n\r\n`, 417],
  ['HTTP/1.0 without Host', 'POST /bosh HTTP/1.0\r\nContent-Length: 1\r\n\r\na', ['a']],
  [
    'an offer of another protocol',
    `${POST}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na`,
    ['a'],
  ],
  [
    'a body of the largest size',
    `${POST}Content-Length: ${MAX_BODY}\r\n\r\n${long(MAX_BODY)}`,
    [long(MAX_BODY)],
  ],
  ['a larger one', `${POST}Content-Length: 1001\r\n\r\n${long(1001)}${POST}\r\n`, ['too large', '']],
  [
    'a larger one in chunks',
    `${CHUNKED}3e8\r\n${long(1000)}\r\n1\r\na\r\n0\r\n\r\n${POST}\r\n`,
    ['too large', ''],
  ],
  ['headers of the largest size', `POST / HTTP/1.1\r\nHost: x\r\nA: ${long(16_000)}\r\n\r\n`, ['']],

  ['no Host', 'POST /bosh HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', `${POST}Host: x\r\n\r\n`, 400],
  ['both lengths', `${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'both lengths, the other way',
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['two lengths', `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
  ['the same length twice', `${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 400],
  ['a list of lengths', `${POST}Content-Length: 1, 1\r\n\r\na`, 400],
  ['a length with a sign', `${POST}Content-Length: +1\r\n\r\na`, 400],
  ['a negative length', `${POST}Content-Length: -1\r\n\r\na`, 400],
  ['a length in hexadecimal', `${POST}Content-Length: 0x1\r\n\r\na`, 400],
  ['an empty length', `${POST}Content-Length: \r\n\r\n`, 400],
  ['a length beyond 64 bits', `${POST}Content-Length: 18446744073709551617\r\n\r\na`, 400],
  ['bare line feeds', 'POST / HTTP/1.1\nHost: x\n\n', 400],
  ['a bare line feed behind a header', 'POST / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n', 400],
  ['a bare line feed at the end', `${POST}\n`, 400],
  ['a bare carriage return', 'POST / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n', 400],
  ['a folded header', `${POST}A: b\r\n c\r\n\r\n`, 400],
  ['a first header that is folded', 'POST / HTTP/1.1\r\n Host: x\r\n\r\n', 400],
  ['a space before the colon', 'POST / HTTP/1.1\r\nHost : x\r\n\r\n', 400],
  ['a header without a name', `${POST}: a\r\n\r\n`, 400],
  ['a header without a colon', `${POST}abc\r\n\r\n`, 400],
  ['NUL in a value', `${POST}A: b\0c\r\n\r\n`, 400],
  ['NUL in a name', `${POST}A\0: b\r\n\r\n`, 400],
  ['NUL in the path', 'POST /\0 HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['a bad chunk size', `${CHUNKED}x\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size with a prefix', `${CHUNKED}0x1\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size with a sign', `${CHUNKED}+1\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size with a blank', `${CHUNKED}1 \r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size beyond 64 bits', `${CHUNKED}fffffffffffffffff\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk longer than it says', `${CHUNKED}1\r\nab\r\n0\r\n\r\n`, 400],
  ['line feeds between chunks', `${CHUNKED}1\na\n0\n\n`, 400],
  ['a line feed behind a chunk', `${CHUNKED}1\r\na\n0\r\n\r\n`, 400],
  ['a coding behind chunked', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
  ['a coding like chunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 501],
  ['chunked twice', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['a coding of HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['another coding', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
  ['another expectation', `${POST}Expect: a miracle\r\n\r\n`, 417],
  ['headers that are too large', `${POST}A: ${long(17_000)}\r\n\r\n`, 431],
  ['a path that is too long', `POST /${long(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ['a name that is too long', `${POST}${long(17_000)}: a\r\n\r\n`, 431],
  ['HTTP/2 in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['another version', 'POST /bosh HTTP/2.0\r\nHost: x\r\n\r\n', 505],
  ['no version', 'POST /bosh\r\n\r\n', 505],
  ['a method in lower case', 'post /bosh HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['a tunnel', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
  ['TLS', '\x16\x03\x01\x02\x00\x01', 400],
];

for (const [what, text, expected] of VECTORS) {
  test(`${what}, whole and byte by byte: ${JSON.stringify(text.slice(0, 90))}`, () => {
    for (const sizes of [[], [1], [2, 3]]) {
      const { requests, status } = readWithOurs(text, ...sizes);
      if (typeof expected === 'number') {
        assert.equal(status, expected);
        assert.deepEqual(requests, []);
      } else {
        assert.equal(status, 0);
        assert.deepEqual(
          requests.map(({ body }) => body),
          expected,
        );
      }
    }
  });
}

test('the head is read as it was sent: names in any case, blanks around values, lines joined', () => {
  const text = `OPTIONS /http-bind?a=b HTTP/1.1\r\nHOST:x\r\norigin:  https://a.example \t\r\nUser-Agent: a  b\r\nX-Forwarded-For: 192.0.2.1\r\nAccept: */*\r\nx-forwarded-for: 10.0.0.1\r\n\r\n`;
  const expected = {
    method: 'OPTIONS',
    path: '/http-bind',
    headers: {
      host: 'x',
      origin: 'https://a.example',
      'user-agent': 'a  b',
      'x-forwarded-for': '192.0.2.1, 10.0.0.1',
    },
    body: '',
  };
  for (const sizes of [[], [1], [7]]) assert.deepEqual(readWithOurs(text, ...sizes).requests, [expected]);
});

test('what stands around the bytes of chunks is bounded, but chunks of one byte each are none too many', () => {
  const endless = [
    ['an extension', ['1;', 'x']],
    ['extensions', [';a=b', ';a=b']],
    ['zeros in front of a size', ['0', '0']],
    ['extensions of chunks', ['', `1;${long(200)}\r\na\r\n`]],
  ] as const;
  for (const [what, [first, more]] of endless) {
    const parser = new RequestParser(MAX_BODY);
    parser.read(Buffer.from(CHUNKED + (first.startsWith(';') ? `1${first}` : first)), 0);
    const part = Buffer.from(more.repeat(Math.ceil(1000 / more.length)));
    let bytes = 0;
    while (parser.status === 0 && bytes < 10_000_000) {
      parser.read(part, 0);
      bytes += part.length;
    }
    assert.ok(parser.status === 400 && bytes < 40_000, `${what}: ${bytes}`);
  }
  const parser = new RequestParser(100_000);
  parser.read(Buffer.from(CHUNKED), 0);
  for (let i = 0; i < 100_000; i += 1) parser.read(Buffer.from('0001\r\na\r\n'), 0);
  parser.read(Buffer.from('0\r\n\r\n'), 0);
  assert.deepEqual([parser.status, parser.isComplete, parser.body.length], [0, true, 100_000]);
});

test('however the bytes are cut, the same is read', () => {
  fc.assert(
    fc.property(
      stream,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
      (text, sizes) => {
        const whole = readWithOurs(text);
        assert.deepEqual(readWithOurs(text, 1), whole);
        assert.deepEqual(readWithOurs(text, ...sizes), whole);
      },
    ),
    { numRuns: 2000 },
  );
});

/** One connection: its bytes up to where it was aborted, the pieces they come in, and how much later than others'. */
const connection = fc
  .record({
    text: stream,
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    isAborted: fc.boolean(),
    sizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
    late: fc.nat({ max: 20 }),
  })
  .map(({ text, cut, isAborted, ...rest }) => ({
    text: isAborted ? text.slice(0, Math.floor(cut * text.length)) : text,
    ...rest,
  }));

test('whatever others sent and wherever it was aborted, a request reads as with a parser never used', () => {
  fc.assert(
    fc.property(fc.array(connection, { minLength: 2, maxLength: 8 }), (connections) => {
      const open = connections.map(({ text, sizes, late }) => ({
        text,
        late,
        reader: new Reader(),
        pieces: [...split(Buffer.from(text, 'latin1'), sizes)],
      }));
      // In turns, so that parsers are handed on at every point of one another's requests.
      for (let turn = 0; open.some(({ late, pieces }) => turn <= late + pieces.length); turn += 1) {
        for (const { text, late, reader, pieces } of open) {
          const piece = pieces[turn - late];
          if (piece !== undefined) reader.read(piece);
          else if (turn - late === pieces.length) assert.deepEqual(reader.close(), readWithFresh(text));
        }
      }
    }),
    { numRuns: 3000 },
  );
});

test('what is accepted, node:http accepts too, and reads the same', async () => {
  let tried = 0;
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(stream, async (text) => {
      tried += 1;
      const { requests, length } = readWithOurs(text);
      const node = await readWithNode(text.slice(0, length));
      accepted += requests.length;
      assert.equal(node.status, 0);
      const known = node.requests.map((seen) => (METHODS.has(seen.method) ? seen : { ...seen, method: '' }));
      assert.deepEqual(requests, known);
    }),
    { numRuns: 5000 },
  );
  // Else the comparison would say little.
  assert.ok(accepted > tried / 5, `only ${accepted} requests were accepted in ${tried} connections`);
});

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);
