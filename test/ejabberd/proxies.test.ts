/**
 * The proxies of examples/ side by side before two gateways, with TLS as they have it: strophe.js talks through each over BOSH and
 * WebSocket, while one gateway stops and another is killed, in the sessions with which it began. Behind HAProxy and nginx no
 * request fails.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Program } from '../../scripts/bench/lib/program.js';
import { PROXY_SAMPLES, type ProxySample } from '../../scripts/bench/lib/proxy-samples.js';
import { Servers } from '../../scripts/chaos/servers.js';
import { makeCertificate, type TestCertificate } from '../../scripts/support/certificate.js';
import { freePorts } from '../../scripts/support/ports.js';
import { until } from '../support/until.js';
import type { Told } from './support/talk-over-tls.js';
import { TwoGateways } from './support/two-gateways.js';

const PEOPLE = 4;
const program = fileURLToPath(new URL('support/talk-over-tls.js', import.meta.url));

/** A proxy, and who talks through it. */
class Talk {
  readonly name: ProxySample['name'];
  told: Told = { turns: 0, statuses: {} };
  readonly #people: ChildProcess;
  readonly #proxy: Program;
  readonly #ended: Promise<unknown>;

  private constructor(name: ProxySample['name'], proxy: Program, people: ChildProcess) {
    this.name = name;
    this.#proxy = proxy;
    this.#people = people;
    people.on('message', (told: Told) => {
      this.told = told;
    });
    this.#ended = new Promise((resolve) => people.once('exit', resolve));
  }

  static async start(
    sample: ProxySample,
    index: number,
    all: TwoGateways,
    certificate: TestCertificate,
  ): Promise<Talk> {
    const [port = 0] = await freePorts(1);
    const folder = join(all.instance.var, sample.name);
    mkdirSync(folder);
    const proxy = await sample.start({ folder, certificate, port, gateways: all.gateways });
    const people = fork(program, [`${port}`, `${index * PEOPLE}`], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.cert },
    });
    return new Talk(sample.name, proxy, people);
  }

  /** Resolves when both couples have had so many turns more. */
  async goesOn(turns: number): Promise<void> {
    const wanted = this.told.turns + turns;
    await until(() => {
      assert.equal(this.#people.exitCode, null, `who talks through ${this.name} gave up`);
      return this.told.turns >= wanted;
    });
  }

  async end(): Promise<void> {
    this.#people.send('end');
    assert.equal(await this.#ended, 0, `who talked through ${this.name} failed`);
  }

  stop(): void {
    this.#people.kill('SIGKILL');
    this.#proxy.stop();
  }
}

describe('the proxies of examples/, with TLS', { timeout: 300_000 }, () => {
  let all: TwoGateways;
  const talks: Talk[] = [];

  before(async () => {
    all = await TwoGateways.start({ workers: 1, tls: false });
    const { instance } = all;
    const servers = await Servers.connect(instance.var, Number(instance.env.ERL_EPMD_PORT));
    await servers.register(instance.ejabberdNode, 'localhost', PEOPLE * PROXY_SAMPLES.length);
    await servers.stop();
    const certificate = makeCertificate(instance.var, 'web');
    for (const [index, sample] of PROXY_SAMPLES.entries()) {
      talks.push(await Talk.start(sample, index, all, certificate));
    }
  });
  after(async () => {
    for (const talk of talks) talk.stop();
    await all?.stop();
  });

  const allGoOn = async (): Promise<void> => {
    await Promise.all(talks.map((talk) => talk.goesOn(3)));
  };
  const isBusy = async (number: number): Promise<boolean> => (await all.metric(number, 'open_exchanges')) > 0;

  it('people talk through each of them', allGoOn);

  it('a gateway gets SIGTERM, and is started again', async () => {
    await until(() => isBusy(1));
    assert.equal(await all.endGateway(1), 0);
    await allGoOn();
    await all.startGateway(1);
    // Its balancers are to have it back before the other one goes: an HAProxy that asks as theirs does has, and they within a second or two.
    await all.serves(1);
    await sleep(2_000);
    await allGoOn();
  });

  it('a gateway is killed', async () => {
    await until(() => isBusy(2));
    await all.killGateway(2);
    await allGoOn();
  });

  it('all are in their sessions; behind HAProxy and nginx no request failed', async () => {
    await Promise.all(talks.map((talk) => talk.end()));
    for (const { name, told } of talks) {
      if (name !== 'Caddy') assert.deepEqual(Object.keys(told.statuses), ['200'], name);
    }
  });
});
