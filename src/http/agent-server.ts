/**
 * The agent of HAProxy's `agent-check`: whoever connects is told in a word whether this gateway is to get clients, and hung up on.
 *
 *   up ready     yes
 *   down ready   no ejabberd node is in service
 *   drain        clients are being sent elsewhere
 *   maint        they were, by `megaphone drain`
 *
 * `ready` takes back what an earlier `drain` or `maint` said, and `up` an earlier `down`: either stays until then, also while
 * this gateway is away. What is sent here is passed over, and who does not hang up is cut, so strangers cost nothing.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Health } from '../observe/report.js';
import { listen } from './listen.js';

/** At a time: one more, and the oldest is cut. */
const MAX_CONNECTIONS = 100;
/** Milliseconds for all that happens on a connection. */
const LIFETIME_MS = 2_000;

export function agentWord({ state, status }: Pick<Health, 'state' | 'status'>): string {
  switch (state) {
    case 'in_service':
      return status === 'unavailable' ? 'down ready #no ejabberd node is in service' : 'up ready';
    case 'drained':
      return 'maint';
    default:
      return 'drain';
  }
}

export class AgentServer {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  private constructor(health: () => Pick<Health, 'state' | 'status'>) {
    this.#server = createServer((socket) => this.#serve(socket, `${agentWord(health())}\n`));
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(
    ip: string,
    port: number,
    health: () => Pick<Health, 'state' | 'status'>,
  ): Promise<AgentServer> {
    const agent = new AgentServer(health);
    await listen(agent.#server, ip, port);
    return agent;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #serve(socket: Socket, word: string): void {
    const [oldest] = this.#connections;
    if (this.#connections.size >= MAX_CONNECTIONS) oldest?.destroy();
    const end = setTimeout(() => socket.destroy(), LIFETIME_MS);
    this.#connections.add(socket);
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(end);
      this.#connections.delete(socket);
    });
    socket.resume();
    socket.end(word);
  }
}
