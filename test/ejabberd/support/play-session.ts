/** play-session FILE NAME: plays a session of a Markdown file in the current folder; fails with what differed. */
import { readFileSync } from 'node:fs';
import { readSessions } from './session-document.js';
import { playSession } from './session-player.js';

const [file = '', name = ''] = process.argv.slice(2);
const steps = readSessions(readFileSync(file, 'utf8')).get(name);
if (!steps) throw new Error(`${file} has no session called ${name}`);
try {
  await playSession(steps);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  // What the session started still runs, and holds this process's pipes.
  process.exit(1);
}
