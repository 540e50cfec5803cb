/**
 * Distribution flags: what each side of a connection can do.
 * Erlang Distribution Protocol, "Distribution Flags". 64 bits wide, hence `bigint` (in JavaScript `1 << 34` is 4).
 */

export const FLAGS = {
  /** The node is visible in `nodes()`. Never ours: leaving it off is what makes a node hidden. */
  PUBLISHED: 0x1n,
  EXTENDED_REFERENCES: 0x4n,
  DIST_MONITOR: 0x8n,
  FUN_TAGS: 0x10n,
  DIST_MONITOR_NAME: 0x20n,
  NEW_FUN_TAGS: 0x80n,
  EXTENDED_PIDS_PORTS: 0x100n,
  EXPORT_PTR_TAG: 0x200n,
  BIT_BINARIES: 0x400n,
  NEW_FLOATS: 0x800n,
  UTF8_ATOMS: 0x10000n,
  MAP_TAG: 0x20000n,
  BIG_CREATION: 0x40000n,
  SEND_SENDER: 0x80000n,
  EXIT_PAYLOAD: 0x400000n,
  HANDSHAKE_23: 0x1000000n,
  UNLINK_ID: 0x2000000n,
  /** Bit 26 as in `dist.hrl`; the guide's `1 bsl 36` is refused by real nodes. */
  MANDATORY_25_DIGEST: 0x4000000n,
  /** The sender has no host name yet and asks us for one: nothing a static node name can answer. */
  NAME_ME: 1n << 33n,
  V4_NC: 1n << 34n,
  ALIAS: 1n << 35n,
} as const;

export type FlagName = keyof typeof FLAGS;

/** What OTP 25 calls mandatory, and the two without which 32-bit pids and links would not work (mandatory since OTP 26). */
const REQUIRED: readonly FlagName[] = [
  'EXTENDED_REFERENCES',
  'FUN_TAGS',
  'NEW_FUN_TAGS',
  'EXTENDED_PIDS_PORTS',
  'EXPORT_PTR_TAG',
  'BIT_BINARIES',
  'NEW_FLOATS',
  'UTF8_ATOMS',
  'MAP_TAG',
  'BIG_CREATION',
  'HANDSHAKE_23',
  'UNLINK_ID',
  'V4_NC',
];

const OFFERED: readonly FlagName[] = [
  ...REQUIRED,
  'MANDATORY_25_DIGEST',
  // Both: calls to us are then guarded by a monitor and fail at once when the name is unknown.
  'DIST_MONITOR',
  'DIST_MONITOR_NAME',
  // Exit reasons travel as payloads, so that a huge one is not decoded with its control message.
  'EXIT_PAYLOAD',
];

/**
 * What we announce. Left off on purpose: SEND_SENDER (nobody asks who sent an answer, and it would be a third of the
 * bytes around it), SPAWN (an `rpc:call` to us then fails at once instead of hanging),
 * DIST_HDR_ATOM_CACHE and FRAGMENTS (either one switches the connection to distribution headers).
 */
export const OUR_FLAGS: bigint = OFFERED.reduce((set, name) => set | FLAGS[name], 0n);

/** The flags a peer must have and has not; empty when it will do. */
export function missingFlags(theirs: bigint): readonly FlagName[] {
  return REQUIRED.filter((name) => (theirs & FLAGS[name]) === 0n);
}
