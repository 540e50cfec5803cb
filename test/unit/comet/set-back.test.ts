/** A router begins anew, and its clock was set back: its numbers are smaller than those that pages have. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Comet } from '../../../src/comet/comet.js';
import type { Form, Page } from '../../../src/comet/ports.js';
import { Counters } from '../../../src/observe/counters.js';
import { FakeGatewayNode, FakeRouter } from './fake-routers.js';
import { VirtualTime } from './virtual-time.js';

class Stream implements Page {
  readonly form: Form = 'sse';
  readonly got: string[] = [];
  place: string | undefined;

  write(bytes: Buffer): void {
    const text = bytes.toString();
    this.place = /^id: (.*)$/m.exec(text)?.[1] ?? this.place;
    if (!text.includes('event: place'))
      this.got.push(text.includes('event: gap') ? 'gap' : text.slice(-7, -2));
  }
}

test('pages that were there get what it sends, and one that comes back hears a gap before', () => {
  const time = new VirtualTime();
  try {
    const router = new FakeRouter('r1@localhost');
    const node = new FakeGatewayNode('g1@localhost', [router]);
    const options = { nodes: [], ring: { count: 8, seconds: 60, bytes: 10_000 }, processes: 1 };
    const comet = new Comet(node.asNode, options, new Counters(), pino({ level: 'silent' }));
    comet.tick(0);
    const run = () => {
      for (let round = 0; round < 10; round += 1) {
        time.pass(1);
        while (router.sending.length > 0) router.enqueue(0);
        while (node.step(router, false) || node.step(router, true));
      }
    };
    const begin = (clock: number) => {
      router.restart(clock);
      node.connect(router);
      run();
    };
    begin(50_000);
    const [there, away] = [new Stream(), new Stream()];
    comet.listen(there, ['a'], undefined);
    const listening = comet.listen(away, ['a'], undefined);
    run();
    router.send('a');
    run();
    listening.leave();
    node.cut(router);
    begin(10_000);
    router.send('a');
    run();
    comet.listen(away, ['a'], away.place);
    run();
    router.send('a');
    run();
    assert.deepEqual(there.got, ['51001', '11001', '11002']);
    assert.deepEqual(away.got, ['51001', 'gap', '11002']);
    comet.stop();
  } finally {
    time.restore();
  }
});
