/** Two nodes with the application, two gateways: what is sent on either node comes once, whatever breaks and wherever pages go. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { until } from '../../support/until.js';
import { Cluster, type Gateway, Reader } from './support.js';

let cluster: Cluster;
let nodes: readonly [Erl, Erl];
let gateways: readonly [Gateway, Gateway];
before(async () => {
  cluster = await Cluster.start();
  nodes = [await cluster.router('n1'), await cluster.router('n2')];
  await nodes[0].evaluate("true = net_kernel:connect_node('n2@localhost')");
  // The second hears of n2 by n1.
  gateways = [await cluster.gateway('g1', nodes), await cluster.gateway('g2', [nodes[0]])];
  for (const gateway of gateways) await until(() => gateway.welcome === 2);
});
after(() => cluster.stop());

const range = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

/** Bodies `NODE:1`, `NODE:2`, … to that id, a few milliseconds apart. */
const publish = (id: string, count: number, pauseMs: number) =>
  Promise.all(
    nodes.map((erl) =>
      erl.evaluate(`[begin
        ok = megaphone_router:send(<<"${id}">>, iolist_to_binary([atom_to_list(node()), $:, integer_to_list(N)])),
        timer:sleep(${pauseMs})
      end || N <- lists:seq(1, ${count})], ok`),
    ),
  );

async function hasAll(pages: readonly Reader[], count: number): Promise<void> {
  for (const page of pages) {
    await until(() => page.events.length >= nodes.length * count);
    for (const { name } of nodes) {
      const its = page.events.filter((event) => event.startsWith(`${name}:`));
      assert.deepEqual(
        its.map((event) => event.slice(name.length + 1)),
        range(count),
      );
    }
    assert.equal(page.gaps, 0);
  }
}

/** Its place has a number of each node, for each of its ids. */
const isWhole = (place: string | undefined): boolean =>
  place?.split(';').every((part) => part.split(',').length === nodes.length) ?? false;

const isOpen = (pages: readonly Reader[]) => until(() => pages.every(({ place }) => isWhole(place)));

test('one message crosses to a gateway once, for all of its pages', async () => {
  const pages = gateways.flatMap((gateway) => [1, 2, 3].map(() => new Reader('once').open(gateway)));
  await isOpen(pages);
  await nodes[0].evaluate('megaphone_router:send(<<"once">>, <<"hello">>)');
  await until(() => pages.every(({ events }) => events.length === 1));
  for (const { counters } of gateways) {
    assert.equal(counters.comet.messages.router, 1);
    assert.equal(counters.comet.deliveries, 3);
  }
  for (const page of pages) page.close();
});

test('what a shell sends to one gateway comes to all pages, with a number', async () => {
  const pages = gateways.map((gateway) => new Reader('any').open(gateway));
  await isOpen(pages);
  await nodes[1].evaluate(`{any, 'g1@localhost'} ! {any, <<"hello">>}`);
  await until(() => pages.every(({ events }) => events.length === 1));
  for (const page of pages) page.close();
});

test('what is published is with a router when that is said, in order', async () => {
  const pages = gateways.map((gateway) => new Reader('published', 'too').open(gateway));
  await isOpen(pages);
  const bodies = range(50);
  const { comet } = gateways[0];
  await Promise.all(
    bodies.map((body) => comet.publish([{ ids: ['published'], body: Buffer.from(body), meta: {} }])),
  );
  await comet.publish([
    { ids: ['too', 'published'], body: Buffer.from('last'), meta: { event: 'end', id: '7' } },
  ]);
  for (const page of pages) {
    await until(() => page.events.length >= 52);
    assert.deepEqual(page.events, [...bodies, 'last', 'last']);
  }
  for (const page of pages) page.close();
});

test('pages that move between gateways with their place miss nothing', async () => {
  const pages = [0, 1].map((at) => new Reader('move').open(gateways[at] as Gateway));
  await isOpen(pages);
  const sent = publish('move', 60, 10);
  for (let round = 0; round < 10; round += 1) {
    const [one] = pages;
    const count = one?.events.length ?? 0;
    await until(() => (one?.events.length ?? 0) > count || count >= 120);
    for (const [at, page] of pages.entries()) page.open(gateways[(round + at + 1) % 2] as Gateway);
  }
  await sent;
  await hasAll(pages, 60);
  for (const page of pages) page.close();
});

test('a router that is killed loses nothing', async () => {
  const pages = gateways.map((gateway) => new Reader('crash').open(gateway));
  await isOpen(pages);
  const sent = publish('crash', 60, 10);
  for (const erl of nodes) {
    await erl.evaluate('exit(whereis(megaphone_router), kill)');
    for (const [at, page] of pages.entries()) page.open(gateways[at] as Gateway);
  }
  await sent;
  await hasAll(pages, 60);
  for (const gateway of gateways) await until(() => gateway.welcome === 2);
  for (const page of pages) page.close();
});

test('links that are cut lose nothing, also to a page that comes meanwhile', async () => {
  const pages = gateways.map((gateway) => new Reader('cut').open(gateway));
  await isOpen(pages);
  const sent = publish('cut', 60, 10);
  for (const erl of nodes) {
    for (const [at, { node }] of gateways.entries()) {
      await erl.evaluate(`erlang:disconnect_node('${node.name}')`);
      for (const page of pages) page.open(gateways[at] as Gateway);
    }
  }
  await sent;
  await hasAll(pages, 60);
  for (const page of pages) page.close();
});
