/**
 * The secret of those who may act at the admin port. Its digest is what is compared, and the key that is made of it cannot be printed: no
 * log, error or page can show it.
 */

import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { MegaphoneError } from '../errors.js';
import { type PrivateFile, readPrivateLine } from '../node/private-file.js';

const TOKEN_FILE: PrivateFile = {
  what: 'token file',
  notPrivate: 'CONFIG_TOKEN_NOT_PRIVATE',
  unreadable: 'CONFIG_TOKEN_UNREADABLE',
  hint: 'Write a token there, readable for this user alone: (umask 077; openssl rand -hex 32 > FILE)',
};

/** Not to be guessed however fast somebody tries, and what a header can carry. */
const TOKEN = /^[!-~]{20,255}$/;

export class AdminToken {
  readonly #digest: Buffer;
  readonly #key: KeyObject;

  /** @throws MegaphoneError CONFIG_TOKEN_… */
  static read(path: string): AdminToken {
    const token = readPrivateLine(path, TOKEN_FILE, process.env.CREDENTIALS_DIRECTORY);
    if (!TOKEN.test(token)) {
      throw new MegaphoneError(
        'CONFIG_TOKEN_INVALID',
        `The token in ${path} is too short, too long or not printable`,
        {
          hint: 'Its first line is the token, 20 to 255 printable ASCII characters: openssl rand -hex 32',
        },
      );
    }
    return new AdminToken(token);
  }

  private constructor(token: string) {
    this.#digest = digest(token);
    this.#key = createSecretKey(token, 'latin1');
  }

  /** @param authorization that header (RFC 6750 §2.1). Takes the same time whatever is wrong with it. */
  isIn(authorization: string | undefined): boolean {
    return this.#is(bearerOf(authorization));
  }

  /**
   * The token itself, or what libraries of GRIP make of the key that they are given: a password (RFC 7617), or the signature of a JWT
   * that has not ended (RFC 7519, by HS256 alone, whatever it says of itself).
   * @param seconds since 1970
   */
  isKeyOf(authorization: string | undefined, seconds: number): boolean {
    const bearer = bearerOf(authorization);
    return this.#is(bearer) || this.#is(passwordOf(authorization)) || this.#signs(bearer, seconds);
  }

  #is(given: string): boolean {
    return timingSafeEqual(digest(given), this.#digest);
  }

  #signs(jwt: string, seconds: number): boolean {
    const [head = '', claims = '', signature = '', ...more] = jwt.split('.');
    if (more.length > 0) return false;
    const right = createHmac('sha256', this.#key).update(`${head}.${claims}`, 'latin1').digest();
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== right.length || !timingSafeEqual(given, right)) return false;
    const { exp, nbf = 0 } = membersOf(claims);
    const isNow = typeof exp === 'number' && exp > seconds && typeof nbf === 'number' && nbf <= seconds;
    return isNow && membersOf(head).alg === 'HS256';
  }
}

const bearerOf = (authorization: string | undefined): string =>
  /^bearer +(\S*)$/i.exec(authorization ?? '')?.[1] ?? '';

/** Whoever the user is. */
function passwordOf(authorization: string | undefined): string {
  const [, encoded = ''] = /^basic +(\S*)$/i.exec(authorization ?? '') ?? [];
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  return text.slice(text.indexOf(':') + 1);
}

/** Of a part of a JWT. */
function membersOf(encoded: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text, 'latin1').digest();
