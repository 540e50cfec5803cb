/** Who listens on a TCP port of this machine, as far as /proc tells this user. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Owner {
  readonly pid: number;
  readonly name: string;
}

/** As the kernel writes it in hexadecimal. */
const LISTEN = '0A';
/** A socket that listens is opened early; one process may have a million of others. */
const MAX_FILES = 4096;

/** @param proc the folder of that name */
export function portOwner(port: number, proc = '/proc'): Owner | undefined {
  const sockets = new Set(
    ['tcp', 'tcp6'].flatMap((table) => listening(textOf(`${proc}/net/${table}`), port)),
  );
  if (sockets.size === 0) return undefined;
  for (const pid of entries(proc).filter((name) => /^\d+$/.test(name))) {
    const files = entries(`${proc}/${pid}/fd`).sort((a, b) => Number(a) - Number(b));
    const isIts = files.slice(0, MAX_FILES).some((file) => sockets.has(linkOf(`${proc}/${pid}/fd/${file}`)));
    if (isIts) return { pid: Number(pid), name: textOf(`${proc}/${pid}/comm`).trim() };
  }
  return undefined;
}

/** Columns: number, local address, remote address, state, …, and the tenth the inode. */
function listening(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === LISTEN && local.endsWith(suffix))
    .map((columns) => `socket:[${columns[9]}]`);
}

/** Empty where this user may not look, or it is gone. */
function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
