/** The process that is registered as `any`: takes what routers and anybody send, and sees to it that it is what it says. */

import type { Term } from '../etf/terms.js';
import type { NamedProcess } from '../node/processes.js';
import type { CometCounters } from '../observe/comet-counters.js';
import type { LimitedLog } from '../observe/limited-log.js';
import { readWord, type Word } from './words.js';

export const ANY = 'any';

/** Who acts on it. */
export type Hear = (word: Word, peer: string) => void;

export class Mailbox implements NamedProcess {
  readonly #hear: Hear;
  readonly #counters: CometCounters;
  readonly #log: LimitedLog;

  constructor(hear: Hear, counters: CometCounters, log: LimitedLog) {
    this.#hear = hear;
    this.#counters = counters;
    this.#log = log;
  }

  deliver(term: Term, peer: string): void {
    const word = readWord(term);
    if (word === undefined) {
      this.#counters.dropped.unknown_shape += 1;
      this.#log.warn(
        'any unknown shape',
        { node: peer },
        'a message to the name any is none of those that it takes',
      );
    } else if (word.kind !== 'anybody' && word.origin !== peer) {
      this.#counters.dropped.stranger += 1;
      this.#log.warn(
        'any stranger',
        { node: peer, origin: word.origin },
        'a node spoke for another one to the name any',
      );
    } else {
      this.#hear(word, peer);
    }
  }
}
