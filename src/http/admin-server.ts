/**
 * Health, metrics and the dashboard for operators, and publications, on a listener of its own that clients cannot reach.
 *
 * A connection is for one request and its answer, but for viewers of the feed and publishers: they stay, and are few.
 */

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { Faults } from '../observe/faults.js';
import { Feed } from '../observe/feed.js';
import type { Reports } from '../observe/report.js';
import { version } from '../version.js';
import { AdminApi } from './admin-api.js';
import { AdminConnection, type AdminHost } from './admin-connection.js';
import type { AdminDesk } from './admin-desk.js';
import { type AdminConfig, AdminDoor } from './admin-door.js';
import { AdminGuard } from './admin-guard.js';
import { AdminPublish } from './admin-publish.js';
import { json, plain } from './admin-response.js';
import { Viewers } from './admin-viewers.js';
import { BriefServer } from './brief-server.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const LIFETIME_MS = 10_000;
const MAX_PUBLISHERS = 200;

export class AdminServer implements AdminHost {
  readonly #reports: Reports;
  readonly #guard: AdminGuard;
  readonly #publish: AdminPublish;
  readonly #door: AdminDoor;
  readonly #feed: Feed;
  readonly #viewers: Viewers;
  readonly #publishers = new Set<Socket>();
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
    const admin = new AdminServer(config, reports, desk, log, now);
    try {
      const { admin_ip, admin_port } = config;
      admin.#server = await BriefServer.listen(admin_ip, admin_port, LIFETIME_MS, (socket) => {
        new AdminConnection(socket, admin);
      });
      return admin;
    } catch (error) {
      await admin.close();
      throw error;
    }
  }

  private constructor(
    config: AdminConfig,
    reports: Reports,
    desk: AdminDesk,
    log: Logger,
    now: () => number,
  ) {
    this.#faults = new Faults(log);
    this.#reports = reports;
    this.#guard = new AdminGuard(config.admin_token_file, log);
    this.#publish = new AdminPublish(this.#guard, desk);
    const api = new AdminApi(this.#guard, desk, log);
    this.#door = new AdminDoor(config, reports, api, this.#publish, now);
    const release = version();
    this.#feed = new Feed(() => ({ version: release, actions: this.#guard.isOpen }));
    this.#viewers = new Viewers(this.#feed);
    this.#clock = setInterval(() => this.#faults.attempt(() => this.#tick()), 1000).unref();
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** Reads the token again. */
  reload(): void {
    this.#guard.reload();
  }

  async close(): Promise<void> {
    clearInterval(this.#clock);
    await this.#server?.close();
  }

  #tick(): void {
    this.#feed.add(this.#reports.stats(), performance.now() / 1000, Date.now());
    this.#viewers.tell();
  }

  trusts(head: RequestParser): boolean {
    return this.#publish.trusts(head);
  }

  async answer(request: RequestParser, socket: Socket): Promise<Response | undefined> {
    const response = await this.#responseTo(request, socket.remoteAddress ?? '');
    if (response !== 'feed') return response;
    if (this.#viewers.isFull) return plain(503, 'As many look at this already as may.');
    // It has nothing more to say: whoever ends his side has left.
    socket.on('end', () => socket.destroy());
    this.#server?.keep(socket);
    socket.setTimeout(0);
    this.#viewers.add(socket);
    return undefined;
  }

  keep(socket: Socket): boolean {
    if (this.#publishers.size >= MAX_PUBLISHERS) return false;
    this.#publishers.add(socket);
    socket.on('close', () => this.#publishers.delete(socket));
    this.#server?.keep(socket);
    return true;
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
}
