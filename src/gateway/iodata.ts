/** Erlang's iodata: a binary, or a list of bytes, binaries and such lists, whose tail may be a binary. */

import { ImproperList, type Term } from '../etf/terms.js';

/** The bytes of `term`, or `undefined` where it is no iodata. A lone binary is not copied. */
export function iodataToBuffer(term: Term): Buffer | undefined {
  if (term instanceof Uint8Array) return asBuffer(term);
  if (!isList(term)) return undefined;
  const bytes = new ByteCollector();
  // A stack of its own instead of recursion: how deep a list nests is the sender's choice.
  const rest: Term[] = [term];
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item === 'number') {
      if (!Number.isInteger(item) || item < 0 || item > 255) return undefined;
      bytes.addByte(item);
    } else if (item instanceof Uint8Array) {
      bytes.addChunk(item);
    } else if (item instanceof ImproperList) {
      if (!(item.tail instanceof Uint8Array)) return undefined;
      rest.push(item.tail);
      pushReversed(rest, item.items);
    } else if (isList(item)) {
      pushReversed(rest, item);
    } else {
      return undefined;
    }
  }
  return bytes.toBuffer();
}

function isList(term: Term): term is readonly Term[] | ImproperList {
  return Array.isArray(term) || term instanceof ImproperList;
}

function pushReversed(stack: Term[], items: readonly Term[]): void {
  for (let i = items.length - 1; i >= 0; i -= 1) stack.push(items[i] as Term);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Runs of single bytes become one chunk, so that a long string costs no object per character. */
class ByteCollector {
  readonly #chunks: Uint8Array[] = [];
  #bytes: number[] = [];

  addByte(byte: number): void {
    this.#bytes.push(byte);
  }

  addChunk(chunk: Uint8Array): void {
    this.#flush();
    this.#chunks.push(chunk);
  }

  toBuffer(): Buffer {
    this.#flush();
    return Buffer.concat(this.#chunks);
  }

  #flush(): void {
    if (this.#bytes.length === 0) return;
    this.#chunks.push(Uint8Array.from(this.#bytes));
    this.#bytes = [];
  }
}
