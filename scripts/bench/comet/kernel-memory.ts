/** What the kernel has in use for sockets, files and whatever else it keeps: unlike the memory that is available, it does not change with every program. */

import { readFileSync } from 'node:fs';

const PAGE = 4096;

/** @param meminfo of /proc/meminfo. @param sockstat of /proc/net/sockstat: what waits in buffers of TCP is in no slab */
export function kernelBytesIn(meminfo: string, sockstat: string): number {
  const [, slab] = /^Slab:\s+(\d+) kB$/m.exec(meminfo) ?? [];
  const [, pages] = /^TCP: .* mem (\d+)$/m.exec(sockstat) ?? [];
  return Number(slab) * 1024 + Number(pages) * PAGE;
}

export const kernelBytes = (): number =>
  kernelBytesIn(readFileSync('/proc/meminfo', 'utf8'), readFileSync('/proc/net/sockstat', 'utf8'));
