/** A process of our own that does what its parent says: named commands with arguments and one result each. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Each takes and gives what `structuredClone` can copy. */
type Commands<C> = { readonly [K in keyof C]: (...args: never[]) => unknown };
type Result<C extends Commands<C>, K extends keyof C> = Awaited<ReturnType<C[K]>>;

interface Request {
  readonly id: number;
  readonly command: string;
  readonly args: readonly unknown[];
}

interface Reply {
  readonly id: number;
  readonly result: unknown;
}

/** In the parent. */
export class Child<C extends Commands<C>> {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  /** @param module what calls `serve`. @param nodeFlags of Node.js itself */
  constructor(module: URL, nodeFlags: readonly string[] = []) {
    // JSON knows no Infinity.
    this.#process = fork(fileURLToPath(module), { serialization: 'advanced', execArgv: [...nodeFlags] });
    this.#process.on('message', ({ id, result }: Reply) => {
      this.#pending.get(id)?.resolve(result);
      this.#pending.delete(id);
    });
    this.#process.once('exit', (code, signal) => {
      const error = new Error(`a process of the benchmark ended (${signal ?? code})`);
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  ask<K extends keyof C & string>(command: K, ...args: Parameters<C[K]>): Promise<Result<C, K>> {
    this.#lastId += 1;
    const request: Request = { id: this.#lastId, command, args };
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { resolve: resolve as (result: unknown) => void, reject });
      this.#process.send(request, (error) => error && reject(error));
    });
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}

/** In the child. */
export function serve<C extends Commands<C>>(commands: C): void {
  process.on('message', async ({ id, command, args }: Request) => {
    const reply: Reply = { id, result: await commands[command as keyof C](...(args as never[])) };
    process.send?.(reply);
  });
  // Nobody is left to measure for. Ctrl-C reaches the parent as well, which may want to tidy up first.
  process.on('disconnect', () => process.exit());
  process.on('SIGINT', () => {});
}
