/** Errors of the gateway's own in reports and in what operators ask for: told in the log, with where they are. The process, and its clients, live on. */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { LimitedLog } from './limited-log.js';

const CODE = 'GATEWAY_FAULT';

export class Faults {
  readonly #limited: LimitedLog;

  constructor(log: Logger) {
    this.#limited = new LimitedLog(log);
  }

  /** @returns what is told to who asked */
  tell(error: unknown): MegaphoneError {
    this.#limited.error(
      CODE,
      { err: error, code: CODE },
      'a report, or what an operator asked for, failed by a fault of the gateway',
    );
    return new MegaphoneError(CODE, 'That failed by a fault of the gateway.', {
      hint: `its log has it: ${CODE}`,
    });
  }

  /** For timers, whose faults nobody else hears. @returns `undefined` where it failed */
  attempt<T>(what: () => T): T | undefined {
    try {
      return what();
    } catch (error) {
      this.tell(error);
      return undefined;
    }
  }

  /** For those who must be told something. @returns a `what` that gives what it gave last where it fails */
  lasting<T>(what: () => T): () => T {
    let latest = what();
    return () => {
      latest = this.attempt(what) ?? latest;
      return latest;
    };
  }
}
