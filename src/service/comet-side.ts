/** Comet of one gateway, put together: who sends to pages, who says which of them may listen, and what is shared. */

import type { Logger } from 'pino';
import { Comet } from '../comet/comet.js';
import { type Config, hasComet } from '../config/schema.js';
import type { Gateway } from '../gateway/gateway.js';
import { type Admission, ANYONE } from '../http/comet/admission.js';
import { Asking } from '../http/comet/asking.js';
import type { CometEndpoint } from '../http/comet/comet-front.js';
import { Tokens } from '../http/comet/tokens.js';
import type { HiddenNode } from '../node/hidden-node.js';
import type { Counters } from '../observe/counters.js';

export class CometSide {
  readonly comet: Comet;
  readonly endpoint: CometEndpoint;
  readonly #admission: Admission;

  /**
   * To be made before the node is connected to any other.
   * @param processes that share this gateway's pages
   * @returns `undefined`: nobody may listen
   * @throws MegaphoneError CONFIG_COMET_KEY_…
   */
  static of(
    node: HiddenNode,
    gateway: Gateway,
    config: Config,
    processes: number,
    counters: Counters,
    log: Logger,
  ): CometSide | undefined {
    if (!hasComet(config)) return undefined;
    const admission = admissionOf(node, gateway, config, counters, log);
    const { comet_nodes: nodes, comet_ring_count: count, comet_ring_time: seconds } = config;
    const ring = { count, seconds, bytes: config.comet_ring_memory };
    return new CometSide(new Comet(node, { nodes, ring, processes }, counters, log), admission, config);
  }

  private constructor(comet: Comet, admission: Admission, config: Config) {
    this.comet = comet;
    this.#admission = admission;
    this.endpoint = {
      service: comet,
      admission,
      maxIds: config.comet_max_ids,
      maxUnread: config.comet_max_unread,
    };
  }

  /** Once a second. */
  tick(now: number): void {
    this.comet.tick(now);
    if (this.#admission instanceof Asking) this.#admission.tick(now);
  }

  reload(): void {
    if (this.#admission instanceof Tokens) this.#admission.reload();
  }
}

function admissionOf(
  node: HiddenNode,
  gateway: Gateway,
  config: Config,
  counters: Counters,
  log: Logger,
): Admission {
  const { comet_key_file, comet_ask: name, comet_nodes, comet_max_ids: maxIds, max_connections } = config;
  if (comet_key_file !== '') return new Tokens(comet_key_file, log);
  if (name === '') return ANYONE;
  const asking = new Asking(
    node,
    {
      name,
      nodes: comet_nodes.map((each) => each.name),
      offset: config.max_exchanges + max_connections,
      capacity: max_connections,
      maxIds,
    },
    counters,
    log,
  );
  node.adoptPids(asking.beside(gateway));
  return asking;
}
