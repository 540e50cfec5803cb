/** Node names: `alive@host`. A dot in the host part makes a long name, as with `erl -name`. */

import { MegaphoneError } from '../errors.js';

export interface NodeName {
  /** `ejabberd@localhost` */
  readonly full: string;
  /** `ejabberd`: what EPMD knows. */
  readonly alive: string;
  /** `localhost`: where to look. */
  readonly host: string;
  readonly long: boolean;
}

// An atom of at most 255 characters; the alive part as OTP's net_kernel accepts it, the host also as an IPv6 address.
const PATTERN = /^([0-9A-Za-z_-]+)@([0-9A-Za-z_.:-]+)$/;

/** @throws MegaphoneError NODE_BAD_NAME */
export function parseNodeName(full: string): NodeName {
  const [, alive, host] = full.length <= 255 ? (PATTERN.exec(full) ?? []) : [];
  if (alive === undefined || host === undefined) {
    throw new MegaphoneError('NODE_BAD_NAME', `"${full.slice(0, 80)}" is not a node name`, {
      hint: 'A node name is alive@host: letters, digits, _ and - before the @, a host name or address behind it.',
    });
  }
  return { full, alive, host, long: host.includes('.') };
}
