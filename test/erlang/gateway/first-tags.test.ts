/** The gateway's scanner of sids and the hub's, side by side on first tags of all kinds. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { peek } from '../../../src/gateway/sid.js';

const SOURCE = fileURLToPath(
  new URL('../../../../erl/mod_megaphone/src/megaphone_peek.erl', import.meta.url),
);
/** Answers each line of base64 with `+` and the sid, in base64, or `-`. */
const PEER = `
  {ok, Module, Beam} = compile:file(${JSON.stringify(SOURCE)}, [binary]),
  {module, Module} = code:load_binary(Module, "megaphone_peek.erl", Beam),
  Peek = fun(Line) ->
    case Module:sid(base64:decode(Line)) of {ok, Sid} -> [$+, base64:encode(Sid), $\\n]; none -> "-\\n" end
  end,
  Loop = fun Loop() ->
    case io:get_line("") of eof -> halt(); Line -> io:put_chars(Peek(string:trim(Line))), Loop() end
  end,
  Loop().`;

const piece = fc.constantFrom(
  ...['<', 'body', '<body', '>', '/>', ' ', '\n', '\t', '=', "'", '"', '/', '&', ':', '\0', 'é'],
  ...['sid', 'rid', "sid='a.b'", ' sid="a.b"', " sid = 'a.b'", " to='x'", " to='a>b'", ' xsid="c"', "''"],
  ...['<?xml', "<?xml version='1.0'?>", '?>', '<!--', '-->', '\ufeff', ' '.repeat(64), 'x'.repeat(128)],
);
const anything = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
const attribute = fc.constantFrom(
  " to='x'",
  ' key="\'"',
  "\nto = 'a>b'",
  " rid='1'",
  " sid='c.d'",
  "to='x'",
  ' ',
);
const nearlyRight = fc
  .tuple(
    fc.option(piece, { freq: 1 }),
    fc.nat(4200),
    fc.array(attribute, { maxLength: 4 }),
    fc.option(piece, { freq: 1 }),
  )
  .map(([front, size, tag, odd]) => {
    const long = size > 4000 ? ` x='${'x'.repeat(size)}'` : '';
    return `${front ?? ''}<body${long}${tag.join('')}${odd ?? ''} sid='a.b'/>`;
  });

test('both find the same sid', (t) => {
  const bodies = fc.sample(fc.oneof(anything, nearlyRight), 5000).map((text) => Buffer.from(text));
  const answers = execFileSync('erl', ['-noshell', '-boot', 'no_dot_erlang', '-eval', PEER], {
    input: bodies.map((body) => `${body.toString('base64')}\n`).join(''),
    encoding: 'latin1',
    maxBuffer: 16_777_216,
    stdio: ['pipe', 'pipe', 'inherit'],
  }).split('\n');
  let found = 0;
  for (const [i, body] of bodies.entries()) {
    const { sid } = peek(body);
    if (sid !== undefined) found += 1;
    const expected = sid === undefined ? '-' : `+${Buffer.from(sid, 'latin1').toString('base64')}`;
    assert.equal(answers[i], expected, JSON.stringify(body.toString('latin1')));
  }
  t.diagnostic(`a sid in ${found} of ${bodies.length}`);
  assert.ok(found > 500);
});
