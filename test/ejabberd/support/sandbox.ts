/**
 * Plays a document's session as on a machine of its own: its own loopback, so that the printed ports are free;
 * its own processes, so that none is left behind; its own var/, so that a developer's instance is not seen.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../../../scripts/support/root.js';

const player = fileURLToPath(new URL('./play-session.js', import.meta.url));

const SETTINGS = /^(MEGAPHONE|EJABBERD|ERL)_/;

/** Resolves with what differed from the document, `''` for nothing. `before` is a command to prepare the machine with. */
export function playInSandbox(file: string, session: string, before = 'true'): Promise<string> {
  const inside = `ip link set lo up && mkdir -p "$1" && mount -t tmpfs tmpfs "$1" && shift && ${before} && exec "$@"`;
  const isolate = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  if (process.getuid?.() !== 0) isolate.push('--map-root-user');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !SETTINGS.test(name)));
  const args = [
    ...isolate,
    'sh',
    '-c',
    inside,
    'sh',
    join(root, 'var'),
    process.execPath,
    player,
    file,
    session,
  ];
  return new Promise((resolve) => {
    execFile('unshare', args, { cwd: root, env }, (error, _, stderr) => {
      resolve(error ? stderr || error.message : '');
    });
  });
}
