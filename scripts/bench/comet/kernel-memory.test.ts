import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelBytes, kernelBytesIn } from './kernel-memory.js';

test("the kernel's part is slabs, and pages of TCP", () => {
  const meminfo = 'MemTotal:  100 kB\nSlab:              200 kB\nSReclaimable:       50 kB\n';
  const sockstat = 'sockets: used 3\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 4\nUDP: inuse 0 mem 9\n';
  assert.equal(kernelBytesIn(meminfo, sockstat), 200 * 1024 + 4 * 4096);
});

test('this kernel says both', () => {
  assert.ok(kernelBytes() > 0);
});
