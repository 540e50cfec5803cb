/**
 * A real `erl` node under the control of a test: evaluates expressions and gives back their values, can be killed,
 * frozen and started again. Its EPMD is the test's own.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { decodeVersioned } from '../../src/etf/decode.js';
import type { Term } from '../../src/etf/terms.js';
import { killChild } from './epmd.js';
import { within } from './within.js';

export interface ErlOptions {
  /** Full node name; with a dot in the host part it is a long one. */
  readonly name: string;
  readonly cookie: string;
  readonly epmdPort: number;
  /** Further arguments, e.g. `['-kernel', 'net_ticktime', '4']`. */
  readonly args?: readonly string[];
}

/**
 * Reads one expression a line, evaluates each in a process of its own, so that a slow one holds up nobody,
 * and writes `Number ok Base64OfTheTerm` or `Number error Text`.
 */
const EVALUATOR = `
  Evaluate = fun(Line) ->
    [Number, Text] = string:split(Line, " "),
    Answer = try
      {ok, Tokens, _} = erl_scan:string(Text),
      {ok, Expressions} = erl_parse:parse_exprs(Tokens),
      {value, Value, _} = erl_eval:exprs(Expressions, []),
      [" ok ", base64:encode(term_to_binary(Value))]
    catch C:R:S -> [" error ", base64:encode(iolist_to_binary(io_lib:format("~0p", [{C, R, S}])))]
    end,
    io:put_chars(["\\n#", Number, Answer, "\\n"])
  end,
  Loop = fun Loop() ->
    case io:get_line("") of
      eof -> halt();
      Line -> spawn(fun() -> Evaluate(string:trim(Line)) end), Loop()
    end
  end,
  io:put_chars("#ready\\n"), Loop().`;

interface Pending {
  resolve(term: Term): void;
  reject(error: Error): void;
}

export class Erl {
  readonly name: string;
  readonly #options: ErlOptions;
  #child: ChildProcess | undefined;
  readonly #pending = new Map<string, Pending>();
  #asked = 0;
  /** What the node printed that was no answer; for messages of failing tests. */
  #output = '';

  /** Resolves when the node is distributed and takes expressions. */
  static async start(options: ErlOptions): Promise<Erl> {
    const erl = new Erl(options);
    await erl.#spawn();
    return erl;
  }

  private constructor(options: ErlOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get output(): string {
    return this.#output;
  }

  /** The value of an expression sequence, e.g. `X = node(), {X, nodes(hidden)}.` (the final dot may be left out). */
  evaluate(expression: string): Promise<Term> {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.name} is not running`);
    this.#asked += 1;
    const number = String(this.#asked);
    const line = expression.replaceAll(/\s*\n\s*/g, ' ').trim();
    const value = new Promise<Term>((resolve, reject) => {
      this.#pending.set(number, { resolve, reject });
      child.stdin?.write(`${number} ${line.endsWith('.') ? line : `${line}.`}\n`);
    });
    return within(value, () => `${this.name}: the value of ${line}`);
  }

  /** The value as Erlang prints it with `~0tp`. */
  async text(expression: string): Promise<string> {
    const body = expression.trim().replace(/\.$/, '');
    const term = await this.evaluate(
      `unicode:characters_to_binary(io_lib:format("~0tp", [begin ${body} end]))`,
    );
    return Buffer.from(term as Uint8Array).toString('utf8');
  }

  /** SIGKILL: the kernel closes its connections, nobody says good-bye. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    await killChild(this.#child);
    this.#child = undefined;
  }

  /** SIGSTOP: connections stay open, nothing is read or written any more. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.#spawn();
  }

  #spawn(): Promise<void> {
    const { name, cookie, epmdPort, args = [] } = this.#options;
    const long = name.slice(name.indexOf('@')).includes('.');
    const child = spawn(
      'erl',
      [
        '-noshell',
        ...['-start_epmd', 'false'],
        ...[long ? '-name' : '-sname', name],
        ...['-setcookie', cookie],
        ...args,
        ...['-eval', EVALUATOR],
      ],
      {
        env: { ...process.env, ERL_EPMD_PORT: String(epmdPort), ERL_CRASH_DUMP: '/dev/null' },
        stdio: 'pipe',
      },
    );
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === '#ready') resolve();
        else this.#read(line);
      });
      child.stderr.on('data', (text) => {
        this.#output += text;
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const error = new Error(`${name} ended (${code ?? signal}): ${this.#output}`);
        reject(error);
        for (const { reject: fail } of this.#pending.values()) fail(error);
        this.#pending.clear();
      });
    });
    return within(ready, () => `${name} runs: ${this.#output}`);
  }

  #read(line: string): void {
    const [, number, outcome, value] = /^#(\d+) (ok|error) (\S*)$/.exec(line) ?? [];
    const pending = this.#pending.get(number ?? '');
    if (number === undefined || pending === undefined) {
      this.#output += `${line}\n`;
      return;
    }
    this.#pending.delete(number);
    const bytes = Buffer.from(value ?? '', 'base64');
    if (outcome === 'ok') pending.resolve(decodeVersioned(bytes));
    else pending.reject(new Error(`${this.name}: ${bytes.toString('utf8')}`));
  }
}
