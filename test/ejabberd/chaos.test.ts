/**
 * `make chaos`, short and with a fixed seed: gateways, workers and links are killed, frozen and cut under people who write to each
 * other over both transports. They log in once, and get every message once and in order.
 */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { runChaos } from '../../scripts/chaos/run.js';

/** Kills a gateway, cuts a link and kills a worker in its first three steps: on the busiest of machines there may be no more. */
const SEED = 176;

it('loses, doubles and reorders nothing, and nobody logs in again, whatever happens to gateways and links', {
  timeout: 290_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'megaphone-chaos-'));
  const again = `make chaos CHAOS_SEED=${SEED} USERS=100 RATE=200`;
  const result = await runChaos(
    {
      nodes: 2,
      gateways: 2,
      folder,
      seconds: 60,
      steps: 8,
      seed: SEED,
      users: 100,
      rate: 200,
      groups: ['gateways', 'links'],
      again,
    },
    () => {},
  );
  const { logins, lost, doubled, reordered, foreign, twoSessions, stuck, clients, lines } = result;
  assert.deepEqual(
    { logins, lost, doubled, reordered, foreign, twoSessions, stuck },
    { logins: 0, lost: 0, doubled: 0, reordered: 0, foreign: 0, twoSessions: 0, stuck: undefined },
    lines.join('\n'),
  );
  // It did break things under a load.
  assert.ok(clients.checker.steps.length > 3, `${clients.checker.steps.length} steps`);
  assert.ok(result.errors > 0 && clients.checker.counts.resumed > 0);
  assert.ok(clients.checker.counts.received > 1_000);
});
