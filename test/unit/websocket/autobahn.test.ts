/**
 * Every case that the Autobahn test suite describes in groups 1 to 7, 9 and 10: on the codec, whole and cut in every way,
 * and over TCP, beside a server made of `ws`. Where the two differ, test/support/autobahn/cases.ts says which and why.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Answers } from '../../support/autobahn/answers.js';
import { type AutobahnCase, bytesOf, judge, type Outcome } from '../../support/autobahn/case.js';
import { autobahnCases, DIFFERENCES, differenceOf } from '../../support/autobahn/cases.js';
import { close } from '../../support/autobahn/closing-cases.js';
import { run } from '../../support/autobahn/run.js';
import { Echo, type EchoServer, serveEcho, serveEchoOfWs } from '../../support/websocket-echo.js';
import { clientFrame } from '../../support/websocket-frames.js';

/** Group 9 has messages of 16 MB; here they are as large as one connection may send before others notice. */
const SCALE = 16;
const MAX_MESSAGE = (16 * 2 ** 20) / SCALE;
/** Beyond it, a case is not cut into single bytes. */
const SMALL = 2 ** 17;

const CASES = autobahnCases(SCALE);

/** What an echo of our codec answers, and after which part; `cut` says how the bytes of a part come in. */
function played({ parts }: AutobahnCase, cut: (bytes: Buffer) => Buffer[]): Outcome {
  const answers = new Answers();
  const echo = new Echo((bytes) => answers.read(bytes), MAX_MESSAGE);
  let sent = 0;
  for (const part of parts) {
    sent += 1;
    for (const piece of cut(bytesOf(part))) echo.read(piece);
    if (answers.isClosed) break;
  }
  if (!answers.isClosed) echo.read(clientFrame(close(1000)));
  return { lines: answers.lines, after: sent };
}

/** Pieces of so many bytes in turn. Copies, as each is unmasked in place. */
function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = sizes[cut.length % sizes.length] ?? 1;
    cut.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return cut;
}

function checkOurs(one: AutobahnCase, outcome: Outcome): void {
  const { ours } = differenceOf(one) ?? {};
  if (ours === undefined) assert.equal(judge(one, outcome), 'strict', outcome.lines.join('\n'));
  else assert.deepEqual(outcome.lines, ours);
}

test('there are as many cases as the suite has', () => {
  assert.equal(CASES.length, 301);
  assert.equal(new Set(CASES.map(({ id }) => id)).size, 301);
});

test('each difference is one of some case', () => {
  for (const { cases } of DIFFERENCES) assert.ok(CASES.some(({ id }) => cases.test(id)));
});

for (const one of CASES) {
  const length = one.parts.reduce((sum, part) => sum + bytesOf(part).length, 0);
  test(`${one.id} on the codec: ${one.what}`, () => {
    checkOurs(
      one,
      played(one, (bytes) => [bytes]),
    );
    if (length < SMALL)
      checkOurs(
        one,
        played(one, (bytes) => pieces(bytes, [1])),
      );
    const sizes = fc.array(fc.integer({ min: 1, max: Math.max(8, length >> 4) }), { minLength: 1 });
    fc.assert(
      fc.property(sizes, (cuts) =>
        checkOurs(
          one,
          played(one, (bytes) => pieces(bytes, cuts)),
        ),
      ),
      { numRuns: length < SMALL ? 20 : 2 },
    );
  });
}

let ours: EchoServer;
let ofWs: EchoServer;
before(async () => {
  [ours, ofWs] = await Promise.all([serveEcho(MAX_MESSAGE), serveEchoOfWs(MAX_MESSAGE)]);
});
after(() => Promise.all([ours.close(), ofWs.close()]));

for (const one of CASES) {
  test(`${one.id} over TCP, beside ws`, async () => {
    checkOurs(one, await run(one, ours.url));
    const { ws: expected = 'strict' } = differenceOf(one) ?? {};
    // It need not be waited for where it is known not to say a word.
    const outcome = await run(one, ofWs.url, expected === 'lenient' ? { pause: 10 } : {});
    assert.equal(judge(one, outcome), expected, outcome.lines.join('\n'));
  });
}
