/** Group 7 of the Autobahn test suite: Close frames. */

import { CLOSE, CONTINUATION, PING, TEXT } from '../../../src/websocket/opcodes.js';
import type { Sent } from '../websocket-frames.js';
import { type AutobahnCase, failed, frame, type Outcome, tell } from './case.js';

const HELLO = 'Hello World!';
const LARGE = Buffer.alloc(256 * 1024, 'BAsd7&jh23');
const NO_TEXT = Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex');

export function close(code: number, reason: Buffer | string = ''): Sent {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(CLOSE, Buffer.concat([payload, Buffer.from(reason)]));
}

const NORMAL = close(1000);

const closed = (
  id: string,
  what: string,
  send: readonly Sent[],
  ...accepted: (readonly string[])[]
): AutobahnCase => ({
  id,
  what,
  parts: [{ send, until: 'end' }],
  accepted: accepted.map((lines) => ({ lines })),
});

const refused = (
  id: string,
  what: string,
  send: readonly Sent[],
  accepted: readonly Outcome[],
): AutobahnCase => ({
  id,
  what,
  parts: [{ send, until: 'end' }],
  accepted,
});

const PROTOCOL_ERROR = failed(1002).accepted;
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

export const closingCases: readonly AutobahnCase[] = [
  // The suite waits for the echo before it closes.
  {
    ...closed('7.1.1', 'a text, then Close', [], [`text ${HELLO}`, 'close 1000']),
    parts: [
      { send: [frame(TEXT, HELLO)], until: 1 },
      { send: [NORMAL], until: 'end' },
    ],
  },
  closed('7.1.2', 'two Close frames', [NORMAL, frame(CLOSE)], ['close 1000']),
  closed('7.1.3', 'a Ping behind Close', [NORMAL, frame(PING)], ['close 1000']),
  closed('7.1.4', 'a text behind Close', [NORMAL, frame(TEXT, HELLO)], ['close 1000']),
  closed(
    '7.1.5',
    'Close between two fragments',
    [frame(TEXT, 'fragment1', { fin: false }), NORMAL, frame(CONTINUATION, 'fragment2')],
    ['close 1000'],
  ),
  // How far a server is with its echoes when the Close frame comes is its own affair.
  closed(
    '7.1.6',
    'a text of 256 kB, another one, Close, a Ping',
    [frame(TEXT, LARGE), frame(TEXT, HELLO), NORMAL, frame(PING)],
    [tell('text', LARGE), `text ${HELLO}`, 'close 1000'],
    [tell('text', LARGE), 'close 1000'],
    ['close 1000'],
  ),
  closed('7.3.1', 'an empty Close frame', [frame(CLOSE)], ['close'], ['close 1000']),
  refused('7.3.2', 'half a close code', [frame(CLOSE, 'a')], PROTOCOL_ERROR),
  closed('7.3.3', 'a close code', [NORMAL], ['close 1000']),
  closed('7.3.4', 'a close code and a reason', [close(1000, HELLO)], ['close 1000']),
  closed('7.3.5', 'a reason of 123 bytes', [close(1000, '*'.repeat(123))], ['close 1000']),
  refused('7.3.6', 'a reason of 124 bytes', [close(1000, '*'.repeat(124))], PROTOCOL_ERROR),
  refused(
    '7.5.1',
    'a reason that is not UTF-8',
    [close(1000, NO_TEXT)],
    [...failed(1007).accepted, ...PROTOCOL_ERROR],
  ),
  ...VALID.map((code, index) =>
    closed(`7.7.${index + 1}`, `the close code ${code}`, [close(code)], [`close ${code}`], ['close 1000']),
  ),
  ...INVALID.map((code, index) =>
    refused(`7.9.${index + 1}`, `the invalid close code ${code}`, [close(code)], PROTOCOL_ERROR),
  ),
  ...[5000, 65535].map((code, index) =>
    refused(
      `7.13.${index + 1}`,
      `the undefined close code ${code}`,
      [close(code)],
      [...PROTOCOL_ERROR, { lines: ['close 1000'] }, { lines: [`close ${code}`] }],
    ),
  ),
];
