import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cometTable, type Row, targetsMet } from './report.js';

const MEMORY: Row = {
  what: 'memory',
  unit: 'kB',
  digits: 2,
  measured: { gateway: 2.5, Pushpin: 10, nchan: 1 },
  atMost: 3,
};
const RATE: Row = {
  what: 'rate',
  unit: '/s',
  measured: { gateway: 29_999.4, nchan: 60_000 },
  atLeast: 30_000,
};
const NONE: Row = { what: 'none', unit: '', measured: { gateway: 0, nchan: 0 }, atMost: 0 };
const ALONE: Row = { what: 'others', unit: '', measured: { Pushpin: 1234 }, atLeast: 1 };

test('the others stand beside the gateway, with their ratio to it', () => {
  assert.deepEqual(cometTable([MEMORY, RATE, ALONE, NONE]).split('\n'), [
    '|  | gateway | bare node:net | Pushpin | nchan | target | met |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    '| memory | 2.50 kB |  | 10.00 kB (4) | 1.00 kB (0.4) | at most 3.00 kB | yes |',
    '| rate | 29,999 /s |  |  | 60,000 /s (2) | at least 30,000 /s | **no** |',
    '| others |  |  | 1,234 |  | at least 1 |  |',
    '| none | 0 |  |  | 0 | at most 0 | yes |',
  ]);
});

test('targets count where the gateway was measured', () => {
  assert.equal(targetsMet([MEMORY, RATE, ALONE]), 'targets met 1 of 2');
  assert.equal(targetsMet([{ ...MEMORY, measured: { gateway: 3 } }]), 'targets met 1 of 1');
  assert.equal(targetsMet([{ ...MEMORY, measured: { gateway: 3.01 } }]), 'targets met 0 of 1');
});
