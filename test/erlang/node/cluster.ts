/**
 * What the tests of this directory share: an EPMD, an erl node and a hidden node, in a cluster of their own. With
 * MEGAPHONE_TLS=1 all of them speak TLS 1.3.
 */

import assert from 'node:assert/strict';
import { Authority } from '../../../scripts/support/authority.js';
import { Epmd } from '../../../scripts/support/epmd.js';
import { Erl, type ErlOptions } from '../../../scripts/support/erl.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode, type NodeOptions } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { happens } from '../../support/until.js';

export const PEER = 'peer@localhost';
export const NODE = 'megaphone@localhost';
export const COOKIE = 'correct-horse';
/** For calls that must end long before. */
export const AMPLE_MS = 30_000;

const { MEGAPHONE_TLS: tls = '0' } = process.env;
export const isOverTls = tls !== '0';
const TLS_13 = "{versions,['tlsv1.3']}";
const hostOf = (name: string): string => name.slice(name.indexOf('@') + 1);

export class Cluster {
  readonly epmd: Epmd;
  readonly authority = isOverTls ? new Authority() : undefined;
  readonly cookie = new Cookie(COOKIE);
  readonly #erls: Erl[] = [];
  readonly #nodes: HiddenNode[] = [];

  static async start(): Promise<Cluster> {
    return new Cluster(await Epmd.start());
  }

  private constructor(epmd: Epmd) {
    this.epmd = epmd;
  }

  async erl(options: Partial<ErlOptions> = {}): Promise<Erl> {
    const { name = PEER, args = [] } = options;
    const over = this.authority?.erlArgs(this.authority.issue({ host: hostOf(name) }), {
      server: TLS_13,
      client: TLS_13,
    });
    const erl = await Erl.start({
      cookie: COOKIE,
      epmdPort: this.epmd.port,
      ...options,
      name,
      args: [...(over ?? []), ...args],
    });
    this.#erls.push(erl);
    return erl;
  }

  async node(options: Partial<NodeOptions> = {}): Promise<HiddenNode> {
    const { name = NODE } = options;
    const { authority } = this;
    const node = await HiddenNode.start({
      name,
      ...(authority === undefined
        ? {}
        : { tls: new TlsCredentials(authority.issue({ host: hostOf(name) })) }),
      cookie: this.cookie,
      epmd: { port: this.epmd.port },
      ...options,
    });
    this.#nodes.push(node);
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await Promise.all(this.#erls.map((erl) => erl.kill()));
    await this.epmd.stop();
    this.authority?.remove();
  }
}

/** The error of the next event that carries one, and the node it speaks of. */
export async function nextError(
  node: HiddenNode,
  event: 'down' | 'unreachable' | 'refused' | 'epmdLost',
): Promise<MegaphoneError> {
  const args: unknown[] = await happens(node, event);
  const error = args.find((value) => value instanceof Error);
  assert.ok(error !== undefined);
  return error as MegaphoneError;
}
