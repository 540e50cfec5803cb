/**
 * One HTTP/1 request from bytes: what a BOSH endpoint wants to know of its head, its body, and whether it is to be
 * refused. It does no input or output. Each request has one of its own, which is thrown away with all that was read:
 * nothing of it can get into another's.
 *
 * llhttp refuses what could be read in two ways (RFC 9112 §11.2): both length headers, several lengths, bare line
 * feeds, folded headers, spaces before a colon, bad chunk sizes, NUL. What it leaves to its user is refused here:
 * a missing or second Host (§3.2), codings other than `chunked` (§6.1), versions other than 1.0 and 1.1.
 */

import { type HeaderIndex, type HeaderName, keyOf, ofClient } from './header-names.js';
import { Llhttp, type LlhttpListener } from './llhttp.js';
import { RequestBody } from './request-body.js';
import { pathOf } from './target.js';

/** Bytes of names and values, as node:http counts them. */
const MAX_HEADERS = 16 * 1024;
/** Bytes behind the head beside the body's own, and as many more as there are for each byte of a chunk (RFC 9112 §7.1.1). */
const MAX_FRAMING = 2 * MAX_HEADERS;
const FRAMING_OF_BYTE = 8;
/** What a request takes beside its text, and each piece that the text of its head came in. */
const OVERHEAD = 1024;
const PIECE = 64;

const METHODS: readonly (string | undefined)[] = [
  undefined,
  'GET',
  'HEAD',
  'POST',
  undefined,
  'CONNECT',
  'OPTIONS',
];

export class RequestParser implements LlhttpListener {
  /** `undefined`: all was read that there is to read. */
  #llhttp: Llhttp | undefined;
  #maxBody: number;
  readonly #roomFor: ((head: RequestParser) => number) | undefined;
  readonly #body: RequestBody;
  readonly #headersOf: (target: string) => HeaderIndex;
  /** The headers that are kept, from the first one on. */
  #known: HeaderIndex | undefined = undefined;
  #bytes: Buffer = EMPTY;
  #method = '';
  #version = 0;
  #url = '';
  #headers: Partial<Record<HeaderName, string>> = {};
  #headerBytes = 0;
  #pieces = 0;
  #framing = 0;
  /** The name being read: what came in earlier chunks, and where the rest stands in this one. */
  #nameBefore = '';
  #nameStart = 0;
  #nameEnd = 0;
  #inValue = false;
  /** The header whose value is being read, where it matters. */
  #wanted: HeaderName | undefined;
  #value = '';
  #status = 0;
  #hasHead = false;
  #isComplete = false;
  #isTooLarge = false;
  #shouldKeepAlive = false;

  /** @param maxBody bytes, or how many for the request with this head; @param headersOf which headers are kept, by the target */
  constructor(
    maxBody: number | ((head: RequestParser) => number),
    llhttp = Llhttp.take(),
    headersOf = ofClient,
  ) {
    this.#roomFor = typeof maxBody === 'number' ? undefined : maxBody;
    this.#maxBody = typeof maxBody === 'number' ? maxBody : 0;
    this.#headersOf = headersOf;
    this.#body = new RequestBody(this.#maxBody);
    this.#llhttp = llhttp;
  }

  /** Nothing more will be read, whether or not the request came to its end. */
  release(): void {
    this.#llhttp?.release();
    this.#llhttp = undefined;
  }

