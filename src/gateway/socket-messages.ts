/**
 * What may be sent to the ConnId of a WebSocket, or to the name `megaphone`:
 *
 *   {ConnId, session, Pid}                                  the upgrade is granted, and Pid gets the frames
 *   {ConnId, frame, Body}      {ConnId, frame, Body, N}     one text frame, and `{ConnId, read, N}` is asked for
 *   {ConnId, taken, Count}                                  so many frames of the client were taken
 *   {ConnId, close, Code, Reason}                           the last, a Close frame
 *   {ConnId, Status, Body}     {ConnId, Status, Headers, Body}    instead of `session`: an answer of HTTP
 *
 * By hand from a shell, to the ConnId itself, also without the ConnId in front; a frame as a mere `Body` or `{ConnId, Body}`,
 * and an end as `close`, `{close, Code}` or `{ConnId, close}`, which mean 1000 and no reason.
 *
 * Body and Reason are iodata, N and Count integers from 1 on, N up to what a Ping can carry, Code what a Close frame may
 * carry (RFC 6455 §7.4).
 */

import { isUtf8 } from 'node:buffer';
import { Atom, Pid, type Term, Tuple } from '../etf/terms.js';
import { isValidCode, NORMAL } from '../websocket/close-codes.js';
import { MAX_NUMBER } from '../websocket/writer.js';
import { type Answer, readAnswer } from './answers.js';
import { iodataToBuffer } from './iodata.js';

export type SocketMessage =
  | { readonly kind: 'session'; readonly pid: Pid }
  /** @property number 0 for none */
  | { readonly kind: 'frame'; readonly text: Buffer; readonly number: number }
  | { readonly kind: 'taken'; readonly count: number }
  | { readonly kind: 'close'; readonly code: number; readonly reason: Buffer }
  | { readonly kind: 'answer'; readonly answer: Answer };

/** What a control frame has room for behind the code. */
const MAX_REASON = 123;
const NO_REASON = Buffer.alloc(0);

/** `undefined` for a term that is none of the forms above. */
export function readSocketMessage(term: Term): SocketMessage | undefined {
  const elements = term instanceof Tuple ? term.elements : [term];
  const [word, ...rest] = elements[0] instanceof Pid ? elements.slice(1) : elements;
  if (word instanceof Atom) return readWord(word.name, rest);
  if (typeof word !== 'number') return rest.length === 0 ? frame(word, 0) : undefined;
  const answer = readAnswer(term);
  return answer && { kind: 'answer', answer };
}

function readWord(word: string, rest: readonly Term[]): SocketMessage | undefined {
  const [first, second] = rest;
  if (word === 'frame' && rest.length === 1) return frame(first, 0);
  if (word === 'frame' && rest.length === 2 && isCount(second) && second <= MAX_NUMBER)
    return frame(first, second);
  if (word === 'taken' && rest.length === 1 && isCount(first)) return { kind: 'taken', count: first };
  if (word === 'session' && rest.length === 1 && first instanceof Pid) return { kind: 'session', pid: first };
  if (word === 'close' && rest.length <= 2) return close(first ?? NORMAL, second ?? NO_REASON);
  return undefined;
}

function frame(body: Term | undefined, number: number): SocketMessage | undefined {
  const text = body === undefined ? undefined : iodataToBuffer(body);
  return text && { kind: 'frame', text, number };
}

/** A reason that cannot be sent is left out: the end counts. */
function close(code: Term, reason: Term): SocketMessage | undefined {
  if (typeof code !== 'number' || !isValidCode(code)) return undefined;
  const bytes = iodataToBuffer(reason);
  if (bytes === undefined) return undefined;
  const fits = bytes.length <= MAX_REASON && isUtf8(bytes);
  return { kind: 'close', code, reason: fits ? bytes : NO_REASON };
}

const isCount = (term: Term | undefined): term is number =>
  Number.isSafeInteger(term) && (term as number) > 0;
