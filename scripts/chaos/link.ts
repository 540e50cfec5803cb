/** All connections from a member of the cluster to an ejabberd node: a relay that cuts, holds, drops and delays what goes over it. */

import type { Server, Socket } from 'node:net';
import { Lane, PASS, type Treatment } from './lane.js';

/** To the node, back, or both. */
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
  #isDown = false;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #there = PASS;
  #back = PASS;

  /**
   * @param server where connections arrive; it listens already
   * @param to makes one to a port of the node's machine, paused
   */
  constructor(server: Server, to: (port: number) => Promise<Socket>) {
    this.#server = server;
    server.on('connection', (near) => {
      near.on('error', () => {});
      near.pause();
      if (this.#isDown) near.resetAndDestroy();
      else
        void to(this.target)
          .then((far) => this.#relay(near, far))
          .catch(() => near.resetAndDestroy());
    });
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

  /** Whoever connects meanwhile is reset, too. */
  down(isDown: boolean): void {
    this.#isDown = isDown;
    if (isDown) this.cut();
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

  #relay(near: Socket, far: Socket): void {
    far.on('error', () => {});
    if (near.destroyed || this.#isDown) {
      near.resetAndDestroy();
      far.resetAndDestroy();
      return;
    }
    for (const socket of [near, far]) socket.setNoDelay();
    const pair = { near, there: new Lane(near, far, this.#there), back: new Lane(far, near, this.#back) };
    this.#pairs.add(pair);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('close', () => {
        this.#pairs.delete(pair);
        other.resetAndDestroy();
      });
    }
  }
}
