/** The frames of a client's WebSocket (RFC 6455 §5): its own, masked, and those of the server. All text is ASCII, or is left undecoded. */

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const CONTINUATION = 0;

const FIN = 0x80;
const MASK = 0x80;
const OPCODE = 0x0f;

/** One whole frame. @param payload latin1 */
export function maskedFrame(opcode: number, payload: string): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new Error('a frame of more than 65,535 bytes');
  const start = length < 126 ? 6 : 8;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = FIN | opcode;
  if (length < 126) {
    frame[1] = MASK | length;
  } else {
    frame[1] = MASK | 126;
    frame.writeUInt16BE(length, 2);
  }
  frame.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), start - 4);
  for (let index = 0; index < length; index += 1) {
    frame[start + index] = payload.charCodeAt(index) ^ (frame[start - 4 + (index & 3)] as number);
  }
  return frame;
}

export interface FrameSink {
  /** A whole message, latin1. */
  text(message: string): void;
  control(opcode: number, payload: string): void;
}

export class FrameReader {
  /** The beginning of a frame of which more is to come. */
  #rest: Buffer | undefined;
  /** What came of a message in fragments. */
  #text = '';

  /**
   * @param bytes are not kept
   * @throws Error where they are no frames of a server
   */
  push(bytes: Buffer, sink: FrameSink): void {
    const data = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (let next = this.#frame(data, at, sink); next !== undefined; next = this.#frame(data, at, sink)) {
      at = next;
    }
    this.#rest = at === data.length ? undefined : Buffer.from(data.subarray(at));
  }

  /** Where the frame that begins at `at` ends; `undefined` where it is not whole. */
  #frame(data: Buffer, at: number, sink: FrameSink): number | undefined {
    if (data.length < at + 2) return undefined;
    const first = data[at] as number;
    const second = data[at + 1] as number;
    if ((second & MASK) !== 0) throw new Error('the server sent a masked frame');
    const start = at + (second < 126 ? 2 : second === 126 ? 4 : 10);
    if (data.length < start) return undefined;
    const length =
      second < 126
        ? second
        : second === 126
          ? data.readUInt16BE(at + 2)
          : Number(data.readBigUInt64BE(at + 2));
    const end = start + length;
    if (data.length < end) return undefined;
    const payload = data.toString('latin1', start, end);
    const opcode = first & OPCODE;
    if (opcode >= CLOSE) {
      sink.control(opcode, payload);
    } else if (opcode !== TEXT && opcode !== CONTINUATION) {
      throw new Error(`the server sent a frame with opcode ${opcode}`);
    } else if ((first & FIN) === 0) {
      this.#text += payload;
    } else if (this.#text === '') {
      sink.text(payload);
    } else {
      const whole = this.#text + payload;
      this.#text = '';
      sink.text(whole);
    }
    return end;
  }
}
