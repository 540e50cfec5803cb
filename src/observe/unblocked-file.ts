/**
 * A file descriptor of ours that other processes may have, too, written to without waiting for a reader, where it can be.
 *
 *   pipe, FIFO, terminal   is opened a second time, as whether one blocks is a property of what was opened
 *   socket, or a pipe      cannot be: it is switched for all who have it, as node:net does with every one
 *     of another user
 *   terminal               cannot be either, nor be switched, as a person's shell has it, too: it is written to as it is, and
 *     of another user      who stops it (Ctrl-S) stops the gateway. One has it behind `su`, or in a container with -t and a USER
 *   file                   has no reader
 */

import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;

export class UnblockedFile {
  readonly #given: number;
  /** What is written to; `undefined` at first. */
  #fd: number | undefined;
  #socket: Socket | undefined;

  /** @param fd open for writing */
  constructor(fd: number) {
    this.#given = fd;
  }

  /** @returns how many bytes were written, from `start` on @throws EAGAIN where there is no room for any */
  write(bytes: Buffer, start: number): number {
    this.#fd ??= this.#open();
    return writeSync(this.#fd, bytes, start);
  }

  /** Whether a process that is given it, too, would make it block: Node.js does so with its standard output as it starts and ends. */
  get mustNotBeShared(): boolean {
    this.#fd ??= this.#open();
    return this.#socket !== undefined;
  }

  #open(): number {
    const fd = this.#given;
    const stat = fstatSync(fd);
    if (stat.isFile()) return fd;
    if (!stat.isSocket()) {
      try {
        return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      } catch {
        // Another user's, or nobody has it open for reading.
      }
    }
    if (!stat.isCharacterDevice()) this.#socket = new Socket({ fd, readable: false, writable: true });
    return fd;
  }
}
