/**
 * `make chaos-comet`, short and with a fixed seed: gateways, workers, links and routers are killed and cut under pages that listen by
 * server-sent events, long polling and WebSocket. Each gets each message once and in order, and never hears that it missed one.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runComet } from '../../../scripts/chaos/comet/run.js';

/** Kills a gateway, a worker and a router, cuts a link and has pages move in its first steps: on the busiest of machines there may be no more. */
const SEED = 35;

test('pages miss nothing and get nothing twice, whatever is killed but who sends', {
  timeout: 290_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'megaphone-chaos-comet-'));
  const result = await runComet(
    {
      ...{ nodes: 2, gateways: 2, folder, seed: SEED },
      ...{ seconds: 20, steps: 8, pages: 30, ids: 10, rate: 100 },
      groups: ['gateways', 'links', 'routers', 'pages'],
    },
    () => {},
  );
  const { crowd, stuck, lines, lastLine, sent } = result;
  const told = [`make chaos-comet CHAOS_SEED=${SEED} PAGES=30 RATE=100: ${folder}`, ...lines].join('\n');
  assert.deepEqual([lastLine, stuck], ['lost 0 doubled 0 reordered 0 gaps 0', undefined], told);
  assert.deepEqual(crowd.violations, [], told);
  // It did break things under a load.
  assert.ok(crowd.steps.length > 3, `${crowd.steps.length} steps`);
  assert.ok(crowd.steps.some(({ errors }) => errors.size > 0));
  assert.ok(sent > 100 && crowd.received > sent, `${sent} sent, ${crowd.received} received`);
  await rm(folder, { recursive: true });
});
