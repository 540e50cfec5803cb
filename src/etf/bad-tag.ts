/** Tells a tag that no peer may send to us from one that does not exist. */
import type { ByteReader } from './byte-reader.js';
import type { EtfError } from './error.js';
import * as Tag from './tags.js';

const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [Tag.COMPRESSED, 'Compressed terms never travel between nodes: use term_to_binary/1 without `compressed`.'],
  [Tag.ATOM_CACHE_REF, 'The peer uses the atom cache, which needs DFLAG_DIST_HDR_ATOM_CACHE on both sides.'],
  [Tag.LOCAL_EXT, 'Terms of term_to_binary(_, [local]) are only for the node that made them.'],
]);

/** The error for `tag`, which was just read. */
export function badTag(reader: ByteReader, tag: number): EtfError {
  const at = reader.offset - 1;
  const hint = UNSUPPORTED.get(tag);
  return hint === undefined
    ? reader.fault('ETF_BAD_TAG', `unexpected tag ${tag}`, at)
    : reader.fault('ETF_UNSUPPORTED_TAG', `tag ${tag} is not supported`, at, hint);
}
