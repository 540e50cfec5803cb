/** Ports of 127.0.0.1 that nobody uses, for servers that are started later. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Those that were given away, with the process that has them: test files run side by side, and their servers start later. */
const TAKEN = join(tmpdir(), 'megaphone-ports');
const ours: string[] = [];

/** Ports below the range that the kernel gives to outgoing connections, so that none of those can take one meanwhile. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 14_000);
    if (!ports.has(port) && (await isFree(port)) && take(port)) ports.add(port);
  }
  return [...ports];
}

export async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (!(await isFree(port))) return false;
  return true;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** @returns whether nobody else was given it; it, or all that it stands for, is ours until this process ends */
export function take(port: number): boolean {
  const file = join(TAKEN, `${port}`);
  try {
    mkdirSync(TAKEN, { recursive: true });
    writeFileSync(file, `${process.pid}`, { flag: 'wx' });
    if (ours.length === 0) process.once('exit', giveBack);
    ours.push(file);
    return true;
  } catch {
    // What was left behind by one that was killed is nobody's, from the next time on.
    if (!isAlive(file)) rmSync(file, { force: true });
    return false;
  }
}

function giveBack(): void {
  for (const file of ours) rmSync(file, { force: true });
}

function isAlive(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}
