/** The statistics of the nodes' modules, as the gateway shows them. */

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { ModuleReports } from '../../../src/gateway/module-stats.js';
import type { Service } from '../../../src/service/service.js';
import { Cluster, inService, play } from './support.js';

let cluster: Cluster;
let one: Erl;
let two: Erl;
let service: Service;
let time = 0;
let reports: ModuleReports;

/** A `mod_megaphone` whose `stats/0` gives `stats`, and counts how often it is asked. */
async function loadModule(erl: Erl, stats: string): Promise<void> {
  const forms = [
    '-module(mod_megaphone).',
    '-export([contract/0, stats/0]).',
    'contract() -> 7.',
    `stats() -> persistent_term:put(asked, persistent_term:get(asked, 0) + 1), ${stats}.`,
  ];
  const lines = forms.map((form) => JSON.stringify(form)).join(', ');
  await erl.evaluate(`
    Forms = [begin {ok, Tokens, _} = erl_scan:string(Line), {ok, Form} = erl_parse:parse_form(Tokens), Form end
             || Line <- [${lines}]],
    {ok, Name, Beam} = compile:forms(Forms),
    {module, _} = code:load_binary(Name, "mod_megaphone.beam", Beam)`);
}

const asked = (erl: Erl): Promise<string> => erl.text('persistent_term:get(asked, 0)');

before(async () => {
  cluster = await Cluster.start();
  one = await cluster.erl('one');
  two = await cluster.erl('two');
  await loadModule(one, '#{sessions => 3, terminated => #{<<"client">> => 1, <<"host-gone">> => 0}}');
  await loadModule(two, '#{sessions => 4}');
  for (const erl of [one, two]) await play(erl);
  service = await cluster.gateway({ nodes: [one.name, two.name, 'three@localhost'] });
  await inService(service, 2);
});
after(() => cluster.stop());

beforeEach(() => {
  time = 0;
  reports = new ModuleReports(service.node, service.gateway.cluster, () => time);
});

test('every node in service is asked', async () => {
  assert.deepEqual(await reports.read(), {
    'one@localhost': { sessions: 3, terminated: { client: 1, 'host-gone': 0 } },
    'two@localhost': { sessions: 4 },
  });
});

test("they are part of the gateway's own", async () => {
  const sessions = `[maps:get(<<"sessions">>, Counts) ||
    {_, Counts} <- lists:sort(maps:to_list(maps:get(<<"ejabberd">>,
      gen_server:call({megaphone, '${service.node.name}'}, stats))))]`;
  assert.equal(await one.text(sessions), '[3,4]');
});

test('they are asked by the first who asks, and not again for three seconds', async () => {
  const before = Number(await asked(one));
  await Promise.all([reports.read(), reports.read()]);
  time = 2_999;
  await reports.read();
  assert.equal(await asked(one), String(before + 1));
  time = 3_000;
  await reports.read();
  assert.equal(await asked(one), String(before + 2));
});

test('a node that fails or says something else is left out, and so is what is no number', async () => {
  await loadModule(one, 'error(oops)');
  await loadModule(
    two,
    `#{sessions => 4, "odd" => 1, 'Odd Name' => 1, text => <<"x">>, group => #{a => b, <<"c">> => 2}}`,
  );
  assert.deepEqual(await reports.read(), { 'two@localhost': { sessions: 4, group: { c: 2 } } });
  await loadModule(two, '[1, 2]');
  time = 10_000;
  assert.deepEqual(await reports.read(), {});
});
