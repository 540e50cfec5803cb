/** Plays a session of session-document.ts with the real programs, and compares what they answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Step } from './session-document.js';

/** @throws Error with the line, what was expected and what was printed instead */
export async function playSession(steps: readonly Step[]): Promise<void> {
  const terminals = new Map<string, Terminal>();
  try {
    for (const [i, step] of steps.entries()) {
      const terminal = terminals.get(step.terminal) ?? new Terminal();
      terminals.set(step.terminal, terminal);
      const next = steps.slice(i + 1).find((later) => later.terminal === step.terminal);
      await terminal.play(step, next);
    }
  } finally {
    for (const terminal of terminals.values()) terminal.close();
  }
}

/** Printed by the loop below when a command has ended; \x1e is a character that no program prints by itself. */
const ENDED = '\x1eended\x1e\n';
const NODE = String.raw`(?:\([^)\s]+\))?`;
const ERL_PROMPT = String.raw`${NODE}\d+> `;
const AT_ERL_PROMPT = new RegExp(`(?:^|\\n)${ERL_PROMPT}$`);
/** When a missing answer is given up. Nothing is measured with it. */
const PATIENCE_MS = 90_000;

/** One bash. Its commands come through a channel of their own, so that stdin belongs to the programs it runs. */
class Terminal {
  readonly #bash: ChildProcess;
  #printed = '';
  #closed = false;
  #wake: () => void = () => {};

  constructor() {
    const loop = `exec 2>&1; while IFS= read -r -d '' command <&3; do eval "$command"; printf '\\x1eended\\x1e\\n'; done`;
    this.#bash = spawn('bash', ['--norc', '-c', loop], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    (this.#bash.stdout as Readable).setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text;
      this.#wake();
    });
    this.#bash.on('exit', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Gives the step's input and takes its answer, up to where `next` can follow. */
  async play(step: Step, next: Step | undefined): Promise<void> {
    if (step.to === 'shell') (this.#bash.stdio[3] as Writable).write(`${step.input}\0`);
    if (step.to === 'erl') {
      // Erlang counts its prompts: that it is at this one shows that each line before was one whole expression.
      await this.#take(prompt(step), step, step, step.prompt);
      (this.#bash.stdin as Writable).write(`${step.input}\n`);
    }
    if (next === undefined && step.expected.length === 0) return;
    await this.#take(answer(step, next) + ending(step, next), step, next, step.expected.join('\n'));
  }

  /** Waits until what is printed and not yet taken begins with `pattern`, and takes that. */
  async #take(pattern: string, step: Step, next: Step | undefined, expected: string): Promise<void> {
    const start = new RegExp(`^${pattern}`);
    let patient = true;
    const timer = setTimeout(() => {
      patient = false;
      this.#wake();
    }, PATIENCE_MS);
    try {
      for (;;) {
        const match = start.exec(this.#printed);
        if (match) {
          this.#printed = this.#printed.slice(match[0].length);
          return;
        }
        if (!patient || this.#isWaiting(next)) {
          const input = `${step.prompt || '$ '}${step.input}`;
          const printed = this.#printed.replaceAll(ENDED, '');
          throw new Error(`line ${step.line}: ${input}\n--- expected\n${expected}\n--- printed\n${printed}`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nothing more is printed before the next input. (At its last prompt before the shell's, Erlang is about to end.) */
  #isWaiting(next: Step | undefined): boolean {
    return (
      this.#closed ||
      this.#printed.includes(ENDED) ||
      (next?.to !== 'shell' && AT_ERL_PROMPT.test(this.#printed))
    );
  }

  /** Ends the shell and what it runs. */
  close(): void {
    this.#bash.kill('SIGKILL');
  }
}

/** The node's name is optional where the document leaves it out. */
const prompt = (step: Step): string => (step.prompt.startsWith('(') ? '' : NODE) + quote(step.prompt);

/** The lines, the last with or without its line feed; `…` is anything. */
function answer({ expected }: Step, next: Step | undefined): string {
  if (expected.length === 0) return next?.to === 'erl' ? BANNER : '';
  const lines = expected.map((line) => line.trimEnd().split('…').map(quote).join('[^]*?'));
  return `${lines.join(BREAK)}${BREAK}?`;
}
/** A terminal shows CR LF as it does LF. */
const BREAK = String.raw`[ \t\r]*\n`;
const BANNER = String.raw`(?:Eshell V.*\s+)?`;

/** What shows that the answer is complete: a prompt, as it does for a reader. */
function ending(step: Step, next: Step | undefined): string {
  // The command goes on, and the rest of its answer is printed in a later block.
  if (next?.to === 'none') return '';
  if (next?.to === 'erl') return `(?=${prompt(next)})`;
  if (next === undefined && step.expected.at(-1) === '…') return '';
  if (step.to === 'shell') return ENDED;
  // Erlang prints one more prompt before it ends.
  return next === undefined ? `(?:${ENDED}|(?=${ERL_PROMPT}))` : String.raw`(?:${ERL_PROMPT}\s*)?${ENDED}`;
}

const quote = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
