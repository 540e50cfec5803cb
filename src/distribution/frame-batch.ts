/**
 * Gathers outgoing frames, so that all that is sent in one turn of the event loop takes one write.
 * Small frames are copied into a slab, with no allocation of their own; a large payload stays where it is.
 */

const SLAB = 64 * 1024;
/** Beyond this a write of its own is cheaper than a copy. */
const COPY_LIMIT = 16 * 1024;
/** Every frame behind the handshake starts with it: control messages are not behind a distribution header. */
const PASS_THROUGH = 112;

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
   * @param control a control message with its 131
   * @param payload a term with its 131; not to be changed until it is written
   */
  append(control: Uint8Array, payload: Uint8Array = EMPTY): void {
    const copied = payload.length <= COPY_LIMIT;
    this.#reserve(5 + control.length + (copied ? payload.length : 0));
    this.#end = this.#slab.writeUInt32BE(1 + control.length + payload.length, this.#end);
    this.#slab[this.#end++] = PASS_THROUGH;
    this.#copy(control);
    if (copied) {
      this.#copy(payload);
    } else {
      this.#cut();
      this.#pieces.push(payload);
    }
    this.#bytes += 5 + control.length + payload.length;
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

  #copy(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
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

const EMPTY = Buffer.alloc(0);
