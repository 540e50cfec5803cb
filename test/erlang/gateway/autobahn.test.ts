/** Every case of the Autobahn test suite over a gateway's own sockets, before a real Erlang shell that echoes. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judge } from '../../support/autobahn/case.js';
import { autobahnCases, differenceOf } from '../../support/autobahn/cases.js';
import { run } from '../../support/autobahn/run.js';
import { Cluster, inService } from './support.js';

/** Sizes and counts of group 9 are divided by it: what is left is more than a window of frames. */
const SCALE = 8;

/** A peer without the module: it is asked nothing, and gets no window. */
const ECHO = `
  Test = self(),
  Echo = fun Echo() ->
    receive {ConnId, Text} when is_binary(Text) -> ConnId ! {ConnId, frame, Text}; _ -> ok end,
    Echo()
  end,
  spawn(fun() -> register(mod_megaphone, self()), Test ! echoing, Echo() end),
  receive echoing -> ok end`;

/** An echo comes from Erlang: where the connection ends by what follows the text, it may come too late. */
const RACES = /^(3\.[234]|4\.[12]\.[345]|5\.15|7\.1\.6)$/;

let cluster: Cluster;
let url: string;

before(async () => {
  cluster = await Cluster.start();
  const erl = await cluster.erl('shell');
  await erl.evaluate(ECHO);
  const service = await cluster.gateway({ nodes: erl.name, max_body: '4 MB' });
  await inService(service);
  url = `ws://127.0.0.1:${service.bosh.port}/ws`;
});
after(() => cluster.stop());

for (const one of autobahnCases(SCALE)) {
  test(`${one.id}: ${one.what}`, async () => {
    const outcome = await run(one, url);
    const { ours } = differenceOf(one) ?? {};
    if (ours !== undefined) {
      assert.deepEqual(outcome.lines, ours);
      return;
    }
    const verdict = judge(one, outcome);
    assert.ok(
      verdict === 'strict' || (verdict === 'lenient' && RACES.test(one.id)),
      `${verdict}: ${outcome.lines.join('\n')}`,
    );
  });
}
