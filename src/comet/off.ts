/** Where comet is off, nobody takes a message. */

import { MegaphoneError } from '../errors.js';
import type { CometDesk } from './ports.js';

export const COMET_OFF: CometDesk = {
  publish: () =>
    Promise.reject(
      new MegaphoneError('COMET_OFF', 'comet is off in this gateway', {
        hint: 'say who may listen: comet_key_file, comet_ask or comet_anyone',
      }),
    ),
};
