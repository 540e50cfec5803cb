/** Our parser and the one of node:http, fed with the same bytes. */

import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { HeaderName } from '../../../src/http/header-names.js';
import { Llhttp } from '../../../src/http/llhttp.js';
import { RequestParser } from '../../../src/http/request-parser.js';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

export interface Reading {
  readonly requests: readonly Seen[];
  /** Of the refusal that ended it; 0 where all is well so far. */
  readonly status: number;
  /** Bytes that the requests take. */
  readonly length: number;
}

export const MAX_BODY = 1000;

const NAMES: readonly HeaderName[] = [
  'host',
  'origin',
  'expect',
  'user-agent',
  'content-length',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'x-forwarded-for',
  'x-forwarded-proto',
  'transfer-encoding',
];

/** Reads the requests of one connection, each with a parser of its own. */
export class Reader {
  readonly requests: Seen[] = [];
  status = 0;
  length = 0;
  #given = 0;
  #isOver = false;
  #parser: RequestParser | undefined;
  readonly #begin: () => RequestParser;

  constructor(begin = () => new RequestParser(MAX_BODY)) {
    this.#begin = begin;
  }

  read(piece: Buffer): void {
    for (let at = 0; at < piece.length && !this.#isOver; ) {
      this.#parser ??= this.#begin();
      const parser = this.#parser;
      at = parser.read(piece, at);
      if (parser.status !== 0) {
        this.status = parser.status;
        this.#isOver = true;
      } else if (parser.isComplete) {
        this.requests.push(seen(parser));
        this.#isOver = !parser.shouldKeepAlive;
        this.length = this.#given + at;
        this.#parser = undefined;
      }
    }
    this.#given += piece.length;
  }

  /** The connection is gone, wherever its bytes ended. */
  close(): Reading {
    this.#parser?.release();
    return { requests: this.requests, status: this.status, length: this.length };
  }
}

function seen(parser: RequestParser): Seen {
  const headers: Record<string, string> = {};
  for (const name of NAMES) {
    const value = parser.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const body = parser.isTooLarge ? 'too large' : parser.body.toString('latin1');
  return { method: parser.method, path: parser.path, headers, body };
}

/** @param sizes of the pieces that the bytes come in, over and over */
export function readWithOurs(text: string, ...sizes: readonly number[]): Reading {
  return readAll(new Reader(), text, sizes);
}

/** The same with parsers that nobody ever used. */
export function readWithFresh(text: string): Reading {
  return readAll(new Reader(() => new RequestParser(MAX_BODY, new Llhttp())), text, []);
}

function readAll(reader: Reader, text: string, sizes: readonly number[]): Reading {
  for (const piece of split(Buffer.from(text, 'latin1'), sizes)) reader.read(piece);
  return reader.close();
}

export function* split(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  if (sizes.length === 0) yield bytes;
  else {
    let at = 0;
    for (let i = 0; at < bytes.length; i += 1) {
      const size = sizes[i % sizes.length] ?? 1;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }
}

const server = createServer({ keepAliveTimeout: 0, connectionsCheckingInterval: 1_000_000 });
let onRequest: (request: IncomingMessage) => void = () => {};
server.on('request', (request) => onRequest(request));
server.on('checkContinue', (request) => onRequest(request));
server.on('checkExpectation', (request) => onRequest(request));

export async function readWithNode(text: string): Promise<Reading> {
  const requests: (Seen | undefined)[] = [];
  let status = 0;
  const socket = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      // Node answers some of what it refuses by itself.
      status = Number(bytes.toString('latin1', 9, 12));
      done();
    },
  });
  socket.on('error', () => {});
  onRequest = (request) => {
    const index = requests.push(undefined) - 1;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      if (!request.complete) return;
      requests[index] = {
        method: request.method ?? '',
        path: request.url?.split('?', 1)[0] ?? '',
        headers: headersOf(request.rawHeaders),
        body: Buffer.concat(chunks).toString('latin1'),
      };
    });
  };
  server.emit('connection', socket);
  socket.push(Buffer.from(text, 'latin1'));
  for (let turn = 0; turn < 4; turn += 1) await setImmediate();
  socket.destroy();
  return { requests: requests.filter((request) => request !== undefined), status, length: text.length };
}

function headersOf(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]?.toLowerCase() ?? '';
    if (!(NAMES as readonly string[]).includes(name)) continue;
    const value = raw[i + 1] ?? '';
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}
