/** What a client of WebSockets sends, right or wrong: bytes made of frames, masked with a key that is told or always the same. */

export interface Sent {
  readonly opcode: number;
  readonly payload?: Buffer | string;
  readonly fin?: boolean;
  /** Reserved bits, 1 to 7. */
  readonly rsv?: number;
  /** `undefined`: not masked. */
  readonly key?: number | undefined;
  /** The length as it is announced, where it differs from that of the payload. */
  readonly announced?: bigint;
  /** Bytes of the length: 1, 3 or 9, where they are not the fewest. */
  readonly lengthBytes?: 1 | 3 | 9;
}

export const KEY = 0x37fa213d;

export function clientFrame(sent: Sent): Buffer {
  const { opcode, fin = true, rsv = 0 } = sent;
  const key = 'key' in sent ? sent.key : KEY;
  const payload = Buffer.from(sent.payload ?? '');
  const length = sent.announced ?? BigInt(payload.length);
  const lengthBytes = sent.lengthBytes ?? (length < 126n ? 1 : length < 0x10000n ? 3 : 9);
  const head = Buffer.alloc(1 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] =
    (key === undefined ? 0 : 0x80) | (lengthBytes === 1 ? Number(length) : lengthBytes === 3 ? 126 : 127);
  if (lengthBytes === 3) head.writeUInt16BE(Number(length), 2);
  if (lengthBytes === 9) head.writeBigUInt64BE(length, 2);
  if (key === undefined) return Buffer.concat([head, payload]);
  const mask = Buffer.alloc(4);
  mask.writeInt32BE(key | 0);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0))]);
}
