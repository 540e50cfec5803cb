/** The parser of the HTTP front: by a table, and by chance beside the one of node:http. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_BODY, readWithNode, readWithOurs } from './parsers.js';

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

/** Mostly what is right, so that much is accepted, and now and then what sits just beyond the grammar. */
const mostly = (right: readonly string[], wrong: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...right), weight: 15 },
    { arbitrary: fc.constantFrom(...wrong), weight: 1 },
  );
const line = mostly(
  [
    'POST /bosh HTTP/1.1',
    'GET /bosh?x HTTP/1.0',
    'OPTIONS * HTTP/1.1',
    'HEAD / HTTP/1.1',
    'PUT /\xff HTTP/1.1',
  ],
  ['POST  / HTTP/1.1', 'POST / HTTP/1.2', 'POST / HTTP/2.0', 'POST /', 'get / HTTP/1.1', 'POST\t/ HTTP/1.1'],
);
// No `Connection: upgrade`: node:http forgets what comes in the same chunk behind a request with it.
const header = mostly(
  [
    ...['Expect: 100-continue', 'Connection: close', 'Connection: keep-alive', 'Connection: a'],
    ...[
      'Upgrade: h2c',
      'Origin: https://a.example',
      'Origin:',
      'X-Forwarded-For: 1.2.3.4',
      'A: \xff',
      'TE: trailers',
    ],
    ...['X-Forwarded-For:\t5.6.7.8 \t', 'User-Agent: a \t b', 'user-agent: b', 'X-Forwarded-Proto:https'],
  ],
  [
    ...[
      ' folded',
      '\tfolded',
      'Bad Name: x',
      'A\t: b',
      ': b',
      'Content-Length : 3',
      'Host',
      'A: b\0',
      'Host: y',
    ],
    ...[
      'Content-Length: 3',
      'Content-Length: 1,1',
      'Transfer-Encoding: chunked',
      'Content_Length: 3',
      'A: \x01',
    ],
  ],
);
/** A header that says how long the body is, and a body. */
const framing = fc.oneof(
  {
    arbitrary: fc.constantFrom<[string, string]>(
      ['', ''],
      ['Content-Length: 3 \r\n', 'abc'],
      ['Content-Length:0\r\n', ''],
      ['Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'],
      ['transfer-encoding:\tChunked \r\n', '003;x=y\r\nabc\r\n0\r\nHost: b\r\n\r\n'],
    ),
    weight: 10,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom(
        'Content-Length: 3\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Transfer-Encoding: gzip, chunked\r\n',
      ),
      fc.constantFrom(
        '3\nabc\n0\n\n',
        'g\r\n',
        '-1\r\n',
        '3 \r\nabc\r\n0\r\n\r\n',
        'abcPOST / HTTP/1.1\r\n\r\n',
        '\0',
      ),
    ),
    weight: 1,
  },
);
const breaks = mostly(['\r\n'], ['\n', '\r', '\r\r\n', ' \r\n']);
const request = fc
  .tuple(
    line,
    mostly(['Host: x'], ['']),
    breaks,
    framing,
    fc.array(fc.tuple(header, breaks), { maxLength: 4 }),
    breaks,
  )
  .map(([first, host, end, [length, body], headers, last]) => {
    const rest = headers.map(([text, behind]) => text + behind).join('');
    return `${first}\r\n${host}${end}${length}${rest}${last}${body}`;
  });
/** Whole requests, several, with a byte changed, left out, or put in here and there. */
const edit = fc.tuple(
  fc.nat(),
  fc.constantFrom('', ' ', '\r', '\n', '\0', ':', ',', '0', 'a', '\t', '\x80'),
  fc.nat(1),
);
const stream = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(edit, { maxLength: 2 }))
  .map(([requests, edits]) => {
    let text = requests.join('');
    for (const [place, put, skip] of edits) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + put + text.slice(at + skip);
    }
    return text;
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

test('what is accepted, node:http accepts too, and reads the same', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(stream, async (text) => {
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
  assert.ok(accepted > 1000, `only ${accepted} requests were accepted`);
});

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);
