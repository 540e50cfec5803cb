/** One real `erl`, without distribution, that decodes and encodes terms for the tests (see etf_peer.erl). */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { within } from '../../../scripts/support/within.js';

const SOURCE = fileURLToPath(new URL('../../../../test/erlang/etf/etf_peer.erl', import.meta.url));
const COMPILE_AND_RUN = `
  {ok, Module, Beam} = compile:file(${JSON.stringify(SOURCE)}, [binary, report]),
  {module, Module} = code:load_binary(Module, "etf_peer.erl", Beam),
  Module:main().`;

export class Erl {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: { resolve(answer: Buffer): void; reject(error: Error): void }[] = [];
  #received: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  constructor() {
    const flags = ['-noinput', '-boot', 'no_dot_erlang', '-eval', COMPILE_AND_RUN];
    this.#process = spawn('erl', flags, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ERL_CRASH_DUMP_BYTES: '0' },
    });
    this.#process.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#process.on('error', (error) => this.#fail(error));
    this.#process.on('close', (code) => this.#fail(new Error(`erl ended with ${code}`)));
    this.#process.stdin.on('error', (error) => this.#fail(error));
  }

  /** What `term_to_binary` gives for the term that Erlang sees in these bytes; undefined if it sees none. */
  async echo(bytes: Uint8Array): Promise<Buffer | undefined> {
    const answer = await this.#request('echo', bytes);
    return answer[0] === 131 ? answer : undefined;
  }

  /** 'true', or how Erlang prints the term if it is not what the Erlang expression gives. */
  async same(bytes: Uint8Array, expression: string): Promise<string> {
    const source = Buffer.from(`${expression}.`, 'utf8');
    const size = Buffer.alloc(4);
    size.writeUInt32BE(source.length);
    return (await this.#request('same', Buffer.concat([size, source, bytes]))).toString('utf8');
  }

  /** A term that Erlang made up. */
  random(seed: number): Promise<Buffer> {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(seed);
    return this.#request('random', bytes);
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }

  #request(name: string, bytes: Uint8Array): Promise<Buffer> {
    if (this.#failure) return Promise.reject(this.#failure);
    const frame = Buffer.concat([Buffer.alloc(4), Buffer.from(name), bytes]);
    frame.writeUInt32BE(frame.length - 4);
    this.#process.stdin.write(frame);
    const answer = new Promise<Buffer>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    return within(answer, () => `erl's answer to ${name}`);
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE();
      if (this.#received.length < end) return;
      this.#waiting.shift()?.resolve(this.#received.subarray(4, end));
      this.#received = this.#received.subarray(end);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
