/**
 * Health and metrics for operators, on a listener of their own that clients cannot reach.
 *
 * A connection is for one request and its answer. So nobody can have more made, or kept for him, than one page for each
 * of the few connections there may be, whatever he sends and however little he reads.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Config } from '../config/schema.js';
import type { Reports } from '../observe/report.js';
import { AdminHosts } from './admin-hosts.js';
import { AdminPages } from './admin-pages.js';
import { listen } from './listen.js';
import { RequestParser } from './request-parser.js';
import { CLOSE, encodeResponse } from './response.js';

export type AdminConfig = Pick<Config, 'node' | 'admin_ip' | 'admin_port' | 'admin_hosts'>;

const MAX_CONNECTIONS = 100;
/** Milliseconds for all that happens on a connection. */
const LIFETIME_MS = 10_000;
/** Bytes that may come on a connection: a request, and what its sender wrote behind it. */
const MAX_RECEIVED = 128 * 1024;

export class AdminServer {
  readonly #server: Server;
  readonly #pages: AdminPages;
  readonly #connections = new Set<Socket>();

  private constructor(config: AdminConfig, reports: Reports, now: () => number) {
    this.#pages = new AdminPages(new AdminHosts(config), reports, now);
    // Half open: a client may end its side behind its request.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @param now milliseconds, never running backwards @throws MegaphoneError HTTP_LISTEN */
  static async listen(
    config: AdminConfig,
    reports: Reports,
    now: () => number = () => performance.now(),
  ): Promise<AdminServer> {
    const admin = new AdminServer(config, reports, now);
    await listen(admin.#server, config.admin_ip, config.admin_port);
    return admin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    // A body is passed over.
    const request = new RequestParser(0);
    const end = setTimeout(() => socket.destroy(), LIFETIME_MS);
    let received = 0;
    let isAnswered = false;
    this.#connections.add(socket);
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(end);
      request.release();
      this.#connections.delete(socket);
    });
    socket.on('data', (bytes) => {
      received += bytes.length;
      if (received > MAX_RECEIVED) socket.destroy();
      // What comes behind the request is passed over: closing on it unread could cost the client its answer.
      if (isAnswered || socket.destroyed) return;
      request.read(bytes, 0);
      if (!request.isComplete && request.status === 0) return;
      isAnswered = true;
      void this.#answer(socket, request);
    });
    socket.on('end', () => {
      if (!isAnswered) socket.destroy();
    });
  }

  async #answer(socket: Socket, request: RequestParser): Promise<void> {
    const response = await this.#pages.answer(request);
    // RFC 9112 §9.6.
    socket.end(encodeResponse(response, CLOSE, request.method === 'HEAD'));
  }
}
