/**
 * The load generators of scripts/load: what they count is right, also while the gateway is killed.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../scripts/load/child.js';
import { Load } from '../../scripts/load/load.js';
import { PATTERNS } from '../../scripts/load/schedule.js';
import type { Commands } from '../../scripts/load/socketless/process.js';
import { TRANSPORTS } from '../../scripts/load/user.js';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';

const USERS = 60;
const PACE = { concurrency: 10, perSecond: 200 };
const RATE = 100;

let instance: Instance;
before(async () => {
  instance = await Instance.start();
});
after(() => instance.stop());

describe('a load on the gateway', { timeout: 120_000 }, () => {
  let load: Load;
  before(async () => {
    // Two processes, as a load of many thousands would need.
    load = await Load.start({
      url: instance.gatewayUrl,
      host: 'localhost',
      users: USERS,
      usersPerProcess: USERS / 2,
    });
  });
  after(() => load.close());

  async function untilDelivered(count: number): Promise<void> {
    await until(async () => (await load.counters()).delivered >= count);
  }

  it('logs its users in', async () => {
    await load.login(PACE);
    assert.equal((await load.counters()).online, USERS);
    assert.equal((await instance.connectedUsers()).length, USERS);
  });

  it('sends every message once, and times it', async () => {
    await load.talk(RATE);
    await untilDelivered(RATE);
    await load.settle();
    const { sent, delivered, doubled, reordered, broken, ended } = await load.counters();
    assert.deepEqual(
      { delivered, doubled, reordered, broken, ended },
      { delivered: sent, doubled: 0, reordered: 0, broken: {}, ended: {} },
    );
    const latencies = (await load.times()).latencies;
    assert.equal(latencies.total, sent);
  });

  it('sends to random others, also those of another process, and counts each once', async () => {
    const before = await load.counters();
    await load.talk(RATE, 'random');
    await untilDelivered(before.delivered + RATE);
    await load.settle();
    const { sent, delivered, doubled, reordered, ended } = await load.counters();
    assert.deepEqual(
      { delivered, doubled, reordered, ended },
      { delivered: sent, doubled: 0, reordered: 0, ended: {} },
    );
    const { latencies, lags } = await load.times();
    assert.equal(latencies.total, sent - before.sent);
    assert.equal(lags.total, latencies.total);
  });

  it('repeats what broke when the gateway is killed at random, and nothing is lost, doubled or reordered', async () => {
    await load.talk(RATE);
    for (let kills = 0; kills < 4; kills += 1) {
      const { sent: sentByThen } = await load.counters();
      await untilDelivered(sentByThen + RATE / 2);
      await sleep(Math.random() * 500);
      await instance.killGateway();
      await instance.startGateway();
    }
    const { sent: sentByThen } = await load.counters();
    await untilDelivered(sentByThen + RATE);
    await load.settle();
    const { online, sent, delivered, doubled, reordered, broken, ended } = await load.counters();
    assert.deepEqual(
      { online, delivered, doubled, reordered, ended },
      { online: USERS, delivered: sent, doubled: 0, reordered: 0, ended: {} },
    );
    assert.ok(Object.keys(broken).length > 0);
  });

  it('logs its users out', async () => {
    await load.logout(PACE);
    assert.equal((await load.counters()).online, 0);
    assert.deepEqual(await instance.connectedUsers(), []);
  });
});

const WEBSOCKET_URLS = {
  "the gateway's WebSocket": () => instance.gatewayWebSocketUrl,
  "ejabberd's own WebSocket": () => instance.ejabberdWebSocketUrl,
};

for (const [name, url] of Object.entries(WEBSOCKET_URLS)) {
  describe(`a load on ${name}`, { timeout: 120_000 }, () => {
    let load: Load;
    before(async () => {
      load = await Load.start({
        url: url(),
        transport: 'websocket',
        host: 'localhost',
        users: USERS,
        usersPerProcess: USERS / 2,
      });
    });
    after(() => load.close());

    it('logs its users in', async () => {
      await load.login(PACE);
      assert.equal((await load.counters()).online, USERS);
      assert.equal((await instance.connectedUsers()).length, USERS);
    });

    it('sends every message once, in order, and times it', async () => {
      for (const pattern of PATTERNS) {
        const before = await load.counters();
        await load.talk(RATE, pattern);
        await until(async () => (await load.counters()).delivered >= before.delivered + RATE);
        await load.settle();
        const { sent, delivered, doubled, reordered, broken, ended } = await load.counters();
        assert.deepEqual(
          { delivered, doubled, reordered, broken, ended },
          { delivered: sent, doubled: 0, reordered: 0, broken: {}, ended: {} },
        );
        assert.equal((await load.times()).latencies.total, sent - before.sent);
      }
    });

    it('tells of a session that ended otherwise', async () => {
      const [jid = ''] = await instance.connectedUsers();
      const [, user = '', resource = ''] = /^(.*)@localhost\/(.*)$/.exec(jid) ?? [];
      await instance.ctl('kick_session', user, 'localhost', resource, 'enough');
      await until(async () => (await load.counters()).online !== USERS);
      assert.deepEqual((await load.counters()).ended, { conflict: 1 });
    });

    it('logs its users out', async () => {
      await load.logout(PACE);
      const { online, ended } = await load.counters();
      assert.deepEqual({ online, ended }, { online: 0, ended: { conflict: 1 } });
      assert.deepEqual(await instance.connectedUsers(), []);
    });
  });
}

// Those of WebSocket end as their node goes.
for (const transport of TRANSPORTS.toReversed()) {
  describe(`sessions over ${transport} without sockets`, { timeout: 60_000 }, () => {
    const SESSIONS = 201;
    let child: Child<Commands>;
    before(async () => {
      await until(async () => (await instance.connectedUsers()).length <= 0);
      child = new Child(new URL('../../scripts/load/socketless/process.js', import.meta.url));
      await child.ask('begin', {
        ejabberd: instance.ejabberdNode,
        epmdPort: Number(instance.env.ERL_EPMD_PORT),
        home: instance.var,
        host: 'localhost',
        transport,
        sessions: SESSIONS,
        wait: 60,
      });
    });
    after(() => child.end());

    it('log in and hold a request or a WebSocket each', async () => {
      await child.ask('login', SESSIONS);
      const { online, held, ended } = await child.ask('state');
      assert.deepEqual({ online, held, ended }, { online: SESSIONS, held: SESSIONS, ended: {} });
      assert.equal((await instance.connectedUsers()).length, SESSIONS);
    });

    it('write to each other', async () => {
      const counts = await child.ask('talk', 20, 1_000);
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        20,
      );
      const { sent, delivered } = await child.ask('state');
      assert.deepEqual({ sent, delivered }, { sent: 20, delivered: 20 });
    });
  });
}
