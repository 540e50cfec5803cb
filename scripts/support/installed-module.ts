/**
 * mod_megaphone as an ejabberd has compiled and installed it, for the next instances: that takes longer than all else of their
 * start. Their own scripts find what they need there, or install what is not the same any more.
 */
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './root.js';

/** Its Erlang, such as `13.1.5 25`: another's code may not load. */
const erlang = readFileSync('/usr/lib/erlang/releases/start_erl.data', 'utf8').trim().replace(/\W+/g, '-');
const KEPT = join(root, 'dist', `installed-module-${erlang}`);

/** The sum of its sources, which scripts/ejabberd.sh leaves there. */
const sumOf = (modules: string): Promise<string> =>
  readFile(join(modules, 'installed'), 'utf8').catch(() => '');

/** Before an ejabberd starts in this folder for the first time. */
export async function lend(folder: string): Promise<void> {
  const modules = join(folder, 'modules');
  if ((await sumOf(modules)) !== '' || (await sumOf(KEPT)) === '') return;
  // Another process may put a newer one there just now: half of one is none.
  await cp(KEPT, modules, { recursive: true }).catch(() => rm(modules, { recursive: true, force: true }));
}

/** After that. */
export async function keep(folder: string): Promise<void> {
  const modules = join(folder, 'modules');
  if ((await sumOf(modules)) === (await sumOf(KEPT))) return;
  const copy = await mkdtemp(`${KEPT}-`);
  await cp(modules, copy, { recursive: true });
  await rm(KEPT, { recursive: true, force: true });
  // Who comes second leaves that of the first.
  await rename(copy, KEPT).catch(() => rm(copy, { recursive: true, force: true }));
}
