/**
 * A page's place: for each of its ids, in the order of its URL, the number of the last message that it has of each origin. As text it is
 * the id of an event, which browsers bring back in `Last-Event-ID`:
 *
 *   TAG.NUMBER,TAG.NUMBER;TAG.NUMBER     `;` between ids, `,` between origins; the number in base 36
 *   -;TAG.NUMBER                         it has nothing of the first, and no origin had said where that stands
 */

/** Of one origin. */
export interface Mark {
  /** Of the origin's name, as in sids. */
  readonly tag: string;
  readonly number: number;
}

const NOTHING = '-';
/** A header, or an URL, has no room for more. */
const MAX_LENGTH = 16 * 1024;
/** Of one id. */
const MAX_MARKS = 256;
const MARK = /^([A-Za-z0-9_-]{6})\.([0-9a-z]{1,11})$/;

/**
 * The marks of each id.
 * @returns `undefined` for what is no place of so many ids
 */
export function readPlace(text: string, ids: number): readonly (readonly Mark[])[] | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const parts = text.split(';');
  if (parts.length !== ids) return undefined;
  const marks: Mark[][] = [];
  for (const part of parts) {
    const read = readMarks(part);
    if (read === undefined) return undefined;
    marks.push(read);
  }
  return marks;
}

function readMarks(part: string): Mark[] | undefined {
  if (part === NOTHING) return [];
  const marks: Mark[] = [];
  for (const piece of part.split(',', MAX_MARKS + 1)) {
    const [, tag, digits] = MARK.exec(piece) ?? [];
    if (tag === undefined || digits === undefined || marks.length === MAX_MARKS) return undefined;
    const number = Number.parseInt(digits, 36);
    if (!Number.isSafeInteger(number) || marks.some((mark) => mark.tag === tag)) return undefined;
    if (number > 0) marks.push({ tag, number });
  }
  return marks;
}

export const writeMark = (tag: string, number: number): string => `${tag}.${number.toString(36)}`;

/** Of one id. */
export const joinMarks = (marks: readonly string[]): string =>
  marks.length === 0 ? NOTHING : marks.join(',');
