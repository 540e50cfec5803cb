/** What a worker does for operators: whatever fails there is told to its primary, and the worker lives on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { Faults } from '../../../src/observe/faults.js';
import { outcomeOf } from '../../../src/workers/errands.js';
import type { Errand } from '../../../src/workers/messages.js';
import { NO_DESK } from '../observe/no-desk.js';

const ERRANDS: readonly Errand[] = [
  { what: 'sessions', query: { search: '', after: '', limit: 1 } },
  { what: 'close', node: 'a@h', id: '0.1.0-abc' },
];

for (const errand of ERRANDS) {
  test(`${errand.what}: an error of any kind is an outcome`, async () => {
    const lines: string[] = [];
    const faults = new Faults(pino({}, { write: (line) => lines.push(line) }));
    const outcome = await outcomeOf(errand, NO_DESK, faults);
    assert.ok('error' in outcome);
    assert.equal(outcome.error.code, 'GATEWAY_FAULT');
    assert.equal(lines.length, 1);
  });
}

test('what ejabberd did not tell is told as it is, and is no fault', async () => {
  const error = new MegaphoneError('GATEWAY_NO_LIST', 'a@h did not tell', { hint: 'look there' });
  const lines: string[] = [];
  const desk = { ...NO_DESK, sessions: () => Promise.reject(error) };
  const faults = new Faults(pino({}, { write: (line) => lines.push(line) }));
  const outcome = await outcomeOf(ERRANDS[0] as Errand, desk, faults);
  assert.deepEqual(outcome, {
    error: { code: 'GATEWAY_NO_LIST', message: 'a@h did not tell', hint: 'look there' },
  });
  assert.deepEqual(lines, []);
});
