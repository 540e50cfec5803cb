/**
 * What `megaphone check` finds, and how it is printed:
 *
 *   ✔  as it should be
 *   ⚠  works, but for fewer, or for some other time: advice
 *   ✘  will not work
 */

import { MegaphoneError } from '../errors.js';
import { printable } from './printable.js';

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

/** As it is printed: what a stranger's server said is part of one line, and can do nothing to a terminal. */
export function linesOf({ mark, text, hint, code }: Finding): string[] {
  const lines = textLines(text, code).map(
    (line) => `${mark} ${line}${code === undefined ? '' : ` [${code}]`}`,
  );
  return [...lines, ...(hint === undefined ? [] : [hintLine(hint)])];
}

/** As `linesOf` a finding; for what ends the program. */
export function failureLines({ message, hint, code }: MegaphoneError): string[] {
  const text = `megaphone: ${textLines(message, code).join('\n')} [${code}]`;
  return [text, ...(hint === undefined ? [] : [hintLine(hint)])];
}

/** Only what is wrong with the operator's own configuration may be several things. */
const textLines = (text: string, code: string | undefined): string[] =>
  (code?.startsWith('CONFIG_') ? text.split('\n') : [text]).map(printable);

const hintLine = (hint: string): string => `  → ${printable(hint)}`;
