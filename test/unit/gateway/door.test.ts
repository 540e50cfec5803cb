/** Who may begin a session: not whoever is at an address of which too many logins failed, or that ejabberd banned. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Door, type DoorOptions } from '../../../src/gateway/door.js';
import type { ClientInfo } from '../../../src/gateway/meta.js';
import './never.js';

const clock = { now: 0 };

function make(options: Partial<DoorOptions> = {}): Door {
  clock.now = 1000.25;
  const rate = { burst: 3, perSecond: 0.1 };
  return new Door(
    { failedLogins: rate, exemptNetworks: [], trustedProxies: [], ...options },
    clock,
    pino({ level: 'silent' }),
  );
}

const client = (ip: string, unnamed: { isUnnamed?: true } = {}): { readonly client: ClientInfo } => ({
  client: { ...unnamed, ip, port: 1, secure: true, path: '/bosh', origin: '', userAgent: '' },
});

/** `reason status seconds`, or empty where it may. */
function refused(door: Door, ip: string, unnamed: { isUnnamed?: true } = {}): string {
  const refusal = door.refusalOf(client(ip, unnamed));
  if (refusal === undefined) return '';
  const [, seconds] = refusal.headers.find(([name]) => name === 'retry-after') ?? [];
  return `${refusal.reason} ${refusal.status} ${seconds}`;
}

test('nobody is looked at but while somebody may not begin a session', () => {
  const door = make();
  const stranger = {
    get client(): ClientInfo {
      throw new Error('looked at');
    },
  };
  const isLookedAt = (): boolean => {
    try {
      door.refusalOf(stranger);
      return false;
    } catch {
      return true;
    }
  };
  assert.equal(isLookedAt(), false);
  for (let count = 0; count < 3; count += 1) {
    assert.equal(isLookedAt(), false);
    door.failedLogin('192.0.2.1');
  }
  assert.equal(isLookedAt(), true);
  clock.now += 10.1;
  assert.equal(isLookedAt(), false);
  door.banned('192.0.2.1', 30);
  door.banned('192.0.2.2', 20);
  clock.now += 29;
  assert.equal(isLookedAt(), true);
  clock.now += 1;
  assert.equal(isLookedAt(), false);
});

test('so many logins may fail; those under way then count too, and all is made up for', () => {
  const door = make();
  for (let count = 0; count < 2; count += 1) door.failedLogin('192.0.2.1');
  assert.equal(refused(door, '192.0.2.1'), '');
  door.failedLogin('192.0.2.1');
  assert.equal(refused(door, '192.0.2.1'), 'failed_logins 429 10');
  assert.equal(refused(door, '192.0.2.2'), '');
  for (let count = 0; count < 15; count += 1) door.failedLogin('192.0.2.1');
  assert.equal(refused(door, '192.0.2.1'), 'failed_logins 429 160');
  for (let count = 0; count < 100; count += 1) door.failedLogin('192.0.2.1');
  assert.equal(refused(door, '192.0.2.1'), 'failed_logins 429 310');
  clock.now += 309;
  assert.equal(refused(door, '192.0.2.1'), 'failed_logins 429 1');
  clock.now += 1.1;
  assert.equal(refused(door, '192.0.2.1'), '');
});

test('a ban is over after its time, a minute at most', () => {
  const door = make({ failedLogins: undefined });
  door.banned('192.0.2.1', 5);
  door.banned('192.0.2.2', 3600);
  assert.equal(refused(door, '192.0.2.1'), 'banned 429 5');
  assert.equal(refused(door, '192.0.2.2'), 'banned 429 60');
  clock.now += 5;
  assert.equal(refused(door, '192.0.2.1'), '');
  door.banned('192.0.2.2', 60);
  clock.now += 59;
  assert.equal(refused(door, '192.0.2.2'), 'banned 429 1');
  clock.now += 1;
  assert.equal(refused(door, '192.0.2.2'), '');
});

test('of IPv6 a /64 is one address, and who is exempt is neither noted nor refused', () => {
  const door = make({ exemptNetworks: ['10.0.0.0/8', '2001:db8:1:2::f'] });
  door.banned('2001:db8:1:2::3', 60);
  assert.equal(refused(door, '2001:DB8:1:2:0:0:0:4'), 'banned 429 60');
  assert.equal(refused(door, '2001:db8:1:2::f'), '');
  assert.equal(refused(door, '2001:db8:1:3::3'), '');
  door.banned('10.1.2.3', 60);
  for (let count = 0; count < 10; count += 1) door.failedLogin('10.1.2.3');
  assert.equal(refused(door, '10.1.2.3'), '');
});

test('whom a trusted proxy names by no address is one with all such, and the proxy itself is free', () => {
  const door = make({ trustedProxies: ['10.0.0.0/24'] });
  for (let count = 0; count < 3; count += 1) door.failedLogin('10.0.0.1');
  door.banned('10.0.0.2', 60);
  assert.equal(refused(door, '10.0.0.1', { isUnnamed: true }), 'failed_logins 429 10');
  assert.equal(refused(door, '10.0.0.2', { isUnnamed: true }), 'banned 429 60');
  assert.equal(refused(door, '10.0.0.3', { isUnnamed: true }), '');
  for (const ip of ['10.0.0.1', '10.0.0.2']) assert.equal(refused(door, ip), '');
});

test('where no limit is set, any number of logins may fail', () => {
  const door = make({ failedLogins: undefined });
  for (let count = 0; count < 1000; count += 1) door.failedLogin('192.0.2.1');
  assert.equal(refused(door, '192.0.2.1'), '');
});

test('who is banned last stays so while a hundred thousand others are banned', () => {
  const door = make({ failedLogins: undefined });
  for (let count = 0; count < 100_000; count += 1) {
    door.banned(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`, 60);
    if (count % 10_000 === 0) door.banned('192.0.2.1', 60);
  }
  assert.equal(refused(door, '192.0.2.1'), 'banned 429 60');
  assert.equal(refused(door, '10.1.134.159'), 'banned 429 60');
  assert.equal(refused(door, '10.0.0.0'), '');
});
