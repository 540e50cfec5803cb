/**
 * What an operator names as a file: it is read where it is one, links followed, and of a bounded size. To open a pipe waits for whoever
 * writes into it, and the whole process with it.
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { type ErrorCode, MegaphoneError } from './errors.js';

export interface RegularFile {
  readonly code: ErrorCode;
  /** That it cannot be read, which the reason follows. */
  readonly problem: string;
  /** What mends that. */
  readonly hint: string;
  /** Bytes. */
  readonly most?: number;
  /** May refuse the file by throwing a `MegaphoneError`. */
  readonly check?: (file: Stats) => void;
}

/** All the roots that a system knows are a quarter of it. */
const MOST = 1024 * 1024;

/** @throws MegaphoneError `code` */
export function readRegularFile(
  path: string,
  { code, problem, hint, most = MOST, check }: RegularFile,
): Buffer {
  let file: number | undefined;
  try {
    // Without waiting for a writer (open(2)); a file itself takes no notice.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = fstatSync(file);
    if (!stats.isFile()) {
      throw new MegaphoneError(code, `${problem}: it is no regular file`, {
        hint: 'name a file, or a link to one: no pipe, device or directory is read',
      });
    }
    check?.(stats);
    const bytes = readSome(file, most + 1);
    if (bytes.length <= most) return bytes;
    throw new MegaphoneError(code, `${problem}: it has more than ${most / 1024} kB`, { hint });
  } catch (cause) {
    if (cause instanceof MegaphoneError) throw cause;
    throw new MegaphoneError(code, `${problem}: ${(cause as NodeJS.ErrnoException).code}`, { cause, hint });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Its size says nothing of a file that grows. */
function readSome(file: number, most: number): Buffer {
  const bytes = Buffer.alloc(most);
  let length = 0;
  for (let got = -1; got !== 0 && length < most; length += got) {
    got = readSync(file, bytes, length, most - length, null);
  }
  return Buffer.from(bytes.subarray(0, length));
}
