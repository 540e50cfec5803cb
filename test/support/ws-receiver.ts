/** What reads frames in the `ws` package, whose types leave it out. */

import type { Writable } from 'node:stream';
import * as ws from 'ws';

export interface ReceiverOptions {
  readonly isServer: boolean;
  readonly maxPayload?: number;
}

export const { Receiver } = ws as unknown as { Receiver: new (options: ReceiverOptions) => Writable };
