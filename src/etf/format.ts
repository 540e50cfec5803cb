/** Prints terms in Erlang's own syntax, for error messages: exit reasons, unexpected answers. */
import { RECORD_EXT } from './tags.js';
import {
  Atom,
  BitString,
  Float,
  ImproperList,
  Opaque,
  Pid,
  Port,
  Reference,
  type Term,
  Tuple,
} from './terms.js';

/** At most `room` characters and an ellipsis, in time bounded by `room`, whatever the size of the term. */
export function formatTerm(term: Term, room = 300): string {
  const text = format(term, room);
  return text.length > room ? `${text.slice(0, room)}…` : text;
}

/** May exceed `room`, but stops soon after. */
function format(term: Term, room: number): string {
  if (room <= 0) return '…';
  if (typeof term === 'number') return String(term);
  if (typeof term === 'bigint') return formatBig(term);
  if (term instanceof Float) return Number.isInteger(term.value) ? term.value.toFixed(1) : String(term.value);
  if (term instanceof Atom) return /^[a-z][\w@]*$/.test(term.name) ? term.name : quote(term.name, "'");
  if (term instanceof Uint8Array) return formatBinary(term, room);
  if (term instanceof BitString) return `${formatBinary(term.bytes, room)}:${term.lastBits}`;
  if (term instanceof Tuple) return series('{', term.elements, '}', room);
  if (term instanceof ImproperList) {
    const items = series('[', term.items, '|', room);
    return `${items}${format(term.tail, room - items.length)}]`;
  }
  if (term instanceof Map) return formatMap(term, room);
  if (term instanceof Pid) return `<${term.node}.${term.id}.${term.serial}>`;
  if (term instanceof Port) return `#Port<${term.node}.${term.id}>`;
  if (term instanceof Reference) return `#Ref<${term.node}.${term.ids.join('.')}>`;
  if (term instanceof Opaque) return term.bytes[0] === RECORD_EXT ? '#Record<>' : '#Fun<>';
  return formatList(term as readonly Term[], room);
}

function formatList(items: readonly Term[], room: number): string {
  const shown = items.slice(0, room);
  const isText =
    shown.length > 0 && shown.every((item) => typeof item === 'number' && item >= 32 && item < 127);
  return isText ? quote(String.fromCharCode(...(shown as number[])), '"') : series('[', items, ']', room);
}

function formatBinary(bytes: Uint8Array, room: number): string {
  const shown = bytes.subarray(0, room);
  const isText = shown.every((byte) => byte >= 32 && byte < 127);
  return `<<${isText ? quote(Buffer.from(shown).toString('latin1'), '"') : shown.join(',')}>>`;
}

function formatMap(map: ReadonlyMap<Term, Term>, room: number): string {
  let text = '#{';
  for (const [key, value] of map) {
    if (text.length > room) break;
    if (text.length > 2) text += ',';
    text += `${format(key, room - text.length)}=>`;
    text += format(value, room - text.length);
  }
  return `${text}}`;
}

function series(open: string, items: readonly Term[], close: string, room: number): string {
  let text = open;
  for (const item of items) {
    if (text.length > room) break;
    if (text.length > 1) text += ',';
    text += format(item, room - text.length);
  }
  return text + close;
}

/** Decimal text takes a time quadratic in the length. */
function formatBig(value: bigint): string {
  return BigInt.asIntN(1024, value) === value ? String(value) : 'an integer of more than 1024 bits';
}

/** Control characters are escaped, so that a name from the wire cannot forge a line of a log. */
function quote(text: string, mark: string): string {
  const escaped = text.replace(/[\\'"\p{C}]/gu, (character) => {
    if (character === '\\' || character === mark) return `\\${character}`;
    return character === "'" || character === '"'
      ? character
      : `\\x{${character.codePointAt(0)?.toString(16)}}`;
  });
  return mark + escaped + mark;
}
