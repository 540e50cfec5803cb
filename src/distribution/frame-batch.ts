/**
 * Gathers outgoing frames, so that all that is sent in one turn of the event loop takes one write.
 * Small frames are copied into a slab, with no allocation of their own; a large payload stays where it is.
 */

const SLAB = 64 * 1024;
/** Beyond this a write of its own is cheaper than a copy. */
const COPY_LIMIT = 16 * 1024;
/** Every frame behind the handshake starts with it: control messages are not behind a distribution header. */
const PASS_THROUGH = 112;

const EMPTY = Buffer.alloc(0);

export class FrameBatch {
  readonly #pieces: Uint8Array[] = [];
  #slab = EMPTY;
  /** The slab's bytes before `#start` were taken, those before `#end` are written. */
  #start = 0;
  #end = 0;
  #bytes = 0;

  /** Bytes gathered and not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param control a control message with its 131; behind it, in up to three pieces, a term with its 131. A piece of
   *   more than 16 KiB must not be changed until it is written; the others are copied.
   */
  append(
    control: Uint8Array,
    head: Uint8Array = EMPTY,
    body: Uint8Array = EMPTY,
    tail: Uint8Array = EMPTY,
  ): void {
    const length = 1 + control.length + head.length + body.length + tail.length;
    this.#reserve(5 + control.length);
    this.#end = this.#slab.writeUInt32BE(length, this.#end);
    this.#slab[this.#end++] = PASS_THROUGH;
    this.#slab.set(control, this.#end);
    this.#end += control.length;
    this.#append(head);
    this.#append(body);
    this.#append(tail);
    this.#bytes += 4 + length;
  }

  /** An empty frame. */
  appendTick(): void {
    this.#reserve(4);
    this.#end = this.#slab.writeUInt32BE(0, this.#end);
    this.#bytes += 4;
  }

  /** All that was gathered, in order, as few pieces. The batch is empty then. */
  take(): Uint8Array[] {
    this.#cut();
    this.#bytes = 0;
    return this.#pieces.splice(0);
  }

  /** To be called where all that was taken is written: the slab is used again from its beginning. */
  rewind(): void {
    if (this.#bytes > 0) return;
    this.#start = 0;
    this.#end = 0;
  }

  #append(piece: Uint8Array): void {
    const size = piece.length;
    if (size === 0) return;
    if (size > COPY_LIMIT) {
      this.#cut();
      this.#pieces.push(piece);
      return;
    }
    this.#reserve(size);
    this.#slab.set(piece, this.#end);
    this.#end += size;
  }

  /** Bytes that were cut off are the socket's: the slab is only ever written behind them. */
  #cut(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#slab.length) return;
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB, size));
    this.#start = 0;
    this.#end = 0;
  }
}
