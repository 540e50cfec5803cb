/**
 * The gateway's scanner of first tags, the hub's, and the parser that judges both, side by side on bodies of all kinds:
 * the scanners find the same, and where the parser takes a body for a request, it reads no other sid or rid of it.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { peek } from '../../../src/gateway/sid.js';

const sources = fileURLToPath(new URL('../../../../erl/mod_megaphone/src/', import.meta.url));
/** Where Debian's ejabberd keeps the XML parser. */
const [, libraries = ''] = /^ERL_LIBS='(.*)'/m.exec(readFileSync('/usr/sbin/ejabberdctl', 'utf8')) ?? [];
/** Answers each line of base64 with sid and rid as peeked, and as parsed: `-` for none, the sid in base64 behind `+`. */
const PEER = `
  Load = fun(Name) ->
    {ok, Module, Beam} = compile:file(${JSON.stringify(sources)} ++ atom_to_list(Name), [binary]),
    {module, Module} = code:load_binary(Module, "", Beam)
  end,
  lists:foreach(Load, [megaphone_peek, megaphone_prolog, megaphone_body, megaphone_xml, megaphone_markup]),
  Sid = fun({ok, Found}) -> [$+, base64:encode(Found)]; (_) -> "-" end,
  Rid = fun(none) -> "-"; (Found) -> integer_to_list(Found) end,
  Answer = fun(Body) ->
    Peeked = [Sid(megaphone_peek:sid(Body)), " ", Rid(megaphone_peek:rid(Body))],
    case megaphone_body:parse(Body, 100000) of
      {ok, #{rid := Parsed} = Request} -> [Peeked, " ", Sid(maps:find(sid, Request)), " ", Rid(Parsed), "\\n"];
      {error, _} -> [Peeked, "\\n"]
    end
  end,
  Loop = fun Loop() ->
    case io:get_line("") of eof -> halt(); Line -> io:put_chars(Answer(base64:decode(string:trim(Line)))), Loop() end
  end,
  Loop().`;

interface Found {
  readonly sid: string | undefined;
  readonly rid: number | undefined;
}

function readFound([sid, rid]: readonly string[]): Found {
  return {
    sid: sid === '-' ? undefined : Buffer.from(sid?.slice(1) ?? '', 'base64').toString('latin1'),
    rid: rid === '-' ? undefined : Number(rid),
  };
}

const piece = fc.constantFrom(
  ...['<', 'body', '<body', '>', '/>', ' ', '\n', '\t', '=', "'", '"', '/', '&', ':', '\0', 'é', '\x01'],
  ...['sid', 'rid', "sid='a.b'", ' sid="a.b"', " sid = 'a.b'", " to='x'", " to='a>b'", ' xsid="c"', "''"],
  ...['<?xml', "<?xml version='1.0'?>", '?>', '<?pi', '<!x', '<!--', '-->', '<![CDATA[', ']]>', '\ufeff'],
  ...[" rid='7'", '</body>', '<iq/>', ' '.repeat(64), ' '.repeat(200), 'x'.repeat(128)],
);
const anything = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
const attribute = fc.oneof(
  fc.constantFrom(
    ...[
      " to='x'",
      ' key="\'"',
      "\nto = 'a>b'",
      " from='&apos; sid=&quot;c&quot;'",
      " x:sid='c'",
      " sidx='c'",
    ],
    ...[
      " sid='c.d'",
      " sid='a&amp;b'",
      " sid='a b'",
      ` sid='${'s'.repeat(129)}'`,
      "to='x'",
      " rid='&#49;'",
      ' ',
    ],
  ),
  fc
    .constantFrom(
      '0',
      '1',
      '007',
      `${2 ** 53 - 1}`,
      `${2 ** 53}`,
      '-1',
      '+1',
      ' 1',
      '1.0',
      '',
      `${10 ** 15}7`,
    )
    .chain((rid) => fc.nat(20).map((zeros) => ` rid='${zeros > 10 ? '0'.repeat(zeros) : ''}${rid}'`)),
);
const usual = fc
  .uniqueArray(attribute, { maxLength: 4, selector: (text) => text.split('=')[0]?.trim() })
  .map((attributes) => attributes.join(''));
const front = fc.constantFrom(
  '',
  '',
  '',
  ' ',
  '\n',
  '\ufeff',
  "<?xml version='1.0'?>",
  "\ufeff<?xml version='1.0'?> ",
);
const end = fc.constantFrom('/>', ' />', '></body>', "><iq sid='c' rid='8'/></body>");
/** Right, or with something odd or long in it. */
const nearlyRight = fc
  .record({
    front,
    space: fc.constantFrom(' ', '\n', '\t ', ' '.repeat(70)),
    long: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 3900, max: 4200 }) },
    ),
    attributes: usual,
    odd: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: piece }),
    more: fc.constantFrom('', '', " rid='7'", " sid='a.b' rid='7'", " rid='7' sid='a.b'"),
    end,
    cut: fc.oneof(
      { weight: 9, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
      { weight: 1, arbitrary: fc.nat(200) },
    ),
  })
  .map(({ front, space, long, attributes, odd, more, end, cut }) => {
    const wrapper = `<body${space}xmlns='http://jabber.org/protocol/httpbind'`;
    const filling = long > 0 ? ` x='${'x'.repeat(long)}'` : '';
    return `${front}${wrapper}${filling}${attributes}${odd}${more}${end}`.slice(0, cut);
  });

/** Was it not to be found: not as it stands, or not within the first 4096 bytes? */
function isOdd(value: string, body: Buffer): boolean {
  const head = body.subarray(0, 4096).toString('latin1');
  return (
    value.length > 128 ||
    /[^!-~]|[&<]/.test(value) ||
    !(head.includes(`'${value}'`) || head.includes(`"${value}"`))
  );
}

test('both scanners find the same, and the parser nothing else', (t) => {
  const bodies = fc
    .sample(fc.oneof(anything, { weight: 4, arbitrary: nearlyRight }), 20_000)
    .map((text) => Buffer.from(text));
  const answers = execFileSync('erl', ['-noshell', '-boot', 'no_dot_erlang', '-eval', PEER], {
    env: { ...process.env, ERL_LIBS: libraries },
    input: bodies.map((body) => `${body.toString('base64')}\n`).join(''),
    encoding: 'latin1',
    maxBuffer: 67_108_864,
    stdio: ['pipe', 'pipe', 'inherit'],
  }).split('\n');
  let requests = 0;
  let found = 0;
  for (const [i, body] of bodies.entries()) {
    const text = JSON.stringify(body.toString('latin1'));
    const answer = answers[i]?.split(' ') ?? [];
    const scanned = readFound(answer);
    const { sid, rid } = peek(body);
    // To the gateway no rid is the same as 0.
    assert.deepEqual({ sid, rid }, { sid: scanned.sid, rid: scanned.rid ?? 0 }, text);
    if (answer.length === 2) continue;
    requests += 1;
    const parsed = readFound(answer.slice(2));
    if (parsed.sid !== undefined) found += 1;
    if (scanned.sid !== undefined || !isOdd(parsed.sid ?? '', body))
      assert.equal(scanned.sid, parsed.sid, text);
    if (scanned.rid !== undefined || !isOdd(`${parsed.rid}`, body))
      assert.equal(scanned.rid, parsed.rid, text);
  }
  t.diagnostic(`of ${bodies.length} bodies ${requests} are requests, ${found} of them with a sid`);
  assert.ok(found > 500 && requests > found + 500);
});
