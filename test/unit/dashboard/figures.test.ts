/** What the dashboard makes of what it is told: columns for its plots, refusals of the last minute, figures in words. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import type { Snapshot } from '../../../src/observe/figures.js';
import { Columns, format, Recent, type Told } from './page.js';

test('the page knows what it is told by the types of who tells it', () => {
  type Whole = Omit<Snapshot, 'gateway'> & {
    readonly gateway: Snapshot['gateway'] & { readonly version: string; readonly actions: boolean };
  };
  const asTold: (snapshot: Whole) => Told.Snapshot = (snapshot) => snapshot;
  assert.equal(typeof asTold, 'function');
});

describe('the columns of the plots', () => {
  it('are those of the history, and grow', () => {
    const columns = new Columns();
    columns.add(5, { cpu: 9 });
    columns.replace({ figures: { at: [10, 11], cpu: [1, null] } });
    columns.add(12, { cpu: 3, sessions: 4 });
    assert.deepEqual(columns.at, [10, 11, 12]);
    assert.deepEqual(columns.of('cpu'), [1, null, 3]);
    assert.deepEqual(columns.of('sessions'), [null, null, 4]);
  });

  it('have a gap where nothing was heard for a while, and nothing twice', () => {
    const columns = new Columns();
    for (const at of [1, 2, 2, 10]) columns.add(at, { cpu: at });
    assert.deepEqual(columns.at, [1, 2, 3, 10]);
    assert.deepEqual(columns.of('cpu'), [1, 2, null, 10]);
  });

  it('are those of ten minutes', () => {
    const columns = new Columns();
    for (let at = 0; at <= 1000; at += 1) columns.add(at, { cpu: at });
    assert.deepEqual([columns.at[0], columns.at.length, columns.of('cpu')[0]], [400, 601, 400]);
  });

  it('tell what a figure was at least, of late', () => {
    const columns = new Columns();
    for (const [at, cpu] of [5, 7, 6].entries()) columns.add(at, { cpu });
    assert.equal(columns.least('cpu', 2), 6);
    assert.ok(Number.isNaN(columns.least('cpu', 4)));
    columns.add(3, { cpu: null });
    assert.ok(Number.isNaN(columns.least('cpu', 2)));
  });
});

describe('refusals of the last minute', () => {
  it('are what came since', () => {
    const recent = new Recent();
    recent.add(0, 100, { path: 7, busy: 1 });
    assert.deepEqual([...recent.lastMinute], []);
    recent.add(50, 150, { path: 9, busy: 1 });
    assert.deepEqual([...recent.lastMinute], [['path', 2]]);
    recent.add(90, 190, { path: 10, busy: 1 });
    assert.deepEqual([...recent.lastMinute], [['path', 1]]);
  });

  it('are all of a gateway that began anew', () => {
    const recent = new Recent();
    recent.add(0, 100, { path: 7 });
    recent.add(9, 2, { path: 3 });
    assert.deepEqual([...recent.lastMinute], [['path', 3]]);
  });
});

test('figures are written for people', () => {
  const told = (name: keyof typeof format, ...values: (number | null)[]) =>
    values.map((value) => format[name](value).replaceAll('\u00a0', ' '));
  assert.deepEqual(told('count', 0, 1234567, null, Number.NaN), ['0', '1,234,567', '–', '–']);
  assert.deepEqual(told('bytes', 0, 999, 999.6, 1234, 12345, 123456, 99_960_000, 5e15), [
    ...['0 B', '999 B', '1.00 kB', '1.23 kB', '12.3 kB', '123 kB', '100 MB', '5000 TB'],
  ]);
  assert.deepEqual(told('byteRate', 2048), ['2.05 kB/s']);
  assert.deepEqual(told('rate', 0, 0.34, 9.96, 1480.4), ['0 /s', '0.3 /s', '10 /s', '1,480 /s']);
  assert.deepEqual(told('percent', 0, 0.0123, 0.412, 3.5), ['0.0 %', '1.2 %', '41 %', '350 %']);
  assert.deepEqual(told('seconds', 0.00042, 0.0123, 0.99949, 1.234, 61), [
    ...['0.4 ms', '12 ms', '999 ms', '1.23 s', '61.0 s'],
  ]);
  assert.deepEqual(told('brief', 0, 0.5, 500, 20000, 2.5e6), ['0', '0.5', '500', '20k', '2.5M']);
  assert.deepEqual(told('span', 0.4, 59, 60, 3725, 90_000, 86_400, null), [
    ...['0 s', '59 s', '1 min', '1 h 2 min', '1 d 1 h', '1 d', '–'],
  ]);
});
