/**
 * llhttp, the HTTP parser inside Node.js, as the WebAssembly build that undici (Node's own client) ships.
 *
 * Node binds its copy to a socket for as long as that lives, and both to a stream each way; here a parser is some
 * hundred bytes of the module's memory, lent to one request after the other. All its lenient modes stay off. The file is internal
 * to undici, so package.json names one exact version, and test/unit/http/request-parser.test.ts holds it to account.
 */

import { createRequire } from 'node:module';

/** What `execute` tells while it runs. Offsets are those of the bytes it was given. */
export interface LlhttpListener {
  onUrl(start: number, end: number): void;
  onHeaderField(start: number, end: number): void;
  onHeaderValue(start: number, end: number): void;
  onHeadersComplete(shouldKeepAlive: boolean): void;
  onBody(start: number, end: number): void;
  onMessageComplete(): void;
}

/** The results (`llhttp_errno_t`) that are no errors. */
const OK = 0;
const PAUSED = 21;
const PAUSED_UPGRADE = 22;

const TYPE_REQUEST = 1;
/** How many bytes it is given at a time: what node:net reads at most. */
const INPUT_BYTES = 64 * 1024;
/** As many exist as requests are coming in, and so many more. */
const MAX_FREE = 64;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_reset(parser: number): void;
  llhttp_execute(parser: number, at: number, length: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_http_minor(parser: number): number;
}

/** TypeScript has the type of this global in its DOM library only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Buffer) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Who hears about the bytes being read, and how far their addresses lie from their offsets. */
let listener: LlhttpListener | undefined;
let shift = 0;

const wasm = instantiate();
const input = wasm.malloc(INPUT_BYTES);
let memory = new Uint8Array(wasm.memory.buffer);

function instantiate(): Exports {
  const bytes = createRequire(import.meta.url)('undici/lib/llhttp/llhttp-wasm.js') as Buffer;
  const env = {
    wasm_on_message_begin: () => OK,
    wasm_on_status: () => OK,
    wasm_on_url: (_: number, at: number, length: number) => {
      listener?.onUrl(at - shift, at - shift + length);
      return OK;
    },
    wasm_on_header_field: (_: number, at: number, length: number) => {
      listener?.onHeaderField(at - shift, at - shift + length);
      return OK;
    },
    wasm_on_header_value: (_: number, at: number, length: number) => {
      listener?.onHeaderValue(at - shift, at - shift + length);
      return OK;
    },
    wasm_on_headers_complete: (_: number, _status: number, _upgrade: number, shouldKeepAlive: number) => {
      listener?.onHeadersComplete(shouldKeepAlive !== 0);
      return OK;
    },
    wasm_on_body: (_: number, at: number, length: number) => {
      listener?.onBody(at - shift, at - shift + length);
      return OK;
    },
    // What follows belongs to the next request.
    wasm_on_message_complete: () => {
      listener?.onMessageComplete();
      return PAUSED;
    },
  };
  const exports = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports as Exports;
  exports._initialize();
  return exports;
}

const free: Llhttp[] = [];

export class Llhttp {
  readonly #parser = wasm.llhttp_alloc(TYPE_REQUEST);

  /** One that knows of no request: all of its state is `llhttp_t`, which a reset writes anew as a whole. */
  static take(): Llhttp {
    const used = free.pop();
    if (used === undefined) return new Llhttp();
    wasm.llhttp_reset(used.#parser);
    return used;
  }

  /** Gives it back; it must not be used after. */
  release(): void {
    if (free.length < MAX_FREE) free.push(this);
    else wasm.llhttp_free(this.#parser);
  }

  /**
   * Reads `bytes` from `start` on, up to the end of the request or of the bytes.
   * @returns the offset behind what was read; -1 where it is no valid HTTP/1
   */
  execute(bytes: Buffer, start: number, to: LlhttpListener): number {
    // The module's memory grows by being replaced.
    if (memory.length === 0) memory = new Uint8Array(wasm.memory.buffer);
    listener = to;
    try {
      let at = start;
      while (at < bytes.length) {
        const end = Math.min(bytes.length, at + INPUT_BYTES);
        bytes.copy(memory, input, at, end);
        shift = input - at;
        const result = wasm.llhttp_execute(this.#parser, input, end - at);
        if (result === PAUSED || result === PAUSED_UPGRADE) {
          return wasm.llhttp_get_error_pos(this.#parser) - shift;
        }
        if (result !== OK) return -1;
        at = end;
      }
      return at;
    } finally {
      listener = undefined;
    }
  }

  /** Its number in `llhttp_method_t`. */
  get method(): number {
    return wasm.llhttp_get_method(this.#parser);
  }

  /** 11 for HTTP/1.1. */
  get version(): number {
    return wasm.llhttp_get_http_major(this.#parser) * 10 + wasm.llhttp_get_http_minor(this.#parser);
  }
}
