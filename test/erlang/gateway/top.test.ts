/** `megaphone top` as an operator runs it: in a terminal, through a restart of the gateway, with workers, and into a file. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { killChild } from '../../../scripts/support/epmd.js';
import { within } from '../../../scripts/support/within.js';
import { until } from '../../support/until.js';
import { Site, type Workplace } from './program.js';
import { type Cluster, play } from './support.js';

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url));
const [ENTER, LEAVE] = ['\x1b[?1049h', '\x1b[?1049l'];

let site: Site;
let cluster: Cluster;
let workplace: Workplace;
let person: Person | undefined;

beforeEach(async () => {
  site = await Site.start();
  ({ cluster, workplace } = site);
});
afterEach(async () => {
  await person?.leave();
  person = undefined;
  await site.end();
});

/** Somebody at a terminal of that size, which util-linux' script makes. */
class Person {
  readonly #child: ChildProcess;
  #output = '';

  constructor(rows: number, columns: number, directory: string) {
    const command = `stty rows ${rows} cols ${columns}; exec '${process.execPath}' '${MAIN}' top`;
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: directory });
    this.#child.stdout?.on('data', (text) => {
      this.#output += text;
    });
  }

  /** What is on the screen: what was drawn since the cursor was home last. */
  get screen(): string {
    const drawn = this.#output.split('\x1b[H').at(-1) ?? '';
    return ['\x1b[K', '\x1b[J', '\r'].reduce((text, control) => text.replaceAll(control, ''), drawn);
  }

  async sees(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.screen) || this.#child.exitCode !== null);
    assert.match(this.screen, pattern, this.#output);
  }

  /** The exit code. */
  async presses(keys: string): Promise<number | null> {
    this.#child.stdin?.write(keys);
    if (this.#child.exitCode === null) await within(once(this.#child, 'close'), () => this.#output);
    assert.ok(
      this.#output.includes(ENTER) && this.#output.trimEnd().endsWith(LEAVE),
      this.#output.slice(-100),
    );
    return this.#child.exitCode;
  }

  leave(): Promise<void> {
    return killChild(this.#child);
  }
}

const ENDS = [
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
] as const;
for (const [key, keys] of ENDS) {
  test(`it draws until ${key}, and gives the terminal back`, async () => {
    const erl = await cluster.erl('ejabberd');
    await play(erl);
    const gateway = workplace.run(['start']);
    await gateway.shows(/ejabberd@localhost is in service/);
    person = new Person(30, 100, workplace.directory);
    await person.sees(/^megaphone@localhost {2}in service, ok, up .*\n(?:.*\n)*NODE .*\n(?:.*\n)*PROCESS /);
    await person.sees(/^ejabberd@localhost +in service +1\/1 /m);
    const lines = person.screen.split('\n');
    assert.ok(lines.length <= 30 && lines.every((line) => line.length <= 100));
    assert.equal(await person.presses(keys), 0);
  });
}

test('a gateway that is gone is told, and shown again when it is back', async () => {
  const first = workplace.run(['start']);
  await first.shows(/BOSH endpoint/);
  person = new Person(30, 100, workplace.directory);
  // Nothing is there that could be reached.
  await person.sees(/^ejabberd@localhost +out of service/m);
  await killChild(first.child);
  await person.sees(/megaphone@localhost does not answer: /);
  const second = workplace.run(['start']);
  await second.shows(/BOSH endpoint/);
  await person.sees(/^megaphone@localhost {2}in service/);
  assert.equal(await person.presses('q'), 0);
});

for (const [key, keys] of ENDS) {
  test(`${key} ends it while the gateway is away, too, and is no error`, async () => {
    const gateway = workplace.run(['start']);
    await gateway.shows(/BOSH endpoint/);
    person = new Person(30, 100, workplace.directory);
    await person.sees(/^ejabberd@localhost +out of service/m);
    await killChild(gateway.child);
    await person.sees(/megaphone@localhost does not answer: /);
    assert.equal(await person.presses(keys), 0);
  });
}

test('without a terminal it prints once; of several workers each has its row', async () => {
  const gateway = workplace.run(['start', '--workers', '2']);
  await gateway.shows(/BOSH endpoint/);
  const top = workplace.run(['top', '--workers', '2']);
  assert.equal(await top.ends(), 0);
  assert.match(top.output, /^megaphone@localhost {2}in service, unavailable, up /);
  assert.match(
    top.output,
    /^PROCESS .*\nmegaphone-1@localhost +\d+ +up .*\nmegaphone-2@localhost +\d+ +up /m,
  );
  assert.match(top.output, /^ejabberd@localhost +out of service +0\/2 /m);
  assert.ok(!top.output.includes('\x1b'));
});

test('a gateway that is not there is an error, with what mends it', async () => {
  const top = workplace.run(['top']);
  assert.equal(await top.ends(), 1);
  assert.match(top.output, /^megaphone: .* \[EPMD_NOT_REGISTERED\]\n {2}→ /);
});
