/**
 * What the tests of this directory share: an EPMD, an erl node and a hidden node, in a cluster of their own. With
 * MEGAPHONE_TLS=1 all of them speak TLS 1.3.
 */

import assert from 'node:assert/strict';
import type { Authority } from '../../../scripts/support/authority.js';
import { Epmd } from '../../../scripts/support/epmd.js';
import { Erl, type ErlOptions } from '../../../scripts/support/erl.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode, type NodeOptions } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { happens } from '../../support/until.js';
import { isOverTls, TlsNodes } from '../over-tls.js';

export const PEER = 'peer@localhost';
export const NODE = 'megaphone@localhost';
export const COOKIE = 'correct-horse';
/** For calls that must end long before. */
export const AMPLE_MS = 30_000;

const hostOf = (name: string): string => name.slice(name.indexOf('@') + 1);

export class Cluster {
  readonly epmd: Epmd;
  readonly #tls: TlsNodes;
  readonly cookie = new Cookie(COOKIE);
  readonly #erls: Erl[] = [];
  readonly #nodes: HiddenNode[] = [];

  /** `bare` where the test gives its nodes their certificates itself. */
  static async start(kind?: 'bare'): Promise<Cluster> {
    return new Cluster(await Epmd.start(), kind);
  }

  private constructor(epmd: Epmd, kind?: 'bare') {
    this.epmd = epmd;
    this.#tls = new TlsNodes(kind === 'bare' ? false : isOverTls);
  }

  /** Of the nodes' certificates, over TLS. */
  get authority(): Authority | undefined {
    return this.#tls.authority;
  }

  async erl(options: Partial<ErlOptions> = {}): Promise<Erl> {
    const { name = PEER, args = [] } = options;
    const erl = await Erl.start({
      cookie: COOKIE,
      epmdPort: this.epmd.port,
      ...options,
      name,
      args: [...this.#tls.erlArgs(hostOf(name)), ...args],
    });
    this.#erls.push(erl);
    return erl;
  }

  async node(options: Partial<NodeOptions> = {}): Promise<HiddenNode> {
    const { name = NODE } = options;
    const files = this.#tls.issue(hostOf(name));
    const node = await HiddenNode.start({
      name,
      ...(files === undefined ? {} : { tls: new TlsCredentials(files) }),
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
    this.#tls.remove();
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
