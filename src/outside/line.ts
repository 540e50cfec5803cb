/**
 * A line from outside: whom it is for, and what it says.
 *
 *   #room,@alice,%123 Backup done      for a room, a user and the pages of an id
 *   Backup done                        for lines_default
 *
 * Addresses are the first word, where it begins with one; behind a space in front it is none: ` @alice was here` is for lines_default.
 * A user and a room may have a host (`@alice@example.org`, `#room@conference.example.org`), else they have ejabberd's first one.
 */

import { isId } from '../comet/ids.js';
import { MegaphoneError } from '../errors.js';

export interface Target {
  readonly kind: 'user' | 'room' | 'id';
  /** Without its sign. */
  readonly name: string;
}

export interface Line {
  /** One or more, each once. */
  readonly targets: readonly Target[];
  readonly text: string;
}

export const MAX_TARGETS = 32;
/** Bytes, of a JID of chat (RFC 7622 §3.1). */
const MAX_NAME = 2047;
const KINDS: Readonly<Record<string, Target['kind']>> = { '@': 'user', '#': 'room', '%': 'id' };
const SIGNS = { user: '@', room: '#', id: '%' } as const;

/** As it stands in a line. */
export const textOfTarget = ({ kind, name }: Target): string => SIGNS[kind] + name;

/** @param fallback whom a line without an address is for @throws MegaphoneError OUTSIDE_BAD_LINE */
export function readLine(line: string, fallback: readonly Target[]): Line {
  const isAddressed = KINDS[line.charAt(0)] !== undefined;
  const [word = ''] = isAddressed ? line.split(/[ \t]/, 1) : [];
  const text = line.slice(word.length).trim();
  const targets = isAddressed ? readTargets(word) : fallback;
  if (targets.length === 0)
    throw bad('it has no address', 'begin it with #room, @user or %ID, or set lines_default');
  if (text === '') throw bad('it has no text', 'the text stands behind the addresses and a space');
  return { targets, text };
}

/** @param word addresses with commas between them @throws MegaphoneError OUTSIDE_BAD_LINE */
export function readTargets(word: string): Target[] {
  const names = [...new Set(word.split(','))];
  if (names.length > MAX_TARGETS)
    throw bad(`it has ${names.length} addresses`, `a line has at most ${MAX_TARGETS}: send several`);
  return names.map((name): Target => {
    const kind = KINDS[name.charAt(0)];
    const target = kind === undefined ? undefined : { kind, name: name.slice(1) };
    if (target === undefined || !isName(target))
      throw bad(
        `${JSON.stringify(name)} is no address`,
        'addresses are #room, @user and %ID, with commas between them',
      );
    return target;
  });
}

function isName({ kind, name }: Target): boolean {
  if (/[\p{C}\s]/u.test(name)) return false;
  return kind === 'id' ? isId(name) : name !== '' && Buffer.byteLength(name) <= MAX_NAME;
}

const bad = (message: string, hint: string): MegaphoneError =>
  new MegaphoneError('OUTSIDE_BAD_LINE', message, { hint });
