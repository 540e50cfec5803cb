/**
 * The shell sessions that a Markdown document prints. A session is a fenced block behind the comment
 * `<!-- session: NAME -->`. In it
 *
 *     $ command          is given to a shell (bash); a line that ends with \ goes on in the next
 *     1> expression.     is typed at the prompt of the Erlang shell that a command started
 *     anything else      is what must be answered; `…` stands for anything, and as the last line for "and so on"
 *
 * Erlang's banner and the node's name in its prompt may be left out. Blocks of the same name are one session, in the
 * document's order. `<!-- session: NAME terminal 2 -->` is another shell beside the first; a block that begins with
 * output prints what the block before it in that terminal waited for. A terminal's last command is not waited for
 * if no output is printed: it may serve until the end.
 */

export interface Step {
  readonly terminal: string;
  /** `none` is output without new input: the rest of what came before. */
  readonly to: 'shell' | 'erl' | 'none';
  /** Without the prompt. */
  readonly input: string;
  /** Only for `erl`: the prompt as printed, with its blank. */
  readonly prompt: string;
  readonly expected: readonly string[];
  /** In the document, from 1. */
  readonly line: number;
}

const MARKER = /^<!-- session: ([\w-]+)(?: terminal (\w+))? -->$/;
const ERL_PROMPT = /^(?:\([^)\s]+\))?\d+> /;

/** The steps of each session, by name. */
export function readSessions(markdown: string): Map<string, Step[]> {
  const sessions = new Map<string, Step[]>();
  const lines = markdown.split('\n');
  for (const [at, text] of lines.entries()) {
    const [, name, terminal = '1'] = MARKER.exec(text) ?? [];
    if (name === undefined) continue;
    const end = lines.findIndex((line, i) => i > at + 1 && line.startsWith('```'));
    if (!lines[at + 1]?.startsWith('```') || end === -1) {
      throw new Error(`line ${at + 1}: no fenced block follows the session's comment`);
    }
    const steps = readBlock(lines.slice(at + 2, end), at + 3, terminal);
    sessions.set(name, [...(sessions.get(name) ?? []), ...steps]);
  }
  return sessions;
}

function readBlock(lines: readonly string[], firstLine: number, terminal: string): Step[] {
  const steps: (Step & { input: string; expected: string[] })[] = [];
  let continues = false;
  for (const [i, text] of lines.entries()) {
    const last = steps.at(-1);
    const [prompt = ''] = ERL_PROMPT.exec(text) ?? [];
    const step = { terminal, prompt, expected: [], line: firstLine + i };
    if (continues && last) last.input += `\n${text}`;
    else if (text.startsWith('$ ')) steps.push({ ...step, to: 'shell', input: text.slice(2) });
    else if (prompt) steps.push({ ...step, to: 'erl', input: text.slice(prompt.length) });
    else if (last) last.expected.push(text);
    else steps.push({ ...step, to: 'none', input: '', expected: [text] });
    continues = text.endsWith('\\') && steps.at(-1)?.to === 'shell' && steps.at(-1)?.expected.length === 0;
  }
  return steps;
}
