/** What other programs tell `megaphone` of themselves is printed as one line each, in which a terminal finds nothing to obey. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../../scripts/support/root.js';
import { portOf } from './stranger.js';

const run = promisify(execFile);

test('names of nodes that an EPMD tells are printed without what moves a cursor or turns a line around', async (t) => {
  const epmd = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.end(Buffer.from('\0\0\x11\x11name a\x1b[2J\x9b\u202eb at port 4370\n', 'utf8')),
    );
  });
  t.after(() => epmd.close());
  const port = await portOf(epmd);
  const args = [join(root, 'dist/src/main.js'), 'names', '127.0.0.1', '--epmd-port', `${port}`];
  const { stdout } = await run(process.execPath, args, { timeout: 60_000 });
  assert.match(stdout, /^a.*b.* at port 4370\n$/u);
  assert.doesNotMatch(stdout.trimEnd(), /[\p{C}\p{Zl}\p{Zp}]/u);
});
