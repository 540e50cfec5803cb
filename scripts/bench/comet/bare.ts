/** The bare server: what is left for the gateway to add. */

import { fileURLToPath } from 'node:url';
import { family } from '../../load/linux-process.js';
import { freePorts } from '../../support/ports.js';
import { Program } from '../lib/program.js';
import { endAll, type Subject } from './subject.js';

/** @param cores that it may run on, written as for taskset(1) */
export async function startBare(cores: string): Promise<Subject> {
  const [port = 0] = await freePorts(1);
  const server = fileURLToPath(new URL('./bare-server.js', import.meta.url));
  const program = await Program.start([process.execPath, server, `${port}`], port, cores);
  return {
    name: 'bare node:net',
    url: `http://127.0.0.1:${port}/`,
    publishing: { url: `http://127.0.0.1:${port}/`, style: 'grip', token: undefined },
    pids: () => family(program.pid),
    stop: () => endAll(family(program.pid)),
  };
}
