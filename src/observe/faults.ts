/** Errors of the gateway's own in what operators ask for: told in the log, with where they are. The process, and its clients, live on. */

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
      'what an operator asked for failed by a fault of the gateway',
    );
    return new MegaphoneError(CODE, 'That failed by a fault of the gateway.', {
      hint: `its log has it: ${CODE}`,
    });
  }
}
