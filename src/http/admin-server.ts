/**
 * Health, metrics and the dashboard for operators, on a listener of their own that clients cannot reach.
 *
 * A connection is for one request and its answer. So nobody can have more made, or kept for him, than one page for each
 * of the few connections there may be, whatever he sends and however little he reads. Viewers of the feed stay, and are few.
 */

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { Faults } from '../observe/faults.js';
import { Feed } from '../observe/feed.js';
import type { Reports } from '../observe/report.js';
import { version } from '../version.js';
import { AdminApi } from './admin-api.js';
import type { AdminDesk } from './admin-desk.js';
import { type AdminConfig, AdminDoor } from './admin-door.js';
import { encodeAdminResponse, json, plain } from './admin-response.js';
import { Viewers } from './admin-viewers.js';
import { BriefServer } from './brief-server.js';
import { ADMIN_HEADERS } from './header-names.js';
import { Llhttp } from './llhttp.js';
import { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const LIFETIME_MS = 10_000;
/** Bytes that may come on a connection: a request, and what its sender wrote behind it. */
const MAX_RECEIVED = 128 * 1024;
const MAX_BODY = 4 * 1024;

export class AdminServer {
  readonly #reports: Reports;
  readonly #api: AdminApi;
  readonly #door: AdminDoor;
  readonly #feed: Feed;
  readonly #viewers: Viewers;
  readonly #faults: Faults;
  readonly #clock: NodeJS.Timeout;
  #server: BriefServer | undefined;

  /** @param now milliseconds, never running backwards @throws MegaphoneError HTTP_LISTEN, CONFIG_TOKEN_… */
  static async listen(
    config: AdminConfig,
    reports: Reports,
    desk: AdminDesk,
    log: Logger,
    now: () => number = () => performance.now(),
  ): Promise<AdminServer> {
    const api = new AdminApi(config.admin_token_file, desk, log);
    const admin = new AdminServer(config, reports, api, new Faults(log), now);
    try {
      const { admin_ip, admin_port } = config;
      admin.#server = await BriefServer.listen(admin_ip, admin_port, LIFETIME_MS, (socket) =>
        admin.#serve(socket),
      );
      return admin;
    } catch (error) {
      await admin.close();
      throw error;
    }
  }

  private constructor(
    config: AdminConfig,
    reports: Reports,
    api: AdminApi,
    faults: Faults,
    now: () => number,
  ) {
    this.#faults = faults;
    this.#reports = reports;
    this.#api = api;
    this.#door = new AdminDoor(config, reports, api, now);
    const release = version();
    this.#feed = new Feed(() => ({ version: release, actions: api.isOpen }));
    this.#viewers = new Viewers(this.#feed);
    this.#clock = setInterval(() => faults.attempt(() => this.#tick()), 1000).unref();
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** Reads the token again. */
  reload(): void {
    this.#api.reload();
  }

  async close(): Promise<void> {
    clearInterval(this.#clock);
    await this.#server?.close();
  }

  #tick(): void {
    this.#feed.add(this.#reports.stats(), performance.now() / 1000, Date.now());
    this.#viewers.tell();
  }

  #serve(socket: Socket): void {
    const request = new RequestParser(MAX_BODY, Llhttp.take(), ADMIN_HEADERS);
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
      void this.#answer(socket, request);
    });
    socket.on('end', () => {
      if (!isAnswered) socket.destroy();
    });
  }

  async #answer(socket: Socket, request: RequestParser): Promise<void> {
    const response = await this.#responseTo(request, socket.remoteAddress ?? '');
    if (response === 'feed' && !this.#viewers.isFull) this.#welcome(socket);
    else {
      const answer = response === 'feed' ? plain(503, 'As many look at this already as may.') : response;
      socket.end(encodeAdminResponse(answer, request.method === 'HEAD'));
    }
  }

  /** Whatever fails in here fails for who asked, and for nobody else. */
  async #responseTo(request: RequestParser, address: string): Promise<Response | 'feed'> {
    try {
      return await this.#door.answer(request, address);
    } catch (cause) {
      const { message: error, hint } = this.#faults.tell(cause);
      return json(500, { error, hint });
    }
  }

  #welcome(socket: Socket): void {
    // It has nothing more to say: whoever ends his side has left.
    socket.on('end', () => socket.destroy());
    this.#server?.keep(socket);
    this.#viewers.add(socket);
  }
}
