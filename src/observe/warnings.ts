/** The last lines of the log that an operator should see, for the dashboard: few, and short. */

export type Warning = {
  /** Seconds since 1970. */
  readonly at: number;
  readonly level: 'warn' | 'error' | 'fatal';
  readonly text: string;
  readonly code?: string;
  /** What mends it. */
  readonly hint?: string;
  readonly node?: string;
  /** The process that logged it, where there are several. */
  readonly worker?: string;
  /** How often it happened again. */
  readonly count?: number;
};

const KEPT = 20;
const LONGEST = 500;

export class Warnings {
  #latest: readonly Warning[] = [];

  /** The newest last. */
  get latest(): readonly Warning[] {
    return this.#latest;
  }

  /** @param level as pino numbers them; @param line the JSON that it writes */
  note(level: number, line: string): void {
    if (level < 40) return;
    this.#latest = [...this.#latest, read(level, line)].slice(-KEPT);
  }
}

/** Of several processes. */
export function newest(...all: readonly (readonly Warning[])[]): readonly Warning[] {
  return all
    .flat()
    .sort((a, b) => a.at - b.at)
    .slice(-KEPT);
}

function read(level: number, line: string): Warning {
  const fields = JSON.parse(line) as Fields;
  const { err = {} } = fields;
  const cause = err.message === undefined || fields.msg?.includes(err.message) ? '' : `: ${err.message}`;
  const hint = textOf(fields.hint ?? err.hint);
  const code = textOf(fields.code ?? err.code);
  const node = textOf(fields.node ?? err.node);
  return {
    at: (fields.time ?? Date.now()) / 1000,
    level: level >= 60 ? 'fatal' : level >= 50 ? 'error' : 'warn',
    text: `${fields.msg ?? ''}${cause}`.slice(0, LONGEST),
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
    ...(node === undefined ? {} : { node }),
    ...(fields.worker === undefined ? {} : { worker: fields.worker }),
    ...(typeof fields.count === 'number' ? { count: fields.count } : {}),
  };
}

interface Fields {
  readonly time?: number;
  readonly msg?: string;
  readonly code?: unknown;
  readonly hint?: unknown;
  readonly node?: unknown;
  readonly count?: unknown;
  readonly worker?: string;
  readonly err?: {
    readonly message?: string;
    readonly code?: unknown;
    readonly hint?: unknown;
    readonly node?: unknown;
  };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value.slice(0, LONGEST) : undefined;

/** What pino needs to tell a stream the level of each line. */
const WITH_LEVEL = Symbol.for('pino.metadata');

/** A stream for pino that notes the lines on their way to `output`. */
export function noting(warnings: Warnings, output: { write(line: string): unknown }) {
  return {
    [WITH_LEVEL]: true,
    lastLevel: 0,
    write(line: string): void {
      output.write(line);
      warnings.note(this.lastLevel, line);
    },
  };
}

/** There is one for each process. */
export const ownWarnings = new Warnings();
