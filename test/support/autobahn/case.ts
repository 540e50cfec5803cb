/**
 * A case of the Autobahn test suite for WebSocket servers (https://github.com/crossbario/autobahn-testsuite), told as what
 * is sent and what may come back. The server is one that echoes.
 */

import { createHash } from 'node:crypto';
import { CONTINUATION } from '../../../src/websocket/opcodes.js';
import { clientFrame, type Sent } from '../websocket-frames.js';

export interface Part {
  /** Frames, or bytes of frames. */
  readonly send: readonly (Sent | Buffer)[];
  /** What is waited for behind it: so many texts and Pongs since the beginning, or the end. */
  readonly until: number | 'end';
}

export interface AutobahnCase {
  /** As in the suite. */
  readonly id: string;
  readonly what: string;
  readonly parts: readonly Part[];
  /** So many bytes are written at once, where the suite does so. */
  readonly chop?: number;
  /** What may come back: the suite calls the first strict, and lets the others pass. `after`: parts that were sent by then. */
  readonly accepted: readonly Outcome[];
}

export interface Outcome {
  /** Texts and Pongs, and then the end: `close CODE`, `close`, or `cut` where no Close frame came; or `silence`. */
  readonly lines: readonly string[];
  /** Of how many parts it ended, where it is of interest. */
  readonly after?: number;
}

export type Verdict = 'strict' | 'lenient' | 'failed';

export function judge({ accepted }: AutobahnCase, outcome: Outcome): Verdict {
  const index = accepted.findIndex(
    ({ lines, after }) =>
      lines.join('\n') === outcome.lines.join('\n') && (after === undefined || after === outcome.after),
  );
  return index < 0 ? 'failed' : index === 0 ? 'strict' : 'lenient';
}

/** How what comes back is written down. */
export function tell(kind: string, payload: Buffer): string {
  const { length } = payload;
  if (length > 100) return `${kind} of ${length} bytes, ${createHash('sha1').update(payload).digest('hex')}`;
  const text = payload.toString('latin1');
  return /^[ -~]*$/.test(text) ? `${kind} ${text}` : `${kind} 0x${payload.toString('hex')}`;
}

export const bytesOf = ({ send }: Part): Buffer =>
  Buffer.concat(send.map((sent) => (Buffer.isBuffer(sent) ? sent : clientFrame(sent))));

/** A frame, or one of several. */
export const frame = (opcode: number, payload: Buffer | string = '', more: Partial<Sent> = {}): Sent => ({
  opcode,
  payload,
  ...more,
});

/** Bytes, as Latin-1. */
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A message cut into fragments of so many bytes. */
export function fragments(opcode: number, payload: Buffer, size: number): Sent[] {
  const count = Math.max(1, Math.ceil(payload.length / size));
  return Array.from({ length: count }, (_, index) =>
    frame(index === 0 ? opcode : CONTINUATION, payload.subarray(index * size, (index + 1) * size), {
      fin: index === count - 1,
    }),
  );
}

/** All is well: so many answers come, and the client closes. */
export const answered = (...answers: string[]): Pick<AutobahnCase, 'accepted'> => ({
  accepted: [{ lines: [...answers, 'close 1000'] }],
});

/** The server fails the connection, best with this code; it may just cut it, and swallow what it had to answer before. */
export function failed(code: number, ...answers: string[]): Pick<AutobahnCase, 'accepted'> {
  const ends = [`close ${code}`, 'close', 'cut'];
  const heard = ends.map((end) => ({ lines: [...answers, end] }));
  return { accepted: answers.length === 0 ? heard : [...heard, ...ends.map((end) => ({ lines: [end] }))] };
}

/** The frames, one part, and what comes of them. */
export function answeredCase(
  id: string,
  what: string,
  send: readonly Sent[],
  ...answers: string[]
): AutobahnCase {
  return { id, what, parts: [{ send, until: answers.length }], ...answered(...answers) };
}

export function failedCase(
  id: string,
  what: string,
  send: readonly Sent[],
  code: number,
  ...answers: string[]
): AutobahnCase {
  return { id, what, parts: [{ send, until: 'end' }], ...failed(code, ...answers) };
}
