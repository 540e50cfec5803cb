/** The secret of those who may act at the admin port. Only its digest is kept, and compared: no log, error or page can show it. */

import { createHash, timingSafeEqual } from 'node:crypto';
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
    return new AdminToken(digest(token));
  }

  private constructor(bytes: Buffer) {
    this.#digest = bytes;
  }

  /** @param authorization that header (RFC 6750 §2.1). Takes the same time whatever is wrong with it. */
  isIn(authorization: string | undefined): boolean {
    const [, given = ''] = /^bearer +(\S*)$/i.exec(authorization ?? '') ?? [];
    return timingSafeEqual(digest(given), this.#digest);
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text, 'latin1').digest();
