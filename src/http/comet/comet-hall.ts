/** The pages that poll, and those that may not listen for ever: what of comet has to be looked at once a second, and is no connection. */

import type { CometService } from '../../comet/ports.js';
import type { Counters } from '../../observe/counters.js';
import type { Front } from '../front.js';
import type { Admission } from './admission.js';
import type { CometEndpoint, CometFront } from './comet-front.js';
import { Origins } from './origins.js';
import { Polls } from './polls.js';

export class CometHall implements CometFront {
  readonly service: CometService;
  readonly admission: Admission;
  readonly maxIds: number;
  readonly maxUnread: number;
  readonly origins: Origins;
  readonly polls: Polls;
  readonly expiring: CometFront['expiring'] = new Set();
  readonly #front: () => Pick<Front, 'now' | 'counters'>;

  constructor(
    { service, admission, maxIds, maxUnread }: CometEndpoint,
    origins: readonly string[],
    front: () => Pick<Front, 'now' | 'counters'>,
  ) {
    this.service = service;
    this.admission = admission;
    this.maxIds = maxIds;
    this.maxUnread = maxUnread;
    this.origins = new Origins(origins);
    this.#front = front;
    this.polls = new Polls(this);
  }

  get counters(): Counters {
    return this.#front().counters;
  }

  get now(): number {
    return this.#front().now;
  }

  expire(): void {
    const { now } = this;
    this.polls.expire(now);
    for (const page of this.expiring) page.expire(now);
  }
}
