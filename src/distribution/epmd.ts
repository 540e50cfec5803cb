/**
 * The messages of EPMD, the Erlang port mapper daemon. Requests carry a 16-bit length, answers do not.
 * Erlang Distribution Protocol, "EPMD Protocol".
 */

import { MegaphoneError } from '../errors.js';

const ALIVE2_REQ = 120;
const ALIVE2_RESP = 121;
const ALIVE2_X_RESP = 118;
const PORT2_REQ = 122;
const PORT2_RESP = 119;
const NAMES_REQ = 110;

const HIDDEN_NODE = 72;
const TCP_IPV4 = 0;
/** Version 6 is all that OTP 25 and newer speak. */
const DISTRIBUTION_VERSION = 6;

export const DEFAULT_EPMD_PORT = 4369;

/** ALIVE2_REQ: "node `alive` listens on `port`", true for as long as the connection stays open. */
export function encodeRegister(alive: string, port: number): Buffer {
  const name = Buffer.from(alive, 'utf8');
  const body = Buffer.alloc(13 + name.length);
  body.writeUInt8(ALIVE2_REQ, 0);
  body.writeUInt16BE(port, 1);
  body.writeUInt8(HIDDEN_NODE, 3);
  body.writeUInt8(TCP_IPV4, 4);
  body.writeUInt16BE(DISTRIBUTION_VERSION, 5);
  body.writeUInt16BE(DISTRIBUTION_VERSION, 7);
  body.writeUInt16BE(name.length, 9);
  name.copy(body, 11);
  return request(body);
}

/** The answer to a registration, `undefined` while bytes are missing. `creation` is meaningless unless `ok`. */
export function decodeRegistered(bytes: Buffer): { ok: boolean; creation: number } | undefined {
  if (bytes.length < 2) return undefined;
  const ok = bytes.readUInt8(1) === 0;
  switch (bytes.readUInt8(0)) {
    case ALIVE2_X_RESP:
      return bytes.length < 6 ? undefined : { ok, creation: bytes.readUInt32BE(2) };
    case ALIVE2_RESP:
      return bytes.length < 4 ? undefined : { ok, creation: bytes.readUInt16BE(2) };
    default:
      throw unexpected(bytes);
  }
}

/** PORT_PLEASE2_REQ: "where does node `alive` listen?" */
export function encodeLookup(alive: string): Buffer {
  return request(Buffer.from(`${String.fromCharCode(PORT2_REQ)}${alive}`, 'utf8'));
}

/** The port of a looked-up node, `null` when EPMD does not know it, `undefined` while bytes are missing. */
export function decodeLookup(bytes: Buffer): number | null | undefined {
  if (bytes.length < 2) return undefined;
  if (bytes.readUInt8(0) !== PORT2_RESP) throw unexpected(bytes);
  if (bytes.readUInt8(1) !== 0) return null;
  return bytes.length < 4 ? undefined : bytes.readUInt16BE(2);
}

/** NAMES_REQ: "whom do you know?"; the answer ends when EPMD closes the connection. */
export function encodeNames(): Buffer {
  return request(Buffer.of(NAMES_REQ));
}

export interface RegisteredName {
  readonly alive: string;
  readonly port: number;
}

/** The whole answer to a names request: `epmd_port:32`, then a line of text for every node. */
export function decodeNames(bytes: Buffer): readonly RegisteredName[] {
  if (bytes.length < 4) throw unexpected(bytes);
  return [...bytes.toString('utf8', 4).matchAll(/^name (\S+) at port (\d+)$/gm)].map(([, alive, port]) => ({
    alive: alive as string,
    port: Number(port),
  }));
}

function request(body: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([length, body]);
}

function unexpected(bytes: Buffer): MegaphoneError {
  return new MegaphoneError(
    'EPMD_PROTOCOL',
    `What answers on the EPMD port is no EPMD: it sent ${bytes.subarray(0, 8).toString('hex') || 'nothing'}`,
    { hint: 'Check the EPMD port (4369 unless ERL_EPMD_PORT says otherwise).' },
  );
}
