/** What the log says of comet as the gateway starts. */

import type { Config } from '../config/schema.js';

/** @param url where web clients find this gateway */
export function cometLine(url: string, config: Config): string {
  const { comet_key_file, comet_ask, comet_anyone, workers } = config;
  const who = comet_anyone
    ? 'anyone'
    : comet_ask !== ''
      ? `whom ${comet_ask} lets`
      : `who has a token for the key in ${comet_key_file}`;
  // Who sends to `any` does not choose the worker.
  const need = workers > 1 ? '; with several workers it takes a node with megaphone_comet' : '';
  return `Comet: ${url}/comet/ID, for ${who}${need}`;
}
