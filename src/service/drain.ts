/** Takes a gateway out of service, and back, as lifecycle.ts says: be it one process or several. */

import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import { Faults } from '../observe/faults.js';
import type { GatewayState } from '../observe/report.js';
import { LIFECYCLE, type LifeEvent, type Order, type Phase, stateOf } from './lifecycle.js';

/** Who holds the clients. */
export interface Crew {
  /** Does what this phase asks for. Resolves when that is done, or another phase has begun. */
  enter(phase: Phase): Promise<void>;
}

/** Who is told what operators ask for. */
export interface Orders {
  /** @returns how it is then */
  order(order: Order): Promise<GatewayState>;
}

const TEXTS: Readonly<Partial<Record<Phase, string>>> = {
  serving: 'in service again',
  leaving: 'draining: not ready any more',
  releasing: 'draining: clients are sent elsewhere',
  drained: 'drained: whoever comes is served all the same',
  lastReleasing: 'stopping: clients are sent elsewhere',
};

/** Seconds until balancers know; where they have nothing to know it from, there is nothing to wait for. */
export const noticeTime = ({ admin_port, agent_port, drain_delay }: Config): number =>
  admin_port === 0 && agent_port === 0 ? 0 : drain_delay;

export class Drain implements Orders {
  /** Resolves when the process may go. */
  readonly ended: Promise<void>;
  #end = (): void => {};
  readonly #delayMs: number;
  readonly #log: Logger;
  readonly #faults: Faults;
  #phase: Phase = 'serving';
  #crew: Crew | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param delay seconds that balancers have to notice */
  constructor(delay: number, log: Logger) {
    this.#delayMs = 1000 * delay;
    this.#log = log;
    this.#faults = new Faults(log);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** There is somebody to give orders to. */
  takeCharge(crew: Crew): void {
    this.#crew = crew;
    this.#enter();
  }

  order(order: Order): Promise<GatewayState> {
    this.#on(order);
    return Promise.resolve(stateOf(this.#phase));
  }

  /** @returns the phase then: `cut` if it is to end at once */
  stop(): Phase {
    this.#on('stop');
    return this.#phase;
  }

  /** The one place where its phase changes. */
  #on(event: LifeEvent): void {
    const to = LIFECYCLE[event][this.#phase];
    if (to === undefined) return;
    this.#phase = to;
    const text = TEXTS[to];
    if (text !== undefined) this.#log.info(text);
    this.#enter();
  }

  #enter(): void {
    const phase = this.#phase;
    if (phase === 'ended') this.#end();
    if (phase === 'leaving' || phase === 'lastLeaving') {
      // Whoever is leaving and then to end has been waiting.
      this.#timer ??= setTimeout(() => this.#on('delayOver'), this.#delayMs);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    // Where it failed it goes on all the same: who is to be out of service, or to end, is not kept from it.
    const isDone = this.#crew?.enter(phase).catch((error) => this.#faults.tell(error));
    void isDone?.then(() => {
      if (phase !== this.#phase) return;
      if (phase === 'releasing' || phase === 'lastReleasing') this.#on('released');
      if (phase === 'finishing') this.#on('finished');
    });
  }
}
