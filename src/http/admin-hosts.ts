/**
 * The names by which the admin port may be addressed. A web page whose own name was made to lead to this machine (DNS
 * rebinding) has a browser send that name, and is none of them. An IP address is nobody's to give away.
 */

import { isIP } from 'node:net';
import { hostname } from 'node:os';

export class AdminHosts {
  readonly #names: ReadonlySet<string>;

  /** @param config `node` is this node's name, whose host part is one */
  constructor({ node, admin_hosts }: { readonly node: string; readonly admin_hosts: readonly string[] }) {
    const own = ['localhost', hostname(), node.slice(node.indexOf('@') + 1)];
    this.#names = new Set([...own, ...admin_hosts].map((name) => name.toLowerCase()));
  }

  /** @param host a Host header: a name or an address, IPv6 in brackets, and perhaps a port */
  has(host: string): boolean {
    const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
    if (bracketed !== undefined) return isIP(bracketed) === 6;
    return name !== undefined && (isIP(name) === 4 || this.#names.has(name.toLowerCase()));
  }
}
