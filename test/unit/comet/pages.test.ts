/** Pages that wait for their place while a router says nothing. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Asks } from '../../../src/comet/asks.js';
import { Audiences } from '../../../src/comet/audiences.js';
import { CatchingUp } from '../../../src/comet/catching-up.js';
import { FanOut } from '../../../src/comet/fan-out.js';
import { Origins } from '../../../src/comet/origins.js';
import { Pages } from '../../../src/comet/pages.js';
import type { Page } from '../../../src/comet/ports.js';
import { Ring } from '../../../src/comet/ring.js';
import { Turns } from '../../../src/comet/turns.js';
import { Counters } from '../../../src/observe/counters.js';
import { RING } from './alone.js';

const IDLE: Page = { form: 'poll', write: () => {} };

test('of those that left before nothing is kept, while another one waits', () => {
  const counters = new Counters();
  const origins = new Origins('megaphone@host', 1);
  const ring = new Ring(RING);
  const turns = new Turns();
  const asks = new Asks(() => false, counters.comet);
  const fanOut = new FanOut(origins, turns, counters);
  const catchingUp = new CatchingUp(origins, fanOut, asks, ring, turns, counters.clock);
  const audiences = new Audiences(ring, { login: () => {}, logout: () => {} });
  const pages = new Pages(origins, audiences, fanOut, catchingUp, counters);
  after(() => pages.stop());
  origins.setWelcome(origins.meet('router@host'), true);
  const stays = pages.listen(IDLE, ['a'], undefined);
  for (let count = 0; count < 1000; count += 1) pages.listen(IDLE, ['a'], undefined).leave();
  const opening = audiences.find('a')?.rare?.opening ?? [];
  assert.ok(opening.length < 10, `${opening.length} wait`);
  assert.equal(opening[0], stays);
});
