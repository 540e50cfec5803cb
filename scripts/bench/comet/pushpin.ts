/**
 * Pushpin, as Debian configures it: condure holds connections, the proxy asks an origin server who may listen to what, zurl fetches that, the handler
 * publishes. Its limit of messages a second is lifted. The origin is a process of ours, on the load generator's cores.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/child.js';
import { family } from '../../load/linux-process.js';
import { freePorts } from '../../support/ports.js';
import { Program } from '../lib/program.js';
import type { Commands } from './pushpin-origin.js';
import { endAll, endWithUs, type Subject } from './subject.js';

/** Fewer than the files that a process may open here. */
const MOST = 18_000;
/** Until its parts know each other. */
const SETTLE_MS = 2_000;

interface Ports {
  readonly http: number;
  readonly publish: number;
  readonly pull: number;
  readonly sub: number;
  readonly command: number;
}

const configuration = (folder: string, ports: Ports): string => `
[global]
include=/usr/lib/pushpin/internal.conf
rundir=${folder}/run
ipc_prefix=pushpin-
port_offset=0
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${ports.http}
logdir=${folder}/log
log_level=0
client_buffer_size=4096
client_maxconn=${MOST}
[proxy]
routesfile=${folder}/routes
zurl_out_specs=ipc://${folder}/run/pushpin-zurl-in
zurl_out_stream_specs=ipc://${folder}/run/pushpin-zurl-in-stream
zurl_in_specs=ipc://${folder}/run/pushpin-zurl-out
[handler]
push_in_spec=tcp://127.0.0.1:${ports.pull}
push_in_sub_specs=tcp://127.0.0.1:${ports.sub}
command_spec=tcp://127.0.0.1:${ports.command}
push_in_http_addr=127.0.0.1
push_in_http_port=${ports.publish}
message_rate=1000000000
message_hwm=1000000000
`;

/** @param cores that it may run on, written as for taskset(1) */
export async function startPushpin(cores: string): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'megaphone-pushpin-'));
  const [http = 0, publish = 0, pull = 0, sub = 0, command = 0] = await freePorts(5);
  const origin = new Child<Commands>(new URL('./pushpin-origin.js', import.meta.url));
  for (const part of ['run', 'log']) mkdirSync(join(folder, part));
  writeFileSync(join(folder, 'routes'), `* 127.0.0.1:${await origin.ask('listen')}\n`);
  const file = join(folder, 'pushpin.conf');
  writeFileSync(file, configuration(folder, { http, publish, pull, sub, command }));
  const program = await Program.start(['/usr/bin/pushpin', `--config=${file}`], http, cores);
  endWithUs(program.pid);
  await sleep(SETTLE_MS);
  return {
    name: 'Pushpin',
    url: `http://127.0.0.1:${http}/`,
    publishing: { url: `http://127.0.0.1:${publish}/publish/`, style: 'grip', token: undefined },
    pids: () => family(program.pid),
    stop: async () => {
      await endAll(family(program.pid));
      origin.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
