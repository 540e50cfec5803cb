/** What clients send: requests, most of them right, and what sits just beyond the grammar. */

import fc from 'fast-check';

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
      'Sec-Fetch-Mode: cors',
      'SEC-FETCH-DEST:empty',
      'Sec-Fetch-Site: same-site',
      'Oricin: x',
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
export const stream: fc.Arbitrary<string> = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(edit, { maxLength: 2 }))
  .map(([requests, edits]) => {
    let text = requests.join('');
    for (const [place, put, skip] of edits) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + put + text.slice(at + skip);
    }
    return text;
  });
