/** What a process takes is looked at once a second, until that is closed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessUsage } from '../../../src/observe/usage.js';

test('it is looked at once a second, and no more when closed', ({ mock }) => {
  mock.timers.enable({ apis: ['setInterval'] });
  const usage = new ProcessUsage();
  const first = usage.latest;
  mock.timers.tick(1_000);
  const second = usage.latest;
  assert.notEqual(second, first);
  usage.close();
  mock.timers.tick(5_000);
  assert.equal(usage.latest, second);
});
