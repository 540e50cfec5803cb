/**
 * The cookie: the secret that all nodes of a cluster share. Its value stays inside this class, which gives out
 * digests only, so that no log, error or metric can show it.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { MegaphoneError } from '../errors.js';
import { type PrivateFile, readPrivateLine } from './private-file.js';

export class Cookie {
  readonly #value: string;
  /** The file it was read from; `undefined` for one that came otherwise. */
  readonly file: string | undefined;

  /** @throws MegaphoneError CONFIG_COOKIE_INVALID: 1–255 printable ASCII characters, as OTP's `auth` demands */
  constructor(value: string, file?: string) {
    if (!/^[ -~]{1,255}$/.test(value)) {
      throw new MegaphoneError(
        'CONFIG_COOKIE_INVALID',
        'The cookie is empty, too long or not printable ASCII',
        {
          hint: 'Use the very cookie of the ejabberd node, 1 to 255 printable ASCII characters.',
        },
      );
    }
    this.#value = value;
    this.file = file;
  }

  /** The proof that we know the cookie: MD5 of the cookie and the challenge as decimal text. 16 bytes. */
  digest(challenge: number): Buffer {
    return createHash('md5').update(`${this.#value}${challenge}`, 'latin1').digest();
  }

  toString(): string {
    return '[cookie]';
  }

  toJSON(): string {
    return '[cookie]';
  }

  [inspect.custom](): string {
    return '[cookie]';
  }
}

export interface CookieSources {
  /** The cookie itself, as an environment variable gave it. Wins over the files. */
  readonly env?: string | undefined;
  /** A file with the cookie on its first line. Wins over the home directory. */
  readonly file?: string | undefined;
  /** The directory where `.erlang.cookie` is looked for last. */
  readonly home: string;
  /** Where systemd puts what `LoadCredential=` names: for this service alone, though the mode may not show that. */
  readonly credentials?: string | undefined;
}

/** @throws MegaphoneError CONFIG_COOKIE_…: unreadable, readable for others, invalid */
export function loadCookie({ env, file, home, credentials }: CookieSources): Cookie {
  if (env !== undefined && env !== '') return new Cookie(env);
  const path = file ?? join(home, '.erlang.cookie');
  return new Cookie(readPrivateLine(path, COOKIE_FILE, credentials), path);
}

const COOKIE_FILE: PrivateFile = {
  what: 'cookie file',
  notPrivate: 'CONFIG_COOKIE_NOT_PRIVATE',
  unreadable: 'CONFIG_COOKIE_UNREADABLE',
  hint: 'Copy the cookie of the ejabberd node there (often /var/lib/ejabberd/.erlang.cookie), readable for this user alone.',
};
