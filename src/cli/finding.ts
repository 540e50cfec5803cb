/**
 * What `megaphone check` finds, and how it is printed:
 *
 *   ✔  as it should be
 *   ⚠  works, but for fewer, or for some other time: advice
 *   ✘  will not work
 */

import { MegaphoneError } from '../errors.js';

export interface Finding {
  readonly mark: '✔' | '⚠' | '✘';
  readonly text: string;
  readonly hint?: string | undefined;
  readonly code?: string | undefined;
}

export const good = (text: string): Finding => ({ mark: '✔', text });
export const poor = (text: string, hint: string): Finding => ({ mark: '⚠', text, hint });
export const bad = (text: string, hint: string): Finding => ({ mark: '✘', text, hint });

export function failed(error: unknown): Finding {
  if (!(error instanceof MegaphoneError)) throw error;
  return { mark: '✘', text: error.message, hint: error.hint, code: error.code };
}

/** As it is printed: what a stranger's server said can do nothing to a terminal. */
export function linesOf({ mark, text, hint, code }: Finding): string[] {
  const lines = text.split('\n').map((line) => `${mark} ${line}${code === undefined ? '' : ` [${code}]`}`);
  return [...lines, ...(hint === undefined ? [] : [`  → ${hint}`])].map((line) =>
    line.replace(/\p{Cc}/gu, '\ufffd'),
  );
}
