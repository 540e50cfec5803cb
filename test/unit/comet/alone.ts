/** A gateway without any router, and what a shell sends to it. */

import { pino } from 'pino';
import { Comet } from '../../../src/comet/comet.js';
import type { RingLimits } from '../../../src/comet/ring.js';
import { atom, type Term, tuple } from '../../../src/etf/terms.js';
import { Counters } from '../../../src/observe/counters.js';
import { FakeGatewayNode } from './fake-routers.js';

export const RING: RingLimits = { count: 64, seconds: 60, bytes: 1024 * 1024 };

export class Alone {
  readonly node = new FakeGatewayNode('g1@localhost', []);
  readonly counters = new Counters();
  readonly comet: Comet;
  #now = 0;

  /** @param isSettled it knows that there is none */
  constructor(ring: RingLimits = RING, processes = 1, isSettled = true) {
    const options = { nodes: [], ring, processes };
    this.comet = new Comet(this.node.asNode, options, this.counters, pino({ level: 'silent' }));
    this.pass(isSettled ? 11 : 0);
  }

  send(id: string, body: string, ...meta: readonly Term[]): void {
    this.node.deliver(tuple(atom(id), Buffer.from(body), ...meta), 'shell@localhost');
  }

  /** So many seconds. */
  pass(seconds: number): void {
    for (let second = 0; second <= seconds; second += 1) {
      this.#now += 1;
      this.comet.tick(this.#now);
    }
  }
}
