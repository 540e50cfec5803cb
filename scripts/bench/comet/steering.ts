/**
 * On one machine the kernel takes a packet in where it is sent: the writes of a server do its clients' work, too, which on a real network another machine
 * has. Receive packet steering (RPS, Documentation/networking/scaling.rst of Linux) of the loopback device gives that work to the load generator's cores.
 */

import { readFileSync, writeFileSync } from 'node:fs';

const FILE = '/sys/class/net/lo/queues/rx-0/rps_cpus';

/** A bit for each of the cores, which are written as for taskset(1), in the form of the kernel. */
export function maskOf(cores: string): string {
  const bits = cores.split(',').reduce((mask, core) => mask | (1n << BigInt(core)), 0n);
  const digits = bits.toString(16);
  // Words of 32 bits, with commas between them.
  return digits.padStart(Math.ceil(digits.length / 8) * 8, '0').replace(/(?<=.)(?=(.{8})+$)/g, ',');
}

/** While `act` runs. Only root may; without it nothing changes. @returns also whether it did */
export async function steered<T>(
  cores: string,
  act: () => Promise<T>,
): Promise<{ result: T; isSteered: boolean }> {
  const before = readFileSync(FILE, 'utf8');
  const restore = (): void => writeFileSync(FILE, before);
  try {
    writeFileSync(FILE, maskOf(cores));
  } catch {
    return { result: await act(), isSteered: false };
  }
  process.once('exit', restore);
  try {
    return { result: await act(), isSteered: true };
  } finally {
    process.off('exit', restore);
    restore();
  }
}
