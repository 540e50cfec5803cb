/**
 * Whether a request opens a WebSocket for XMPP (RFC 6455 §4.2, RFC 7395 §3.1), and what is answered. Extensions are
 * ignored, which declines them (RFC 6455 §9.1).
 *
 *   request                                                            answer
 *   another method than GET                                            405
 *   no sign of an upgrade, or HTTP/1.0, which has none                 426
 *   an upgrade without `Upgrade: websocket` or `Connection: Upgrade`   400
 *   another version than 13                                            426
 *   no key of 16 bytes                                                 400
 *   a page of an origin that is not allowed                            403
 *   without the subprotocol `xmpp`                                     400
 *   else                                                               101
 */

import { createHash } from 'node:crypto';

/** What is read of a request. Headers that come several times are joined by commas. */
export interface UpgradeRequest {
  readonly method: string;
  readonly isHttp11: boolean;
  header(name: UpgradeHeader): string | undefined;
}

export type UpgradeHeader =
  | 'host'
  | 'origin'
  | 'upgrade'
  | 'connection'
  | 'sec-websocket-key'
  | 'sec-websocket-version'
  | 'sec-websocket-protocol';

export interface Refusal {
  readonly status: 400 | 403 | 405 | 426;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** One line, which says what to do. */
  readonly why: string;
}

export interface UpgradeAnswer {
  /** What its client hears if it is granted. */
  readonly switching: Buffer;
  /** Header lines of any other answer. */
  readonly lines: string;
}

/** RFC 6455 §1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const PROTOCOL = 'xmpp';
const VERSION = '13';
const KEY = /^[A-Za-z0-9+/]{22}==$/;

const ABOUT = 'This is a WebSocket endpoint for XMPP (RFC 7395).';
const NO_METHOD: Refusal = {
  status: 405,
  headers: [['allow', 'GET, HEAD']],
  why: `${ABOUT} It is opened with GET.`,
};
const upgradeRequired = (why: string): Refusal => ({
  status: 426,
  headers: [
    ['upgrade', 'websocket'],
    ['connection', 'upgrade'],
    ['sec-websocket-version', VERSION],
  ],
  why,
});
const PLAIN = upgradeRequired(`${ABOUT} Chat clients open it with an upgrade of HTTP/1.1.`);
const OTHER_VERSION = upgradeRequired(`The WebSocket version known here is ${VERSION} (RFC 6455).`);
const bad = (why: string): Refusal => ({ status: 400, headers: [], why });
const STRIPPED = bad(
  'The headers "Upgrade: websocket" and "Connection: Upgrade" did not arrive. A proxy in front has to pass them on.',
);
const BAD_KEY = bad('Sec-WebSocket-Key has to be 16 bytes in base64.');
const OTHER_PROTOCOL = bad(
  'The client has to offer the subprotocol xmpp: Sec-WebSocket-Protocol: xmpp (RFC 7395).',
);
const FOREIGN: Refusal = {
  status: 403,
  headers: [],
  why: 'Pages of this origin may not connect: cors_origins has to name it.',
};

export class Upgrades {
  readonly #origins: ReadonlySet<string> | undefined;

  /** @param origins as `cors_origins`: e.g. `https://chat.example.org`; `*` among them allows all */
  constructor(origins: readonly string[]) {
    this.#origins = origins.includes('*') ? undefined : new Set(origins);
  }

  /** Why it is refused; `undefined`: it is granted, and `switching` is the answer. */
  refusalOf(request: UpgradeRequest): Refusal | undefined {
    if (request.method !== 'GET' && request.method !== 'HEAD') return NO_METHOD;
    if (!wantsUpgrade(request) || !request.isHttp11 || request.method === 'HEAD') return PLAIN;
    const why = faultIn(request);
    if (why !== undefined) return why;
    if (!this.#isAllowed(request.header('origin'), request.header('host'))) return FOREIGN;
    return tokens(request.header('sec-websocket-protocol')).includes(PROTOCOL) ? undefined : OTHER_PROTOCOL;
  }

  /** Programs that are no browser name none; and a page of the very same place needs no leave. */
  #isAllowed(origin: string | undefined, host: string | undefined): boolean {
    if (this.#origins === undefined || origin === undefined || this.#origins.has(origin)) return true;
    return origin.replace(/^https?:\/\//, '') === host?.toLowerCase();
  }
}

/** Its client, or a proxy, speaks of a WebSocket. */
export const wantsUpgrade = (request: UpgradeRequest): boolean =>
  request.header('upgrade') !== undefined || request.header('sec-websocket-key') !== undefined;

/** Of a GET in HTTP/1.1, whatever is to be spoken then. */
export function faultIn(request: UpgradeRequest): Refusal | undefined {
  const key = request.header('sec-websocket-key');
  const isWhole = includes(request.header('upgrade'), 'websocket');
  if (!isWhole || !includes(request.header('connection'), 'upgrade')) return STRIPPED;
  if (request.header('sec-websocket-version') !== VERSION) return OTHER_VERSION;
  return key === undefined || !KEY.test(key) ? BAD_KEY : undefined;
}

/** The head of the answer that grants it. @param key of a request that is not refused; @param protocol that was offered, where one is taken */
export function switching(key: string, protocol?: string): Buffer {
  const taken = protocol === undefined ? '' : `sec-websocket-protocol: ${protocol}\r\n`;
  return Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept(key)}\r\n${taken}\r\n`,
    'latin1',
  );
}

export const accept = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

const tokens = (list: string | undefined): string[] => list?.split(',').map((token) => token.trim()) ?? [];

/** In any case (RFC 9110 §7.6.1, §7.8). */
const includes = (list: string | undefined, token: string): boolean =>
  tokens(list?.toLowerCase()).includes(token);
