/** Every phase of a reader of frames and every event, as the table in the header of src/websocket/reader.ts has them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE, CONTINUATION, PING, PONG, TEXT } from '../../../src/websocket/opcodes.js';
import { headerTable, NEVER } from '../../support/header-table.js';
import { clientFrame } from '../../support/websocket-frames.js';
import { Heard } from './heard.js';

const NONE = Buffer.alloc(0);
const BEGINNING = clientFrame({ opcode: TEXT, fin: false, payload: 'begin ' });

interface Event {
  /** What is sent to a reader in the phase; `isWithin`: a message has begun. Several ways of the same event. */
  readonly bytes: (isWithin: boolean) => Buffer[];
  /** What is heard, without what a message began with. */
  readonly heard?: RegExp;
}

const opcodeOf = (isWithin: boolean): number => (isWithin ? CONTINUATION : TEXT);
const CONTROLS = [
  clientFrame({ opcode: PING }),
  clientFrame({ opcode: PING, payload: 'x'.repeat(125) }),
  clientFrame({ opcode: PONG, payload: 'z' }),
];

const EVENTS: Readonly<Record<string, Event>> = {
  'part of head': {
    bytes: (isWithin) => [
      ...[1, 2, 5].map((end) => clientFrame({ opcode: opcodeOf(isWithin), payload: 'abc' }).subarray(0, end)),
      ...[3, 4, 7].map((end) =>
        clientFrame({ opcode: opcodeOf(isWithin), payload: 'x'.repeat(200) }).subarray(0, end),
      ),
      ...[1, 6, 8].map((end) => clientFrame({ opcode: PING, payload: 'abc' }).subarray(0, end)),
      clientFrame({ opcode: CLOSE, payload: '\x03\xe8' }).subarray(0, 7),
    ],
  },
  'part of text': {
    bytes: (isWithin) =>
      [6, 7, 8].flatMap((end) =>
        [true, false].map((fin) =>
          clientFrame({ opcode: opcodeOf(isWithin), payload: 'abc', fin }).subarray(0, end),
        ),
      ),
  },
  'text, more follows': {
    bytes: (isWithin) =>
      ['', 'abc', 'x'.repeat(300)].map((payload) =>
        clientFrame({ opcode: opcodeOf(isWithin), fin: false, payload }),
      ),
  },
  'text, the last': {
    bytes: (isWithin) =>
      ['', 'abc', 'x'.repeat(300)].map((payload) => clientFrame({ opcode: opcodeOf(isWithin), payload })),
    heard: /^text (begin )?(|abc|x{300})$/,
  },
  control: { bytes: () => CONTROLS, heard: /^(ping (|x{125})|pong z)$/ },
  fault: {
    bytes: (isWithin) => [
      clientFrame({ opcode: opcodeOf(!isWithin), payload: 'abc' }),
      clientFrame({ opcode: opcodeOf(isWithin), payload: '\xff', rsv: 1 }),
      clientFrame({ opcode: opcodeOf(isWithin), payload: Buffer.from([0x61, 0xff]) }),
      clientFrame({ opcode: opcodeOf(isWithin), announced: 1001n }),
      clientFrame({ opcode: 11 }),
      clientFrame({ opcode: PING, fin: false }),
    ],
    heard: /^failed 100[279] /,
  },
};

/** What brings a reader into a phase, and what is left of the event's bytes then. */
const PHASES: Readonly<Record<string, (bytes: Buffer) => readonly [before: Buffer, then: Buffer]>> = {
  idle: (bytes) => [NONE, bytes],
  head: (bytes) => [bytes.subarray(0, 1), bytes.subarray(1)],
  'head, between': (bytes) => [Buffer.concat([BEGINNING, bytes.subarray(0, 1)]), bytes.subarray(1)],
  payload: (bytes) => [bytes.subarray(0, 7), bytes.subarray(7)],
  between: (bytes) => [BEGINNING, bytes],
};
const isWithin = (phase: string): boolean => phase.endsWith('between');

const phaseOf = ({ incomplete }: Heard): string => {
  if (incomplete === undefined) return 'idle';
  return incomplete.phase === 'head' && incomplete.message !== undefined ? 'head, between' : incomplete.phase;
};

const { columns, rows } = headerTable('src/websocket/reader.ts', 'in phase');

test('the table knows every event and every phase', () => {
  assert.deepEqual(columns, Object.keys(EVENTS));
  assert.deepEqual(
    rows.map(([phase]) => phase),
    Object.keys(PHASES),
  );
});

for (const [phase, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const name = columns[index] ?? '';
    const event = EVENTS[name];
    const enter = PHASES[phase];
    assert.ok(event !== undefined && enter !== undefined);
    if (cell === NEVER) continue;
    test(`${phase}: ${name}`, () => {
      let count = 0;
      for (const bytes of event.bytes(isWithin(phase))) {
        const [before, then] = enter(bytes);
        const heard = new Heard(1000);
        heard.read(before);
        // Too short for that phase, or it ended before.
        if (then.length === 0 || phaseOf(heard) !== phase) continue;
        count += 1;
        assert.deepEqual(heard.lines, []);
        assert.equal(heard.read(then), then.length);
        const [next, told] = cell.split('+');
        assert.equal(phaseOf(heard), next);
        assert.equal(heard.lines.length, told === undefined ? 0 : 1);
        if (told !== undefined) assert.match(heard.lines[0] ?? '', event.heard ?? /^/);
      }
      assert.ok(count > 0, 'nothing was sent');
    });
  }
}
