/**
 * The five messages of the distribution handshake, without their length fields.
 * Erlang Distribution Protocol, "Distribution Handshake", version 6. Trailing bytes are ignored, as the guide demands.
 */

import { MegaphoneError } from '../errors.js';

/** Longest handshake message accepted: 19 bytes around a name of 255 characters, and room for extensions. */
export const MAX_HANDSHAKE_MESSAGE = 2048;

export interface Identity {
  /** Full node name. */
  readonly name: string;
  readonly creation: number;
  readonly flags: bigint;
}

const NAME = 0x4e; // 'N'
const OLD_NAME = 0x6e; // 'n'
const STATUS = 0x73; // 's'
const REPLY = 0x72; // 'r'
const ACK = 0x61; // 'a'

/** 'N' flags:64 creation:32 nlen:16 name */
export function encodeName({ name, creation, flags }: Identity): Buffer {
  const message = Buffer.alloc(15 + Buffer.byteLength(name));
  message.writeUInt8(NAME, 0);
  message.writeBigUInt64BE(flags, 1);
  message.writeUInt32BE(creation, 9);
  message.writeUInt16BE(message.length - 15, 13);
  message.write(name, 15);
  return message;
}

export function decodeName(message: Buffer): Identity {
  if (message[0] === OLD_NAME) {
    throw new MegaphoneError('HANDSHAKE_VERSION', 'The peer opens with the handshake of OTP 24 and older', {
      hint: 'Run the peer on OTP 25 or newer.',
    });
  }
  expect(message, NAME, 15, 'name');
  return {
    flags: message.readBigUInt64BE(1),
    creation: message.readUInt32BE(9),
    name: nameAt(message, 13),
  };
}

/** 's' status */
export function encodeStatus(status: string): Buffer {
  return Buffer.from(`s${status}`, 'latin1');
}

export function decodeStatus(message: Buffer): string {
  expect(message, STATUS, 2, 'status');
  return message.toString('latin1', 1);
}

/** 'N' flags:64 challenge:32 creation:32 nlen:16 name */
export function encodeChallenge({ name, creation, flags }: Identity, challenge: number): Buffer {
  const message = Buffer.alloc(19 + Buffer.byteLength(name));
  message.writeUInt8(NAME, 0);
  message.writeBigUInt64BE(flags, 1);
  message.writeUInt32BE(challenge, 9);
  message.writeUInt32BE(creation, 13);
  message.writeUInt16BE(message.length - 19, 17);
  message.write(name, 19);
  return message;
}

export function decodeChallenge(message: Buffer): { peer: Identity; challenge: number } {
  expect(message, NAME, 19, 'challenge');
  return {
    peer: {
      flags: message.readBigUInt64BE(1),
      creation: message.readUInt32BE(13),
      name: nameAt(message, 17),
    },
    challenge: message.readUInt32BE(9),
  };
}

/** 'r' challenge:32 digest:16 */
export function encodeReply(challenge: number, digest: Buffer): Buffer {
  const message = Buffer.alloc(5);
  message.writeUInt8(REPLY, 0);
  message.writeUInt32BE(challenge, 1);
  return Buffer.concat([message, digest]);
}

export function decodeReply(message: Buffer): { challenge: number; digest: Buffer } {
  expect(message, REPLY, 21, 'challenge reply');
  return { challenge: message.readUInt32BE(1), digest: message.subarray(5, 21) };
}

/** 'a' digest:16 */
export function encodeAck(digest: Buffer): Buffer {
  return Buffer.concat([Buffer.of(ACK), digest]);
}

export function decodeAck(message: Buffer): Buffer {
  expect(message, ACK, 17, 'challenge acknowledgement');
  return message.subarray(1, 17);
}

function nameAt(message: Buffer, offset: number): string {
  const start = offset + 2;
  const end = start + message.readUInt16BE(offset);
  if (end > message.length) throw malformed(message, 'node name');
  return message.toString('utf8', start, end);
}

function expect(message: Buffer, tag: number, minimum: number, what: string): void {
  if (message[0] !== tag || message.length < minimum) throw malformed(message, what);
}

function malformed(message: Buffer, what: string): MegaphoneError {
  // No more than the tag and some of the flags: a digest never shows.
  const start = message.subarray(0, 4).toString('hex') || 'nothing';
  return new MegaphoneError(
    'HANDSHAKE_BAD_MESSAGE',
    `Expected a ${what}, got ${message.length} bytes: ${start}…`,
    {
      hint: 'Is the other end an Erlang node, and does it use the same carrier (TCP or TLS)?',
    },
  );
}
