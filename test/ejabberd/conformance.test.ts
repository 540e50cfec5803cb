/** Each case of conformance/rows.ts, over HTTP, through the gateway, against a real ejabberd. */
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { startInstance } from './conformance/configure.js';
import { cases } from './conformance/rows.js';

let instance: Instance;
before(async () => {
  instance = await startInstance();
});
after(() => instance.stop());

describe('BOSH', { concurrency: 4, timeout: 300_000 }, () => {
  for (const { section, name, run } of cases)
    it(`${section}: ${name}`, () => run(instance.gatewayUrl, instance));
});
