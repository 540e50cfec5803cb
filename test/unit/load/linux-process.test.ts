/** Memory and processor time from /proc, beside what this process knows of itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuSeconds, residentBytes } from '../../../scripts/load/linux-process.js';

test('finds the memory of a process grown by what it fills', () => {
  const before = residentBytes(process.pid);
  const block = Buffer.alloc(64 * 1024 * 1024, 1);
  assert.ok(residentBytes(process.pid) - before > block.length / 2);
});

test('finds the processor time that the process itself counts', () => {
  const { user, system } = process.cpuUsage();
  const found = cpuSeconds(process.pid);
  assert.ok(found >= (user + system) / 1e6 - 0.02, `${found} s, ${user} and ${system} µs`);
});

test('says so when the process is gone', () => {
  assert.throws(() => residentBytes(2 ** 22), Error);
});