  /**
   * Reads on from `start`; `bytes` may be kept as the body.
   * @returns the offset behind the request's last byte, or of the end of `bytes`
   */
  read(bytes: Buffer, start: number): number {
    this.#bytes = bytes;
    const hadHead = this.#hasHead;
    const end = this.#llhttp?.execute(bytes, start, this) ?? -1;
    // A stop before the request's end would be one for a protocol that was never agreed on.
    if (end < 0 || (end < bytes.length && !this.#isComplete)) this.#refuse(400);
    if (hadHead) this.#framing += end - start;
    if (this.#framing > MAX_FRAMING) this.#refuse(400);
    if (!this.#isComplete) {
      this.#nameBefore += this.#takeName();
      this.#body.own();
      if (!this.#hasHead) this.#pieces += 1;
    }
    this.#bytes = EMPTY;
    if (this.#isComplete || this.#status !== 0) this.release();
    return end < 0 ? bytes.length : end;
  }

  /** The status to refuse this request with, 0 where it is fine so far; after it nothing can be read any more. */
  get status(): number {
    return this.#status;
  }

  /** Bytes that this takes, no fewer than it does, while the request is coming in. */
  get memory(): number {
    return OVERHEAD + this.#headerBytes + PIECE * this.#pieces + this.#body.capacity;
  }

  /** Whether all headers were read. */
  get hasHead(): boolean {
    return this.#hasHead;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Larger than the limit, be it announced or seen: its body is passed over. */
  get isTooLarge(): boolean {
    return this.#isTooLarge;
  }

  /** The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). */
  get expectsContinue(): boolean {
    return this.#headers.expect !== undefined && this.isHttp11 && !this.#isComplete && this.#body.isEmpty;
  }

  /** Empty for one that no BOSH endpoint knows. */
  get method(): string {
    return this.#method;
  }

  /** Of the request's target, without the query. */
  get path(): string {
    return pathOf(this.#url);
  }

  /** What stands behind its question mark. */
  get query(): string {
    const start = this.#url.indexOf('?');
    return start < 0 ? '' : this.#url.slice(start + 1);
  }

  get isHttp11(): boolean {
    return this.#version === 11;
  }

  /** Whether the client wants to send another request on this connection. */
  get shouldKeepAlive(): boolean {
    return this.#shouldKeepAlive;
  }

  /** Lines of the same name are joined by commas (RFC 9110 §5.3). */
  header(name: HeaderName): string | undefined {
    return this.#headers[name];
  }

  /** Maybe a view of the bytes that were read last. */
  get body(): Buffer {
    return this.#body.bytes;
  }

  onUrl(start: number, end: number): void {
    this.#countHeaderBytes(end - start);
    if (this.#url === '') this.#method = METHODS[this.#llhttp?.method ?? 0] ?? '';
    this.#url += this.#text(start, end);
  }

  onHeaderField(start: number, end: number): void {
    this.#countHeaderBytes(end - start);
    if (this.#inValue) this.#endHeader();
    else this.#nameBefore += this.#takeName();
    this.#nameStart = start;
    this.#nameEnd = end;
  }

  onHeaderValue(start: number, end: number): void {
    this.#countHeaderBytes(end - start);
    if (!this.#inValue) this.#beginValue();
    if (this.#wanted !== undefined && this.#status === 0) this.#value += this.#text(start, end);
  }

  onHeadersComplete(shouldKeepAlive: boolean): void {
    if (this.#inValue) this.#endHeader();
    this.#hasHead = true;
    this.#version = this.#llhttp?.version ?? 0;
    this.#shouldKeepAlive = shouldKeepAlive;
    const status = this.#check();
    if (status !== 0) this.#refuse(status);
    else if (this.#roomFor !== undefined) {
      this.#maxBody = this.#roomFor(this);
      this.#body.allow(this.#maxBody);
    }
    this.#isTooLarge = Number(this.#headers['content-length'] ?? 0) > this.#maxBody;
  }

  onBody(start: number, end: number): void {
    this.#framing -= (1 + FRAMING_OF_BYTE) * (end - start);
    if (this.#isTooLarge || this.#status !== 0) return;
    this.#isTooLarge = !this.#body.add(this.#bytes, start, end);
  }

  onMessageComplete(): void {
    this.#isComplete = true;
  }

  #check(): number {
    const { host, expect, 'transfer-encoding': coding } = this.#headers;
    const version = this.#version;
    if (version !== 11 && version !== 10) return 505;
    // What follows would be no HTTP any more.
    if (this.#method === 'CONNECT') return 405;
    // A comma stands in no host's name: it is where two lines were joined.
    if (version === 11 && (host === undefined || host.includes(','))) return 400;
    if (coding !== undefined && version === 10) return 400;
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 501;
    if (expect !== undefined && version === 11 && expect.toLowerCase() !== '100-continue') return 417;
    return 0;
  }

  #refuse(status: number): void {
    if (this.#status === 0) this.#status = status;
  }

  #countHeaderBytes(count: number): void {
    this.#headerBytes += count;
    if (this.#headerBytes > MAX_HEADERS) this.#refuse(431);
  }

  #takeName(): string {
    const part = this.#nameEnd > this.#nameStart ? this.#text(this.#nameStart, this.#nameEnd) : '';
    this.#nameEnd = this.#nameStart;
    return this.#status === 0 ? part : '';
  }

  #beginValue(): void {
    this.#inValue = true;
    this.#wanted = undefined;
    const length = this.#nameBefore.length + this.#nameEnd - this.#nameStart;
    const first = this.#nameBefore === '' ? this.#bytes[this.#nameStart] : this.#nameBefore.charCodeAt(0);
    this.#known ??= this.#headersOf(this.#url);
    const names = this.#known.get(keyOf(length, first ?? 0));
    // Those behind the body (trailers) must not change what the head said (RFC 9110 §6.5.1).
    if (names !== undefined && !this.#hasHead) this.#wanted = this.#find(names);
    this.#nameBefore = '';
    this.#nameEnd = this.#nameStart;
  }

  /** Which of them the name is, all of which have its length. */
  #find(names: readonly HeaderName[]): HeaderName | undefined {
    if (this.#nameBefore === '') return names.find((name) => isAt(this.#bytes, this.#nameStart, name));
    const whole = (this.#nameBefore + this.#takeName()).toLowerCase();
    return names.find((name) => name === whole);
  }

  #endHeader(): void {
    this.#inValue = false;
    if (this.#wanted === undefined) return;
    const before = this.#headers[this.#wanted];
    const value = withoutBlanksBehind(this.#value);
    this.#headers[this.#wanted] = before === undefined ? value : `${before}, ${value}`;
    this.#value = '';
    this.#wanted = undefined;
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end);
  }
}

const EMPTY = Buffer.alloc(0);

/** llhttp leaves out those in front only (RFC 9112 §5.1). No regular expression: those go back and forth over blanks. */
function withoutBlanksBehind(value: string): string {
  let end = value.length;
  while (value[end - 1] === ' ' || value[end - 1] === '\t') end -= 1;
  return value.slice(0, end);
}

/** In any case, without a string made of it. A name has no byte that the bit of the case turns into a hyphen. */
function isAt(bytes: Buffer, start: number, name: HeaderName): boolean {
  for (let i = 0; i < name.length; i += 1) {
    if (((bytes[start + i] ?? 0) | 0x20) !== name.charCodeAt(i)) return false;
  }
  return true;
}
