/** A person at an Erlang shell plays mod_megaphone, with curl as the web client: no ejabberd is needed. */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { killChild } from '../../../scripts/support/epmd.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, COOKIE, inService, urlOf } from './support.js';

const run = promisify(execFile);

/** `erl` as one starts it by hand, typed into and read from. */
class Shell {
  readonly #child: ChildProcess;
  #output = '';

  constructor(name: string, { epmd, erlArgs }: Cluster) {
    const args = ['-sname', name, '-setcookie', COOKIE, '-start_epmd', 'false', ...erlArgs];
    this.#child = spawn('erl', args, {
      env: { ...process.env, ERL_EPMD_PORT: String(epmd.port), TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (text) => {
      this.#output += text;
    });
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** What was printed since the last time, once `pattern` is in it. */
  async shows(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.#output));
    const shown = this.#output;
    this.#output = '';
    return shown;
  }

  kill(): Promise<void> {
    return killChild(this.#child);
  }
}

let cluster: Cluster;
let service: Service;
let shell: Shell;

before(async () => {
  cluster = await Cluster.start();
  shell = new Shell('ejabberd@localhost', cluster);
  service = await cluster.gateway({ nodes: 'ejabberd@localhost' });
  shell.type('register(mod_megaphone, self()).');
  await shell.shows(/true\n/);
  await inService(service);
});
after(async () => {
  await shell.kill();
  await cluster.stop();
});

const curl = async (body: string): Promise<string> =>
  (await run('curl', ['-sS', '-d', body, urlOf(service)])).stdout;

test('a shell sees {ConnId, <<"<body…">>} arrive from curl and answers it with ConnId ! <<"hello">>', async () => {
  const answered = curl("<body rid='1'/>");
  shell.type('{C, B} = receive M -> M end.');
  assert.match(await shell.shows(/\}\n/), /\{<\d+\.1\.\d+>,<<"<body rid='1'\/>">>\}/);
  shell.type('C ! <<"hello">>.');
  assert.equal(await answered, 'hello');
});

test('a request with any sid at all arrives too, and a string answers it', async () => {
  await shell.shows(/<<"hello">>/);
  const answered = curl("<body sid='whatever' rid='2'/>");
  shell.type('f(), receive {C, B} -> B end.');
  await shell.shows(/<<"<body sid='whatever' rid='2'\/>">>/);
  shell.type('C ! "a string".');
  assert.equal(await answered, 'a string');
});

test('the shell sees the gateway among the hidden nodes, and reads its statistics', async () => {
  shell.type('nodes(hidden).');
  assert.match(await shell.shows(/\]\n/), new RegExp(service.node.name));
  shell.type(`gen_server:call({megaphone, '${service.node.name}'}, stats).`);
  assert.match(await shell.shows(/\}\n/), /<<"requests">> => 2/);
});
