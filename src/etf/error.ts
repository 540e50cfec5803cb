/** The error of this layer, and its codes. */

import { MegaphoneError } from '../errors.js';

/** What can be wrong with a term or with its bytes. */
export type EtfCode =
  /** The bytes end, or a length claims more than is there. */
  | 'ETF_TRUNCATED'
  /** Bytes are left over behind the term. */
  | 'ETF_TRAILING_BYTES'
  | 'ETF_BAD_VERSION'
  | 'ETF_BAD_TAG'
  /** A tag that exists, but that no peer may send to us. */
  | 'ETF_UNSUPPORTED_TAG'
  | 'ETF_BAD_ATOM'
  | 'ETF_BAD_INTEGER'
  | 'ETF_BAD_FLOAT'
  | 'ETF_BAD_BITSTRING'
  | 'ETF_BAD_IDENTIFIER'
  | 'ETF_BAD_FUN'
  | 'ETF_DUPLICATE_KEY'
  | 'ETF_TOO_DEEP'
  | 'ETF_TOO_MANY_ELEMENTS'
  | 'ETF_TOO_LARGE'
  /** A JavaScript value that is no term. */
  | 'ETF_NOT_A_TERM';

export class EtfError extends MegaphoneError {
  declare readonly code: EtfCode;

  constructor(code: EtfCode, message: string, hint?: string) {
    super(code, message, hint === undefined ? {} : { hint });
  }
}
