/** Describes a term for a log line without giving away what is in it. */
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

const MAX_ELEMENTS = 8;
const MAX_DEPTH = 3;

/** Kinds and sizes only, at most a few hundred characters: `{pid, integer, binary(120)}`. */
export function shapeOf(term: Term, depth = MAX_DEPTH): string {
  if (typeof term === 'number' || typeof term === 'bigint') return 'integer';
  if (term instanceof Uint8Array) return `binary(${term.length})`;
  if (term instanceof Tuple) return tupleShape(term.elements, depth);
  if (term instanceof Atom) return 'atom';
  if (term instanceof Pid) return 'pid';
  if (term instanceof Map) return `map(${term.size})`;
  if (term instanceof Float) return 'float';
  if (term instanceof Reference) return 'reference';
  if (term instanceof Port) return 'port';
  if (term instanceof BitString) return `bitstring(${term.bytes.length})`;
  if (term instanceof ImproperList) return `improper_list(${term.items.length})`;
  if (term instanceof Opaque) return term.bytes[0] === RECORD_EXT ? 'record' : 'fun';
  return `list(${(term as readonly Term[]).length})`;
}

function tupleShape(elements: readonly Term[], depth: number): string {
  if (depth === 0) return `tuple(${elements.length})`;
  const shown = elements.slice(0, MAX_ELEMENTS).map((element) => shapeOf(element, depth - 1));
  if (elements.length > MAX_ELEMENTS) shown.push(`${elements.length - MAX_ELEMENTS} more`);
  return `{${shown.join(', ')}}`;
}
