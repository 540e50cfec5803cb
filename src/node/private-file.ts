/** Secrets in files that nobody but their owner may read. */

import { dirname } from 'node:path';
import { type ErrorCode, MegaphoneError } from '../errors.js';
import { readRegularFile } from '../regular-file.js';

export interface PrivateFile {
  /** Such as `cookie file`. */
  readonly what: string;
  readonly notPrivate: ErrorCode;
  readonly unreadable: ErrorCode;
  /** What mends that it cannot be read. */
  readonly hint: string;
}

const MOST = 64 * 1024;

/**
 * The first line.
 * @param credentials where systemd puts secrets, private whatever their mode says: with an access list the group's part is the mask of
 * that list
 * @throws MegaphoneError `notPrivate`, `unreadable`
 */
export function readPrivateLine(
  path: string,
  { what, notPrivate, unreadable, hint }: PrivateFile,
  credentials: string | undefined,
): string {
  const isCredential = credentials !== undefined && dirname(path) === credentials;
  const bytes = readRegularFile(path, {
    code: unreadable,
    problem: `The ${what} ${path} cannot be read`,
    hint,
    most: MOST,
    check: ({ mode }) => {
      if (isCredential || (mode & 0o077) === 0) return;
      throw new MegaphoneError(notPrivate, `Others than its owner may read the ${what} ${path}`, {
        hint: `chmod 400 ${shellQuoted(path)}`,
      });
    },
  });
  const [line = ''] = bytes.toString('latin1').split(/\r?\n/, 1);
  return line;
}

function shellQuoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
