/** Groups 9 and 10 of the Autobahn test suite: what is large, and what is many. */

import { BINARY, TEXT } from '../../../src/websocket/opcodes.js';
import { type AutobahnCase, answered, answeredCase, fragments, frame, tell } from './case.js';

const MB = 2 ** 20;
const SIZES = [64 * 1024, 256 * 1024, MB, 4 * MB, 8 * MB, 16 * MB];
const FRAGMENTS = [64, 256, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024, MB, 4 * MB];
const CHOPS = [64, 128, 256, 512, 1024, 2048];
const ROUND_TRIPS = [0, 16, 64, 256, 1024, 4096];

/** @param scale all sizes and counts are divided by it */
export function largeCases(scale: number): readonly AutobahnCase[] {
  const kinds = [
    { kind: 'text', opcode: TEXT, filling: 'BAsd7&jh23', byte: '*' },
    { kind: 'binary', opcode: BINARY, filling: Buffer.from('00fe23faf0', 'hex'), byte: Buffer.from([0xfe]) },
  ];
  return kinds.flatMap(({ kind, opcode, filling, byte }, index) => {
    const echo = (id: string, what: string, payload: Buffer, size: number): AutobahnCase =>
      answeredCase(id, `a ${kind} message ${what}`, fragments(opcode, payload, size), tell(kind, payload));
    const sized = SIZES.map((size, at) => {
      const payload = Buffer.alloc(size / scale, filling);
      return echo(`9.${1 + index}.${at + 1}`, `of ${payload.length} bytes`, payload, payload.length);
    });
    const inFragments = FRAGMENTS.map((size, at) => {
      const payload = Buffer.alloc((4 * MB) / scale, byte);
      return echo(
        `9.${3 + index}.${at + 1}`,
        `of ${payload.length} bytes in fragments of ${size}`,
        payload,
        size,
      );
    });
    const chopped = CHOPS.map((chop, at) => {
      const payload = Buffer.alloc(MB / scale, filling);
      const what = `of ${payload.length} bytes, ${chop} at a time`;
      return { ...echo(`9.${5 + index}.${at + 1}`, what, payload, payload.length), chop };
    });
    const roundTrips = ROUND_TRIPS.map((size, at) => {
      const count = Math.ceil(1000 / scale);
      const payload = Buffer.alloc(size, byte);
      return {
        id: `9.${7 + index}.${at + 1}`,
        what: `${count} ${kind} messages of ${size} bytes, one after the other`,
        parts: Array.from({ length: count }, (_, n) => ({ send: [frame(opcode, payload)], until: n + 1 })),
        ...answered(...Array.from({ length: count }, () => tell(kind, payload))),
      };
    });
    return [...sized, ...inFragments, ...chopped, ...roundTrips];
  });
}

const AUTO = Buffer.alloc(65536, '*');

export const fragmentedCase: AutobahnCase = answeredCase(
  '10.1.1',
  'a text of 65536 bytes in fragments of 1300',
  fragments(TEXT, AUTO, 1300),
  tell('text', AUTO),
);
