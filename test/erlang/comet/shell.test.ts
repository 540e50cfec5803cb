/** The session that this is about: an `erl` shell without the application, one gateway, and pages. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { until } from '../../support/until.js';
import { Cluster, type Gateway, Reader } from './support.js';

let cluster: Cluster;
let shell: Erl;
let gateway: Gateway;
before(async () => {
  cluster = await Cluster.start();
  shell = await cluster.erl('shell');
  gateway = await cluster.gateway('gateway');
  await shell.evaluate("true = net_kernel:connect_node('gateway@localhost')");
});
after(() => cluster.stop());

const send = (term: string) => shell.evaluate(`{any, 'gateway@localhost'} ! ${term}`);
const got = (page: Reader, events: readonly string[]) =>
  until(() => page.events.length >= events.length).then(() => assert.deepEqual(page.events, events));

test('whatever the type of the id and of the text, each page gets it once, in order', async () => {
  const pages = [new Reader('123'), new Reader('123'), new Reader('other', '123')].map((page) =>
    page.open(gateway),
  );
  const stranger = new Reader('124').open(gateway);
  await send('{123, <<"binary">>}');
  await send(`{<<"123">>, "a string, Gr\\x{fc}\\x{df}e"}`);
  await send(`{'123', [<<"io">>, [$d, <<"ata">>]], #{event => greeting}}`);
  await send('{other, <<"two\\nlines">>}');
  await got(pages[2] as Reader, ['binary', 'a string, Grüße', 'iodata', 'two\nlines']);
  for (const page of pages.slice(0, 2)) await got(page, ['binary', 'a string, Grüße', 'iodata']);
  assert.deepEqual(stranger.events, []);
  for (const page of [...pages, stranger]) page.close();
});

test('a page that comes back misses nothing, and hears so where the place is of no use', async () => {
  const page = new Reader('back').open(gateway);
  await send('{back, <<"1">>}');
  await got(page, ['1']);
  page.close();
  await send('{back, <<"2">>}');
  await send('{back, <<"3">>}');
  const witness = new Reader('back').open(gateway);
  await send('{back, <<"4">>}');
  await got(witness, ['4']);
  page.open(gateway);
  await got(page, ['1', '2', '3', '4']);
  await send('{back, <<"5">>}');
  await got(page, ['1', '2', '3', '4', '5']);
  assert.equal(page.gaps, 0);
  page.close();
  // Its life is over, as far as anybody can tell.
  page.place = page.place?.replace(/\..*/, '.1');
  page.open(gateway);
  assert.equal(page.gaps, 1);
});

test('what nobody listens to, and what is no message, is dropped and counted', async () => {
  const { dropped } = gateway.counters.comet;
  const before = { ...dropped };
  await send('{nobody, <<"hello">>}');
  await send('hello');
  await send('{1, 2}');
  await send('{message, \'other@localhost\', [{1, 1}], <<"hello">>, #{}}');
  await send('{message, \'shell@localhost\', [{1, 1}], <<"hello">>, #{}}');
  await send('{nobody, <<"hello">>, #{event => <<"a\\nb">>}}');
  await until(() => dropped.event_name > before.event_name);
  assert.equal(dropped.nobody - before.nobody, 1);
  assert.equal(dropped.unknown_shape - before.unknown_shape, 2);
  assert.equal(dropped.stranger - before.stranger, 2);
});
