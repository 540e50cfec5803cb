/**
 * One sender of lines. A line is said before the next one is looked at, and nothing more is read meanwhile: who sends faster than that, or
 * than is allowed, waits, and loses nothing.
 *
 * A browser can be had by any page to send a request to any port of its machine, and the lines of its body would be said. So a connection
 * whose first line is no line of text, or one of HTTP, ends before anything of it is said.
 *
 * What is wrong is told once nothing more comes for a moment, or at the end: a sender that has left already (`nc -q0`) answers with a
 * reset, and that would throw away those of its lines that are not read yet.
 */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MegaphoneError } from '../errors.js';
import { LineReader, type Read } from '../outside/line-reader.js';
import type { AdminDesk } from './admin-desk.js';

const MAX_LINES_PER_SECOND = 1000;
/** As many of what is wrong are kept until they can be told. */
const MAX_PROBLEMS = 100;
const QUIET_MS = 100;
const FINISH_MS = 1000;

/** A request line, whatever its method (RFC 9112 §3); and what TLS begins with (RFC 8446 §5.1). */
const HTTP = /^\S+ \S+ HTTP\/\d/;
const TLS = '\x16';

export class LinesConnection {
  readonly #socket: Socket;
  readonly #desk: Pick<AdminDesk, 'say'>;
  readonly #reader = new LineReader();
  #count = 0;
  #isStranger = false;
  #problems: string[] = [];
  #untold = 0;
  #quiet: NodeJS.Timeout | undefined;
  #second = 0;
  #inSecond = 0;
  /** What was read is said; one after the other. */
  #saying: Promise<void> = Promise.resolve();
  #underWay = 0;

  constructor(socket: Socket, desk: Pick<AdminDesk, 'say'>) {
    this.#socket = socket;
    this.#desk = desk;
    socket.on('data', (bytes) => {
      socket.pause();
      this.#then(this.#reader.read(bytes), () => {
        if (this.#isStranger) return this.#leave();
        this.#quiet = setTimeout(() => this.#tell(), QUIET_MS).unref();
        socket.resume();
      });
    });
    // It may come while the last lines are being said, paused or not.
    socket.on('end', () => {
      this.#then(this.#reader.end(), () => {
        this.#tell();
        socket.end();
      });
    });
    socket.on('close', () => clearTimeout(this.#quiet));
  }

  /** Lines of it are being said. */
  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  /** Ends it, once what was read is said, or cannot be for too long. */
  async finish(): Promise<void> {
    this.#socket.pause();
    await Promise.race([this.#saying, sleep(FINISH_MS, undefined, { ref: false })]);
    this.#leave();
  }

  #leave(): void {
    this.#tell();
    this.#socket.destroySoon();
  }

  /** Behind what is being said. */
  #then(lines: readonly Read[], done: () => void): void {
    clearTimeout(this.#quiet);
    this.#underWay += 1;
    this.#saying = this.#saying
      .then(() => this.#say(lines))
      .then(() => {
        this.#underWay -= 1;
        done();
      });
  }

  async #say(lines: readonly Read[]): Promise<void> {
    for (const line of lines) {
      if (this.#isStranger) return;
      await this.#pace();
      this.#count += 1;
      this.#isStranger = this.#count === 1 && isStrange(line);
      const problem = await this.#desk.say(this.#isStranger ? stranger() : line);
      if (problem !== undefined) this.#note(`line ${this.#count}: ${problem}`);
    }
  }

  async #pace(): Promise<void> {
    const now = performance.now();
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#inSecond = 0;
    }
    this.#inSecond += 1;
    if (this.#inSecond > MAX_LINES_PER_SECOND) await sleep(this.#second + 1000 - now);
  }

  #note(problem: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
    else this.#untold += 1;
  }

  #tell(): void {
    if (this.#problems.length === 0) return;
    if (this.#untold > 0) this.#problems.push(`and ${this.#untold} more lines`);
    const text = `${this.#problems.join('\n')}\n`;
    // Who does not read what is wrong is told no more of it.
    if (this.#socket.writableLength === 0) this.#socket.write(text);
    this.#problems = [];
    this.#untold = 0;
  }
}

/** What is too long may be a request line, and what is no UTF-8 may be anything. */
const isStrange = (first: Read): boolean =>
  typeof first !== 'string' || HTTP.test(first) || first.startsWith(TLS);

const stranger = (): MegaphoneError =>
  new MegaphoneError(
    'OUTSIDE_NO_LINES',
    'the first line is no line of text: nothing of this connection is said',
    {
      hint: 'lines of UTF-8 are what this port takes, up to 8 KB each, and no HTTP',
    },
  );
