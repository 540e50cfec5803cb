/** nginx with nchan: a worker process a core, messages kept as the gateway keeps them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { family } from '../../load/linux-process.js';
import { freePorts } from '../../support/ports.js';
import { Program } from '../lib/program.js';
import { endAll, endWithUs, type Subject } from './subject.js';

/** Debian's path, and where the module is. */
const NGINX = '/usr/sbin/nginx';
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';

const configuration = (folder: string, port: number, workers: number): string => `
load_module ${MODULE};
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 19500; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  nchan_shared_memory_size 1024M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/sub/(.+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
    location ~ ^/pub/(.+)$ {
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 64;
      nchan_message_timeout 60s;
    }
  }
}
`;

/** @param cores that it may run on, written as for taskset(1). @param workers its worker processes */
export async function startNchan(cores: string, workers: number): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'megaphone-nchan-'));
  const file = join(folder, 'nginx.conf');
  const [port = 0] = await freePorts(1);
  writeFileSync(file, configuration(folder, port, workers));
  const program = await Program.start([NGINX, '-c', file, '-p', folder], port, cores);
  endWithUs(program.pid);
  return {
    name: 'nchan',
    url: `http://127.0.0.1:${port}/sub/`,
    publishing: { url: `http://127.0.0.1:${port}/pub/`, style: 'nchan', token: undefined },
    pids: () => family(program.pid),
    stop: async () => {
      await endAll(family(program.pid));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
