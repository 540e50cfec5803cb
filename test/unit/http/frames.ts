/** Frames as a client sends them, and those that it gets. */

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const KEY = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/** @param first the first byte's other bits: 0x80 where it is the last of its message */
export function frame(opcode: number, payload: Buffer | string = '', first = 0x80): Buffer {
  const bytes = Buffer.from(payload);
  const masked = bytes.map((byte, at) => byte ^ (KEY[at % 4] ?? 0));
  return Buffer.concat([Buffer.of(first | opcode), lengthOf(bytes.length), KEY, masked]);
}

function lengthOf(length: number): Buffer {
  if (length < 126) return Buffer.of(0x80 | length);
  const bytes = Buffer.alloc(length < 0x10000 ? 3 : 9);
  bytes[0] = 0x80 | (length < 0x10000 ? 126 : 127);
  bytes.writeUIntBE(length, bytes.length === 3 ? 1 : 3, bytes.length === 3 ? 2 : 6);
  return bytes;
}

export const text = (message: string): Buffer => frame(TEXT, message);
export const ping = (payload = ''): Buffer => frame(PING, payload);
export function close(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(CLOSE, payload);
}

export interface Got {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The whole frames in what a server wrote. */
export function framesIn(bytes: Buffer): Got[] {
  const frames: Got[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUIntBE(at + 4, 6);
    const end = at + head + length;
    if (end > bytes.length) break;
    frames.push({ opcode: (bytes[at] ?? 0) & 0x0f, payload: bytes.subarray(at + head, end) });
    at = end;
  }
  return frames;
}

/** A client's request; `more` are further header lines. */
export const upgradeOf = (path = '/ws', ...more: string[]): string =>
  [
    `GET ${path} HTTP/1.1`,
    'Host: chat.example',
    'Connection: keep-alive, Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: xmpp',
    ...more,
    '',
    '',
  ].join('\r\n');
