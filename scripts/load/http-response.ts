/**
 * Reads the responses of one HTTP/1.1 connection, one at a time, from text that arrives in any pieces. Bytes are
 * latin1 characters here: lengths are counted in bytes, and a body that is not ASCII stays undecoded.
 */

export interface HttpResponse {
  readonly status: number;
  readonly body: string;
  /** Seconds after which a refused request may be repeated, where the server says so. */
  readonly retryAfter: number | undefined;
  /** The server takes another request on this connection. */
  readonly keepAlive: boolean;
}

interface Head {
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly keepAlive: boolean;
  /** Where the body begins. */
  readonly end: number;
  /** Bytes of the body; `undefined` where it comes in chunks. */
  readonly length: number | undefined;
}

const STATUS = /^HTTP\/1\.[01] (\d{3})/;
const LENGTH = /\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n/i;
const CHUNKED = /\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n/i;
const CLOSE = /\r\nconnection:[ \t]*close[ \t]*\r\n/i;
const RETRY_AFTER = /\r\nretry-after:[ \t]*(\d+)[ \t]*\r\n/i;
const CHUNK_SIZE = /^([\da-f]+)[^\r\n]*\r\n/i;

export class ResponseReader {
  #text = '';
  #head: Head | undefined;

  /**
   * @returns the response once it is whole
   * @throws Error where the server does not speak HTTP/1.x, or sends more than the response
   */
  push(piece: string): HttpResponse | undefined {
    this.#text += piece;
    this.#head ??= readHead(this.#text);
    if (this.#head === undefined) return undefined;
    const { status, retryAfter, keepAlive, end, length } = this.#head;
    const found = length === undefined ? readChunks(this.#text, end) : readLength(this.#text, end, length);
    if (found === undefined) return undefined;
    if (found.end !== this.#text.length) throw new Error('the server sent more than one response');
    this.#text = '';
    this.#head = undefined;
    return { status, retryAfter, keepAlive, body: found.body };
  }
}

/** @throws Error where it is not HTTP/1.x */
export function readStatus(head: string): number {
  const status = STATUS.exec(head)?.[1];
  if (status === undefined) throw new Error(`no HTTP response: ${JSON.stringify(head.slice(0, 40))}`);
  return Number(status);
}

export function readRetryAfter(head: string): number | undefined {
  const seconds = RETRY_AFTER.exec(head)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

function readHead(text: string): Head | undefined {
  const blank = text.indexOf('\r\n\r\n');
  if (blank < 0) return undefined;
  const head = text.slice(0, blank + 2);
  const status = readStatus(head);
  const length = LENGTH.exec(head)?.[1];
  if (length === undefined && !CHUNKED.test(head)) throw new Error('a response without a length');
  return {
    status,
    // Of interest only with what is repeated.
    retryAfter: status >= 500 ? readRetryAfter(head) : undefined,
    keepAlive: head.startsWith('HTTP/1.1') && !CLOSE.test(head),
    end: blank + 4,
    length: length === undefined ? undefined : Number(length),
  };
}

function readLength(text: string, start: number, length: number): { body: string; end: number } | undefined {
  const end = start + length;
  return text.length < end ? undefined : { body: text.slice(start, end), end };
}

/** Trailers are not expected: the last chunk is followed by an empty line. */
function readChunks(text: string, start: number): { body: string; end: number } | undefined {
  let body = '';
  let at = start;
  while (at < text.length) {
    const line = CHUNK_SIZE.exec(text.slice(at, at + 64));
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] ?? '', 16);
    const data = at + line[0].length;
    const next = data + size + 2;
    if (text.length < next) return undefined;
    if (size === 0) return { body, end: next };
    body += text.slice(data, data + size);
    at = next;
  }
  return undefined;
}
