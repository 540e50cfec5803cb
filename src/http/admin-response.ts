/**
 * The bytes of an answer of the admin port: what it says is for this page in this browser alone, and for this moment.
 *
 * Nothing of a page comes from elsewhere, nothing of it runs that is not a file of ours, nobody frames it, and no other site reads it.
 */

import { STATUS_CODES } from 'node:http';
import type { Header } from '../gateway/answers.js';
import { CLOSE, type Response } from './response.js';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const COMMON = [
  `content-security-policy: ${POLICY}`,
  'x-content-type-options: nosniff',
  'x-frame-options: DENY',
  'referrer-policy: no-referrer',
  'cross-origin-resource-policy: same-origin',
  'cross-origin-opener-policy: same-origin',
].join('\r\n');

/** Without a body, whose length is not known. @param connection lines, each with its line break (RFC 9112 §9.6) */
export function encodeHead(status: number, headers: readonly Header[], connection = CLOSE): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\ndate: ${new Date().toUTCString()}\r\n`;
  head += `${COMMON}\r\n${connection}`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  return `${head}\r\n`;
}

/** @param isHead the answer to a HEAD request; @param connection as `encodeHead` */
export function encodeAdminResponse(
  { status, headers, body }: Response,
  isHead: boolean,
  connection = CLOSE,
): Buffer {
  // RFC 9110 §15.4.5.
  if (status === 304) return Buffer.from(encodeHead(status, headers, connection), 'latin1');
  const length: Header = ['content-length', `${body.length}`];
  const head = Buffer.from(encodeHead(status, [...headers, length], connection), 'latin1');
  return isHead ? head : Buffer.concat([head, body]);
}

export function page(status: number, type: string, text: string, ...headers: Header[]): Response {
  const body = Buffer.from(text);
  return { status, headers: [['content-type', type], ['cache-control', 'no-store'], ...headers], body };
}

export const plain = (status: number, text: string, ...headers: Header[]): Response =>
  page(status, 'text/plain; charset=utf-8', `${text}\n`, ...headers);

export const json = (status: number, value: unknown, ...headers: Header[]): Response =>
  page(status, 'application/json', `${JSON.stringify(value)}\n`, ...headers);

/** What is wrong, and what mends it. */
export const problem = (status: number, error: string, hint?: string, code?: string): Response =>
  json(status, {
    error,
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
  });
