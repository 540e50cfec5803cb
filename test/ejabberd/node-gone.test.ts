/** An ejabberd node that stays away: its clients hear 503 while its sessions may live, and then that they are gone. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { setModuleOptions } from '../../scripts/support/module-options.js';
import type { Service } from '../../src/service/service.js';
import { eventually, until } from '../support/until.js';
import { BoshSession, condition } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';

let instance: Instance;
let service: Service;
let url: string;
before(async () => {
  instance = await Instance.start({ gateway: false });
  await setModuleOptions(instance, { mod_megaphone: { max_wait: 1, max_inactivity: 2, max_pause: 3 } });
  // Limits that were longer once count until then.
  await instance.script('ejabberd.sh', 'stop');
  await instance.script('ejabberd.sh', 'start');
  ({ service, url } = await gatewayBeside(instance, { node_return_wait: '1 s' }));
});
after(async () => {
  await service.stop();
  await instance.stop();
});

test('503 for as long as a session could live, then item-not-found; then the node is back', {
  timeout: 120_000,
}, async () => {
  const [node] = service.gateway.cluster.nodes;
  assert.ok(node);
  await until(() => node.sessionSeconds === 8);
  const bob = await BoshSession.login(url, {}, { presence: '' });
  const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  process.kill(Number(await readFile(join(folder, 'ejabberd.pid'), 'utf8')), 'SIGKILL');
  const repeat = () => bob.at(bob.rid + 1).answer;
  let answer = await repeat();
  assert.equal(answer.status, 503, answer.xml);
  answer = await eventually(repeat, ({ status }) => status !== 503);
  assert.equal(answer.status, 200);
  assert.equal(condition(answer), 'item-not-found');
  assert.ok(service.gateway.counters.refused.node_lost > 1);

  await instance.script('ejabberd.sh', 'start');
  await until(() => service.gateway.cluster.inService !== 0);
  assert.equal(condition(await bob.at(bob.rid + 1).answer), 'item-not-found');
  assert.equal((await BoshSession.create(url)).creation.status, 200);
});
