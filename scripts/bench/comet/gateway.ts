/** The gateway, as it is started from the command line: alone with its own ring, or with routers, which several workers need. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { family, isGone } from '../../load/linux-process.js';
import { freePorts } from '../../support/ports.js';
import { root } from '../../support/root.js';
import { Program } from '../lib/program.js';
import { endAll, type Subject } from './subject.js';

/** Files that a process may have open on many machines, less those that are no connections. */
const PER_WORKER = 19_000;
const TOKEN = 'bench-comet-token-of-32-characters';
export const COOKIE = 'bench-comet';
const PATIENCE_MS = 20_000;
const POLL_MS = 100;

export interface Router {
  readonly name: string;
  readonly endpoint: { readonly host: string; readonly port: number };
  readonly pids: () => readonly number[];
  stop(): Promise<void>;
}

/** An Erlang node with megaphone_comet alone, which `make -C erl comet` has built. */
export async function startRouter(cores: string): Promise<Router> {
  const [port = 0] = await freePorts(1);
  const name = `bench_router_${process.pid}@localhost`;
  const flags = ['-noinput', '-start_epmd', 'false', '-erl_epmd_port', `${port}`, '-sname', name];
  const code = ['-pa', join(root, 'dist/erl/megaphone_comet/ebin'), '-setcookie', COOKIE];
  const start = ['-eval', '{ok, _} = application:ensure_all_started(megaphone_comet).'];
  const program = await Program.start(['erl', ...flags, ...code, ...start], port, cores);
  return {
    name,
    endpoint: { host: '127.0.0.1', port },
    pids: () => family(program.pid),
    stop: () => endAll(family(program.pid)),
  };
}

interface Options {
  /** That it may run on, written as for taskset(1). */
  readonly cores: string;
  readonly workers?: number;
  /** Its processor time counts as the gateway's. */
  readonly router?: Router;
  /** Told apart from others of the same run. */
  readonly name?: string;
}

/** Resolves when it takes what is published. */
export async function startGateway({ cores, workers = 1, router, name = 'one' }: Options): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'megaphone-comet-'));
  const token = join(folder, 'token');
  writeFileSync(token, TOKEN, { mode: 0o600 });
  const [http = 0, admin = 0] = await freePorts(2);
  const settings = {
    node: `bench_${name}_${process.pid}@localhost`,
    nodes: '',
    epmd_port: 0,
    http_ip: '127.0.0.1',
    http_port: http,
    admin_port: admin,
    admin_token_file: token,
    max_connections: PER_WORKER * workers,
    comet_anyone: true,
    workers,
    drain_delay: 0,
    drain_time: 1,
    ...(router === undefined ? {} : { comet_nodes: placeOf(router) }),
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => [
    `--${key.replaceAll('_', '-')}`,
    `${value}`,
  ]);
  process.env.MEGAPHONE_COOKIE = COOKIE;
  const command = [process.execPath, ...nodeFlags(), join(root, 'dist/src/main.js'), 'start', ...flags];
  const program = await Program.start(command, http, cores);
  const publishing = { url: `http://127.0.0.1:${admin}/publish`, style: 'grip', token: TOKEN } as const;
  await takesMessages(publishing.url);
  return {
    name: 'gateway',
    url: `http://127.0.0.1:${http}/comet/`,
    publishing,
    pids: () => [...family(program.pid), ...(router?.pids() ?? [])],
    stop: async () => {
      const pids = isGone(program.pid) ? [] : family(program.pid);
      // Else it would write no profile.
      if (nodeFlags().length > 0 && pids.length > 0) await endGently(program.pid);
      await endAll(pids);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As in comet_nodes. */
const placeOf = ({ name, endpoint: { host, port } }: Router): string => `${name}=${host}:${port}`;

/** NODE_FLAGS=--cpu-prof, say, to look inside. */
const nodeFlags = (): string[] => (process.env.NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');

async function endGently(pid: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  process.kill(pid, 'SIGTERM');
  while (!isGone(pid) && performance.now() < end) await sleep(POLL_MS);
}

async function takesMessages(url: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  const body = JSON.stringify({
    items: [{ channel: 'nobody', formats: { 'http-stream': { content: '' } } }],
  });
  for (;;) {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body }).then(
      async (response) => ({ ok: response.ok, text: `${response.status} ${await response.text()}` }),
      (error: Error) => ({ ok: false, text: String(error.cause ?? error) }),
    );
    if (answer.ok) return;
    if (performance.now() > end) throw new Error(`the gateway takes no messages: ${answer.text}`);
    await sleep(POLL_MS);
  }
}
