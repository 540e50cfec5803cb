/**
 * Health and metrics for operators, on a listener of their own that clients cannot reach.
 *
 * A connection is for one request and its answer. So nobody can have more made, or kept for him, than one page for each
 * of the few connections there may be, whatever he sends and however little he reads.
 */

import type { Socket } from 'node:net';
import type { Config } from '../config/schema.js';
import type { Reports } from '../observe/report.js';
import { AdminHosts } from './admin-hosts.js';
import { AdminPages } from './admin-pages.js';
import { BriefServer } from './brief-server.js';
import { RequestParser } from './request-parser.js';
import { CLOSE, encodeResponse } from './response.js';

export type AdminConfig = Pick<Config, 'node' | 'admin_ip' | 'admin_port' | 'admin_hosts'>;

const LIFETIME_MS = 10_000;
/** Bytes that may come on a connection: a request, and what its sender wrote behind it. */
const MAX_RECEIVED = 128 * 1024;

/** @param now milliseconds, never running backwards @throws MegaphoneError HTTP_LISTEN */
export function listenAsAdmin(
  config: AdminConfig,
  reports: Reports,
  now: () => number = () => performance.now(),
): Promise<BriefServer> {
  const pages = new AdminPages(new AdminHosts(config), reports, now);
  return BriefServer.listen(config.admin_ip, config.admin_port, LIFETIME_MS, (socket) =>
    serve(socket, pages),
  );
}

function serve(socket: Socket, pages: AdminPages): void {
  // A body is passed over.
  const request = new RequestParser(0);
  let received = 0;
  let isAnswered = false;
  socket.on('close', () => request.release());
  socket.on('data', (bytes) => {
    received += bytes.length;
    if (received > MAX_RECEIVED) socket.destroy();
    // What comes behind the request is passed over: closing on it unread could cost the client its answer.
    if (isAnswered || socket.destroyed) return;
    request.read(bytes, 0);
    if (!request.isComplete && request.status === 0) return;
    isAnswered = true;
    void answer(socket, request, pages);
  });
  socket.on('end', () => {
    if (!isAnswered) socket.destroy();
  });
}

async function answer(socket: Socket, request: RequestParser, pages: AdminPages): Promise<void> {
  const response = await pages.answer(request);
  // RFC 9112 §9.6.
  socket.end(encodeResponse(response, CLOSE, request.method === 'HEAD'));
}
