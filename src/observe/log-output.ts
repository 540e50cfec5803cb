/**
 * Where log lines go. One that cannot be written, because the disk is full or the reader gone, is lost and counted:
 * the service goes on, and never tries again and again to tell that it cannot tell.
 */

import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

export class LogOutput extends Writable {
  readonly #fd: number;
  #lost = 0;
  /** A line was written in part: the next one must not continue it. */
  #isTorn = false;

  /** @param fd a file descriptor, open for writing */
  constructor(fd: number) {
    super({ decodeStrings: false });
    this.#fd = fd;
  }

  /** Lines that were not written whole. */
  get lost(): number {
    return this.#lost;
  }

  /** At once, in this thread: a crash must not lose the lines that tell of it. */
  override _write(line: string | Buffer, _encoding: string, done: () => void): void {
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line);
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
      this.#isTorn = false;
    } catch {
      this.#lost += 1;
      this.#isTorn ||= at > 0;
    }
    done();
  }
}

/** There is one for each process. */
export const standardOutput = new LogOutput(1);
