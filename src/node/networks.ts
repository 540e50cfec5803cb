/** Addresses and ranges of them. */

import { BlockList, isIP } from 'node:net';

export class Networks {
  readonly #list = new BlockList();

  /** @param ranges addresses and CIDR ranges, already validated, e.g. `10.0.0.0/8`, `::1` */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  has(ip: string): boolean {
    return this.#list.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4');
  }
}
