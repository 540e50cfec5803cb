/** A person's terminal that is drawn on anew and anew, and given back as it was: `q`, Ctrl-C, or a signal ends it. */

import type { Terminal } from './top.js';

/** Another screen, without a cursor; and back (xterm's private modes 1049 and 25). */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_LINE_END = '\x1b[K';
const TO_SCREEN_END = '\x1b[J';
const CTRL_C = '\x03';

type Output = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'isTTY'>;
type Input = Pick<NodeJS.ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'resume' | 'pause'>;

export function terminalOf(output: Output = process.stdout, input: Input = process.stdin) {
  const isTerminal = output.isTTY === true && input.isTTY === true;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const terminal: Terminal = {
    ended,
    get size() {
      // Some tell 0.
      return isTerminal ? { columns: output.columns || 80, rows: output.rows || 24 } : undefined;
    },
    show(lines) {
      if (isTerminal)
        output.write(`${HOME}${lines.map((line) => line + TO_LINE_END).join('\r\n')}${TO_SCREEN_END}`);
      else output.write(`${lines.join('\n')}\n`);
    },
  };
  if (isTerminal) {
    output.write(ENTER);
    input.setRawMode(true);
    input.on('data', (keys: Buffer) => {
      if (/[qQ]/.test(keys.toString('latin1')) || keys.includes(CTRL_C)) end();
    });
    input.resume();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  }
  /** Gives it back. */
  const close = (): void => {
    if (!isTerminal) return;
    input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  };
  return { terminal, close };
}
