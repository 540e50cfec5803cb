/** What is done with a line from outside: its text goes to pages and into chat, and whatever of that fails is told. */

import type { Logger } from 'pino';
import type { CometDesk } from '../comet/ports.js';
import { MegaphoneError } from '../errors.js';
import type { Faults } from '../observe/faults.js';
import { LimitedLog } from '../observe/limited-log.js';
import type { Chat } from './chat.js';
import { type Line, readLine, type Target } from './line.js';
import type { Read } from './line-reader.js';

/** What became of lines, as statistics have it. */
export interface LineCounts {
  said: number;
  failed: number;
}

export class Speaker {
  readonly #fallback: readonly Target[];
  readonly #desk: CometDesk;
  readonly #chat: Chat;
  readonly #counts: LineCounts;
  readonly #faults: Faults;
  readonly #limited: LimitedLog;

  /** @param fallback whom a line without an address is for */
  constructor(
    fallback: readonly Target[],
    desk: CometDesk,
    chat: Chat,
    counts: LineCounts,
    faults: Faults,
    log: Logger,
  ) {
    this.#fallback = fallback;
    this.#desk = desk;
    this.#chat = chat;
    this.#counts = counts;
    this.#faults = faults;
    this.#limited = new LimitedLog(log);
  }

  /** @returns what is wrong, in one line; `undefined`: all whom it is for have it, as far as that is known */
  async say(line: Read): Promise<string | undefined> {
    try {
      if (line instanceof MegaphoneError) throw line;
      await this.#deliver(readLine(line, this.#fallback));
      this.#counts.said += 1;
      return undefined;
    } catch (error) {
      const err = error instanceof MegaphoneError ? error : this.#faults.tell(error);
      this.#counts.failed += 1;
      // Who sent it may have left: nothing is lost without a word. Whom it was for, and what it said, is nobody else's.
      this.#limited.warn(err.code, { code: err.code }, 'a line from outside was not said');
      return oneLine(err);
    }
  }

  /** To all, whatever fails for some. */
  async #deliver({ targets, text }: Line): Promise<void> {
    const ids = targets.filter(({ kind }) => kind === 'id').map(({ name }) => name);
    const chat = targets.filter(({ kind }) => kind !== 'id');
    const ends = await Promise.allSettled([
      ids.length === 0 ? undefined : this.#desk.publish([{ ids, body: Buffer.from(text), meta: {} }]),
      chat.length === 0 ? undefined : this.#chat.say(chat, text),
    ]);
    const [first, second] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    if (first instanceof MegaphoneError && second instanceof MegaphoneError)
      throw new MegaphoneError(first.code, `${first.message}; ${second.message}`, { hint: first.hint ?? '' });
    if (first !== undefined) throw first;
  }
}

const oneLine = ({ message, hint, code }: MegaphoneError): string =>
  `${message}${hint ? ` (${hint})` : ''} [${code}]`.replace(/\s+/g, ' ');
