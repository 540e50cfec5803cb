/** All connections from one gateway to one ejabberd node: a relay that cuts, holds, drops and delays what goes over it. */

import { connect, type Server, type Socket } from 'node:net';
import { Lane, PASS, type Treatment } from './lane.js';

/** From the gateway to the node, back, or both. */
export const DIRECTIONS = ['there', 'back', 'both'] as const;
export type Direction = (typeof DIRECTIONS)[number];

interface Pair {
  readonly near: Socket;
  readonly there: Lane;
  readonly back: Lane;
}

export class Link {
  /** Where the node is now: it may come back on another port. */
  target = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #there = PASS;
  #back = PASS;

  /** @param server where the gateway's connections arrive; it listens already */
  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (near) => this.#relay(near));
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Bytes of the present connections that were thrown away. */
  get dropped(): number {
    return [...this.#pairs].reduce((sum, { there, back }) => sum + there.dropped + back.dropped, 0);
  }

  /** Resets all connections. What was on its way is lost. */
  cut(): void {
    for (const { near } of this.#pairs) near.resetAndDestroy();
  }

  /** From now on, those connections that will be made as well. */
  treat(direction: Direction, treatment: Treatment): void {
    if (direction !== 'back') this.#there = treatment;
    if (direction !== 'there') this.#back = treatment;
    for (const { there, back } of this.#pairs) {
      there.treat(this.#there);
      back.treat(this.#back);
    }
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #relay(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    near.setNoDelay();
    const pair = { near, there: new Lane(near, far, this.#there), back: new Lane(far, near, this.#back) };
    this.#pairs.add(pair);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        other.resetAndDestroy();
      });
    }
  }
}
