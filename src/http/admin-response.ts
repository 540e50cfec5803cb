/**
 * The bytes of an answer of the admin port: what it says is for this page in this browser alone, and for this moment.
 *
 * Nothing of a page comes from elsewhere, nothing of it runs that is not a file of ours, nobody frames it, and no other site reads it.
 */

import { STATUS_CODES } from 'node:http';
import type { Header } from '../gateway/answers.js';
import type { Response } from './response.js';

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
  // RFC 9112 §9.6.
  'connection: close',
];

/** Without a body, whose length is not known. */
export function encodeHead(status: number, headers: readonly Header[]): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`,
    `date: ${new Date().toUTCString()}`,
    ...COMMON,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** @param isHead the answer to a HEAD request */
export function encodeAdminResponse({ status, headers, body }: Response, isHead: boolean): Buffer {
  // RFC 9110 §15.4.5.
  if (status === 304) return Buffer.from(encodeHead(status, headers), 'latin1');
  const head = Buffer.from(encodeHead(status, [...headers, ['content-length', `${body.length}`]]), 'latin1');
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
