/** What a document prints to be typed, for the test that it names as the one who runs it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../scripts/support/root.js';

/** The blocks that a document says are run by that test: their lines. */
export function printed(document: string, test: string): string[][] {
  const text = readFileSync(join(root, document), 'utf8');
  const blocks = text.matchAll(new RegExp(`<!-- run by: ${test} -->\n *\`\`\`\n([^\`]*)\`\`\``, 'g'));
  return [...blocks].map(([, block = '']) =>
    block
      .trim()
      .split('\n')
      .map((line) => line.trim()),
  );
}
