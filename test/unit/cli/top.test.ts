/** The screen of `megaphone top`: figures as people read them, cut to its size, and nothing in it that a terminal would obey. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { screenOf } from '../../../src/cli/top-screen.js';
import { amount, bytes, number, per, seconds, span } from '../../../src/cli/units.js';
import { FIGURES, type Figures, type Snapshot } from '../../../src/observe/figures.js';

test('figures have three digits and a unit', () => {
  assert.deepEqual([0, 0.1234, 1.2345, 12.345, 123.45, 1234.5, 1_234_567].map(number), [
    '0',
    '0.12',
    '1.23',
    '12.3',
    '123',
    '1,235',
    '1,234,567',
  ]);
  assert.deepEqual([0, 999, 1000, 12_345_678, 9.9e12, 9.9e15].map(bytes), [
    '0 B',
    '999 B',
    '1 kB',
    '12.3 MB',
    '9.9 TB',
    '9,900 TB',
  ]);
  assert.deepEqual([0.000_25, 0.0125, 1.5, 60].map(seconds), ['0.25 ms', '12.5 ms', '1.5 s', '60 s']);
  assert.deepEqual([0, 59, 60, 3600, 90_061, 8_640_000].map(span), [
    '0 s',
    '59 s',
    '1 min 0 s',
    '1 h 0 min',
    '1 d 1 h',
    '100 d 0 h',
  ]);
  assert.deepEqual(
    [amount(null), number(null), bytes(null), seconds(null), per(null, bytes)],
    Array(5).fill('–'),
  );
  assert.equal(per(1500, bytes), '1.5 kB/s');
});

const figures = Object.fromEntries(FIGURES.map((name) => [name, 1])) as unknown as Figures;
const snapshot: Snapshot = {
  at: 1_764_000_000,
  gateway: {
    node: 'megaphone@h',
    state: 'in_service',
    status: 'ok',
    uptime_seconds: 61,
    certificate_ends: {},
  },
  figures: { ...figures, latency_p50: null },
  nodes: [
    {
      node: 'a@h',
      in_service: false,
      reason: 'not connected',
      mend: 'start it',
      state: 'in_service',
      weight: 100,
      seed: true,
      leaving: false,
      takes_sessions: false,
      sessions: 1_000_000,
      sessions_started: 5,
      requests_on_the_way: 0,
      requests_waiting: 2,
      link: {
        wanted: 2,
        up: 1,
        opened: 1,
        bytes_in: 1,
        bytes_out: 2,
        messages_in: 3,
        messages_out: 4,
        queued_bytes: 5,
        tls: 'TLSv1.3',
      },
      credit: 1024,
      exhausted: 0,
      delay_p50: null,
      delay_p99: null,
    },
  ],
  workers: [
    {
      name: 'megaphone@h',
      pid: 7,
      up: true,
      restarts: 0,
      cpu: 0.5,
      memory_bytes: 1e8,
      event_loop_delay: 0.001,
    },
  ],
  refused: { busy: 0, overload: 12 },
  warnings: [
    { at: 1_764_000_000, level: 'warn', text: 'first' },
    { at: 1_764_000_001, level: 'error', text: 'last \x1b]0;owned\x07\n\u202e', code: 'NODE_BUSY' },
  ],
};

test('what is wrong stands there with what mends it, warnings with the last one first', () => {
  const text = screenOf(snapshot, undefined).join('\n');
  assert.match(text, /^megaphone@h {2}in service, ok, up 1 min 1 s /);
  assert.match(text, /\na@h +out of service +1\/2 +TLSv1\.3 +1,000,000 /);
  assert.match(text, /\n {2}a@h: not connected\n {4}→ start it\n/);
  assert.match(text, /\nmegaphone@h +7 +up +50 % +100 MB +1 ms\n/);
  assert.match(text, /\nrefused so far: overload 12\n/);
  assert.match(text, /error last .*\[NODE_BUSY\]\n.* warn first$/);
});

test('comet is there where it is on: its pages, and which routers take logins', () => {
  assert.doesNotMatch(screenOf(snapshot, undefined).join('\n'), /comet|ROUTER/);
  const comet = {
    listeners: { sse: 1000, poll: 2 },
    counts: { gaps: 3, slow_readers: 4 },
    ring: { messages: 0, bytes: 0 },
    routers: [{ node: 'r@h', state: 'asked', wanted: 2, welcome: 1 }],
  } as const;
  const figures = { ...snapshot.figures, comet_pages: 1002, comet_deliveries: 2e6 };
  const text = screenOf({ ...snapshot, figures, comet }, undefined).join('\n');
  assert.match(text, /\ncomet +pages 1,002 \(sse 1,000, poll 2\) {3}ids 1\n/);
  assert.match(text, / deliveries 2,000,000\/s .* gaps 3, slow readers 4\n/);
  assert.match(text, /\nr@h +asked +1\/2\n/);
});

test('nothing that others wrote moves the cursor', () => {
  const lines = screenOf(snapshot, undefined);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u202e]/);
});

test('a small screen gets what fits', () => {
  const lines = screenOf(snapshot, { columns: 20, rows: 5 });
  assert.equal(lines.length, 5);
  assert.ok(lines.every((line) => [...line].length <= 20));
});
