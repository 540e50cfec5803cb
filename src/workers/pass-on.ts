/** What a process writes, passed on line by line: others write there, too, and each line is written whole or lost. */

import type { Readable, Writable } from 'node:stream';

/** Characters of a line that are kept until it ends; what is longer is passed on in several. */
const MAX_BEGUN = 64 * 1024;
/** What may wait in `to`. */
const MAX_UNREAD = 64 * 1024;

/** Without waiting for whoever reads `to`: what there is no room for is lost. */
export function passOn(from: Readable, to: Writable): void {
  let begun = '';
  const pass = (line: string): void => {
    if (to.writableLength < MAX_UNREAD) to.write(`${line}\n`);
  };
  from.setEncoding('utf8');
  from.on('data', (text: string) => {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) pass(line);
    if (begun.length < MAX_BEGUN) return;
    pass(begun);
    begun = '';
  });
  // The last words of one that dies may lack their end.
  from.once('end', () => {
    if (begun !== '') pass(begun);
  });
}
