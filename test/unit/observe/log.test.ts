/** What a line of the log says of an error, and of answers that were dropped: never their content. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { atom, Pid, tuple } from '../../../src/etf/terms.js';
import { DroppedAnswers } from '../../../src/gateway/dropped-answers.js';
import { Counters } from '../../../src/observe/counters.js';
import { loggerOptions } from '../../../src/observe/log.js';

/** A logger as the program has it, and its lines. */
function capture(): { lines: string[]; log: Logger } {
  const lines: string[] = [];
  return { lines, log: pino(loggerOptions('info'), { write: (line) => lines.push(line) }) };
}

test('an error of ours is logged with code, node and hint, and without a stack', () => {
  const { lines, log } = capture();
  const error = new MegaphoneError('NODE_UNREACHABLE', 'a@h cannot be reached', {
    node: 'a@h',
    hint: 'start it',
  });
  log.warn({ err: error }, 'out of service');
  const { err, msg } = JSON.parse(lines[0] ?? '');
  assert.equal(msg, 'out of service');
  assert.deepEqual(err, {
    type: 'MegaphoneError',
    code: 'NODE_UNREACHABLE',
    message: 'a@h cannot be reached',
    node: 'a@h',
    hint: 'start it',
  });
});

test('an error of others keeps its stack', () => {
  const { lines, log } = capture();
  log.error({ err: new TypeError('oops') }, 'bug');
  assert.match(JSON.parse(lines[0] ?? '').err.stack, /log\.test/);
});

test('of each kind of dropped answers one is logged, with its shape and never its content; all are counted', () => {
  const { lines, log } = capture();
  const counters = new Counters();
  const dropped = new DroppedAnswers(counters, log);
  const secret = tuple(new Pid('a@h', 1, 2, 3), atom('ok'), Buffer.from('a secret'), Buffer.alloc(120));
  for (let count = 0; count < 60; count += 1) {
    dropped.unknownShape(secret, 'a@h');
    dropped.stale('a@h');
  }
  const [first, second, ...others] = lines.map((line) => JSON.parse(line));
  assert.match(first.msg, /^dropped from a@h: a message that is no answer: \{pid, .*binary\(120\)\}$/);
  assert.deepEqual(first.dropped, { stale: 0, unknown_shape: 1, malformed: 0 });
  assert.equal(second.msg, 'dropped from a@h: something for an exchange or a WebSocket that is over');
  assert.deepEqual(others, []);
  assert.doesNotMatch(lines.join(''), /secret/);
  assert.deepEqual(counters.dropped, { stale: 60, unknown_shape: 60, malformed: 0 });
});

test('what is no term at all is logged by its code', () => {
  const { lines, log } = capture();
  const dropped = new DroppedAnswers(new Counters(), log);
  try {
    decodeVersioned(Buffer.from([131, 104, 9]));
    assert.fail('decoded');
  } catch (error) {
    dropped.malformed(error, 'a@h');
  }
  assert.match(JSON.parse(lines[0] ?? '').msg, /^dropped from a@h: ETF_TRUNCATED$/);
});
