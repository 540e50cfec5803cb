/** Each case of the conformance page, over real connections, through the gateway, against a real ejabberd. */
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { startInstance } from './conformance/configure.js';
import { parts } from './conformance/parts.js';

let instance: Instance;
before(async () => {
  instance = await startInstance();
});
after(() => instance.stop());

for (const { title, cases, ours } of parts) {
  describe(title, { concurrency: 4, timeout: 300_000 }, () => {
    for (const { section, name, run } of cases)
      it(`${section}: ${name}`, { timeout: 60_000 }, () => run(ours(instance), instance));
  });
}
