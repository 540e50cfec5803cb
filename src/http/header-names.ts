/** Headers that matter, found by length and first letter: most others differ in one of these, and cost no string. */

import { COMET_PATH, isUnder } from './target.js';

const CLIENT = [
  'host',
  'origin',
  'expect',
  'upgrade',
  'connection',
  'user-agent',
  'content-length',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'x-forwarded-for',
  'x-forwarded-proto',
  'transfer-encoding',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
] as const;

/** Of a request that listens to comet. */
const COMET = [...CLIENT, 'accept', 'authorization', 'cookie', 'last-event-id', 'sec-fetch-site'] as const;

const ADMIN = [
  'host',
  'origin',
  'expect',
  'content-length',
  'transfer-encoding',
  'authorization',
  'if-none-match',
  'sec-fetch-site',
] as const;

export type HeaderName = (typeof COMET)[number] | (typeof ADMIN)[number];
export type HeaderIndex = ReadonlyMap<number, readonly HeaderName[]>;

export const keyOf = (length: number, firstByte: number): number => length * 256 + (firstByte | 0x20);

function indexOf(headers: readonly HeaderName[]): HeaderIndex {
  const keyOfName = (name: HeaderName): number => keyOf(name.length, name.charCodeAt(0));
  return new Map(
    headers.map((name) => [keyOfName(name), headers.filter((other) => keyOfName(other) === keyOfName(name))]),
  );
}

const CLIENT_HEADERS = indexOf(CLIENT);
const COMET_HEADERS = indexOf(COMET);
const ADMIN_HEADERS = indexOf(ADMIN);

/** Which headers of a request with that target matter: of web clients. */
export const ofClient = (target: string): HeaderIndex =>
  isUnder(target, COMET_PATH) ? COMET_HEADERS : CLIENT_HEADERS;
/** Of operators. */
export const ofOperator = (): HeaderIndex => ADMIN_HEADERS;
