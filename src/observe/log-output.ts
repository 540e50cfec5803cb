/**
 * Where log lines go. Each is written at once, in this thread, as a crash must not lose those that tell of it, and without
 * waiting for whoever reads them. The service goes on, and never tries again and again to tell that it cannot tell.
 *
 *             a line             no room with the reader    cannot be written           time to try again
 *   flowing   is written         stalled, the line waits    the line is lost            ·
 *   stalled   waits, or is lost  ·                          the line is lost            flowing, when none waits any more
 *
 * It is stalled as long as a line waits. A line is lost behind `MAX_WAITING` bytes of others, or where the disk is full or the
 * reader gone. Where a part of it was written before, it is torn, and a line break goes before the next one, which waits or is
 * lost with that. Lines lost are counted, and as soon as one can be written again, `goesOn` is emitted with how many.
 */

import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnblockedFile } from './unblocked-file.js';

/** Bytes of lines that wait, each with some for itself. */
const MAX_WAITING = 1024 * 1024;
const OVERHEAD = 256;
const TRY_MS = 50;
const LAST_MS = 1000;

const NEWLINE = Buffer.from('\n');

export class LogOutput extends Writable {
  readonly #file: Pick<UnblockedFile, 'write'>;
  /** In order; empty while it flows. */
  readonly #waiting = new Set<Buffer>();
  #waitingBytes = 0;
  /** Bytes of the first line that were written. */
  #written = 0;
  /** The next line must not continue the one before. */
  #isTorn = false;
  #lost = 0;
  /** Of these, since `goesOn` was emitted last. */
  #untold = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: Pick<UnblockedFile, 'write'>) {
    super({ decodeStrings: false });
    this.#file = file;
  }

  /** Lines that were not written whole. */
  get lost(): number {
    return this.#lost;
  }

  override _write(line: string | Buffer, _encoding: string, done: () => void): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.size > 0 && this.#waitingBytes + bytes.length > MAX_WAITING) {
      this.#lose();
    } else {
      this.#waiting.add(bytes);
      this.#waitingBytes += bytes.length + OVERHEAD;
    }
    this.flush();
    done();
  }

  /** Writes what waits, as far as there is room. */
  flush(): void {
    let isWritten = false;
    for (const line of this.#waiting) {
      const result = this.#tryToWrite(line);
      if (result === 'stalled') {
        this.#tryAgain();
        return;
      }
      isWritten = result === 'written';
      this.#waiting.delete(line);
      this.#waitingBytes -= line.length + OVERHEAD;
      this.#written = 0;
    }
    if (!isWritten || this.#untold === 0) return;
    const untold = this.#untold;
    this.#untold = 0;
    this.emit('goesOn', untold);
  }

  /** Resolves when nothing waits, or soon: for a process that is about to end. */
  async flushed(): Promise<void> {
    for (let left = LAST_MS; this.#waiting.size > 0 && left > 0; left -= TRY_MS) await sleep(TRY_MS);
  }

  #tryToWrite(line: Buffer): 'written' | 'lost' | 'stalled' {
    try {
      if (this.#isTorn) this.#file.write(NEWLINE, 0);
      this.#isTorn = false;
      while (this.#written < line.length) this.#written += this.#file.write(line, this.#written);
      return 'written';
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 'stalled';
      this.#isTorn ||= this.#written > 0;
      this.#lose();
      return 'lost';
    }
  }

  #lose(): void {
    this.#lost += 1;
    this.#untold += 1;
  }

  #tryAgain(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, TRY_MS).unref();
  }
}

/** There is one for each process. */
export const standardFile = new UnblockedFile(1);
export const standardOutput = new LogOutput(standardFile);
