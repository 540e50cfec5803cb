/** Secrets in files that nobody but their owner may read. */

import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, MegaphoneError } from '../errors.js';

export interface PrivateFile {
  /** Such as `cookie file`. */
  readonly what: string;
  readonly notPrivate: ErrorCode;
  readonly unreadable: ErrorCode;
  /** What mends that it cannot be read. */
  readonly hint: string;
}

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
  try {
    const { mode } = statSync(path);
    const isCredential = credentials !== undefined && dirname(path) === credentials;
    if (!isCredential && (mode & 0o077) !== 0) {
      throw new MegaphoneError(notPrivate, `Others than its owner may read the ${what} ${path}`, {
        hint: `chmod 400 ${shellQuoted(path)}`,
      });
    }
    const [line = ''] = readFileSync(path, 'latin1').split(/\r?\n/, 1);
    return line;
  } catch (cause) {
    if (cause instanceof MegaphoneError) throw cause;
    throw new MegaphoneError(unreadable, `The ${what} ${path} cannot be read`, { cause, hint });
  }
}

function shellQuoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
