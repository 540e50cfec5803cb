/**
 * Elements looked for in the text of a stranger: each look is one pass, also where the text is full of starts without an end, on which a
 * pattern for the whole element would take the square of its length.
 */

export interface Found {
  /** Without its prefix. */
  readonly name: string;
  readonly prefix: string;
  readonly attributes: string;
  readonly inner: string;
  /** All of it. */
  readonly text: string;
}

/**
 * The first one.
 * @param names or several, divided by |
 * @param has within its attributes
 */
export function elementIn(text: string, names: string, has: RegExp = /^/): Found | undefined {
  const starts = new RegExp(`<(?:(\\w+):)?(${names})(?=[\\s/>])([^<>]*)>`, 'g');
  for (const start of text.matchAll(starts)) {
    const [tag, prefix = '', name = '', attributes = ''] = start;
    if (!has.test(attributes)) continue;
    if (attributes.endsWith('/')) return { name, prefix, attributes, inner: '', text: tag };
    const from = start.index + tag.length;
    const end = `</${prefix === '' ? '' : `${prefix}:`}${name}>`;
    const to = text.indexOf(end, from);
    if (to < 0) return undefined;
    const inner = text.slice(from, to);
    return { name, prefix, attributes, inner, text: `${tag}${inner}${end}` };
  }
  return undefined;
}
