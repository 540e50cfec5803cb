/**
 * Who has a token may listen to what it names (JWT, RFC 7519): its claim `ids`, a list of which `*` is any; without it, `sub` is the one id. It
 * has to say when it ends (`exp`). It comes in the query, as Bearer, or in a cookie, and gets into no log.
 */

import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { text } from '../replies.js';
import type { Reply } from '../response.js';
import type { Admission, Visitor } from './admission.js';
import { type Asked, cookieIn } from './asked.js';
import { readTokenKey, type TokenKey } from './token-key.js';

const COOKIE = 'megaphone_token';
const ANY = '*';
/** RFC 6455 §7.4.1 */
const FAULT = 1011;

/** RFC 6750 §3 */
const unauthorized = (line: string, parameters = ''): Reply => ({
  ...text(401, line, ['www-authenticate', `Bearer${parameters}`]),
  reason: 'not_admitted',
});
const invalid = (line: string): Reply => unauthorized(line, ' error="invalid_token"');
const NO_TOKEN = unauthorized(
  `A token is needed to listen here: in ?token=, in the header Authorization: Bearer, or in the cookie ${COOKIE}.`,
);
const OTHER_IDS: Reply = {
  ...text(403, 'This token is for other ids.', ['www-authenticate', 'Bearer error="insufficient_scope"']),
  reason: 'not_admitted',
};

export class Tokens implements Admission {
  readonly #path: string;
  readonly #log: Logger;
  #key: TokenKey;

  /** @throws MegaphoneError CONFIG_COMET_KEY_… */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#key = readTokenKey(path);
  }

  /** Of those that come from now on. */
  reload(): void {
    try {
      this.#key = readTokenKey(this.#path);
      this.#log.info(`tokens of web pages are verified with the key in ${this.#path}`);
    } catch (error) {
      this.#log.error({ err: error }, `the old key stays: ${(error as Error).message}`);
    }
  }

  ask(visitor: Visitor, asked: Asked): number {
    this.#decide(asked)
      .then((decision) => {
        if (typeof decision === 'number') visitor.admit(asked.ids, decision);
        else visitor.refuse(decision);
      })
      .catch((error: unknown) => {
        this.#log.error({ err: error }, 'a page that has a token could not be served');
        visitor.dismiss(FAULT, Buffer.from('a fault of the gateway'));
      });
    return 0;
  }

  left(): void {}

  /** @returns for how many seconds it may */
  async #decide({ ids, token, cookie }: Asked): Promise<number | Reply> {
    const jwt = token ?? cookieIn(cookie, COOKIE);
    if (jwt === undefined || jwt === '') return NO_TOKEN;
    const { key, algorithm } = this.#key;
    let claims: JWTPayload;
    try {
      ({ payload: claims } = await jwtVerify(jwt, key, { algorithms: [algorithm], requiredClaims: ['exp'] }));
    } catch (error) {
      return invalid(whyNot(error, algorithm));
    }
    return mayListen(claims, ids) ? Math.max(0, (claims.exp ?? 0) - Date.now() / 1000) : OTHER_IDS;
  }
}

/** Nothing of the token itself. */
function whyNot(error: unknown, algorithm: string): string {
  if (error instanceof errors.JWTExpired) return 'This token has ended (exp).';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The claim ${error.claim} of this token is missing, or does not hold now.`;
  if (error instanceof errors.JOSEAlgNotAllowed) return `Tokens are signed with ${algorithm} here.`;
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return 'This token is not signed with the key that is known here.';
  return 'This is no token (JWT).';
}

function mayListen({ ids: listed, sub }: JWTPayload, ids: readonly string[]): boolean {
  if (listed === undefined) return ids.every((id) => id === sub);
  if (!Array.isArray(listed)) return false;
  const granted = new Set(listed.map((id) => (Number.isSafeInteger(id) ? String(id) : id)));
  return granted.has(ANY) || ids.every((id) => granted.has(id));
}
