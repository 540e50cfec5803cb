/** Each case of conformance/rows.ts, over HTTP, through the gateway, against a real ejabberd. */
import { after, before, describe, it } from 'node:test';
import { setModuleOptions } from './conformance/configure.js';
import { cases, INACTIVITY } from './conformance/rows.js';
import { Instance } from './support/instance.js';

let instance: Instance;
before(async () => {
  instance = await Instance.start();
  await setModuleOptions(instance, { mod_megaphone: { max_inactivity: INACTIVITY } });
});
after(() => instance.stop());

describe('BOSH', { concurrency: 4, timeout: 300_000 }, () => {
  for (const { section, name, run } of cases)
    it(`${section}: ${name}`, () => run(instance.gatewayUrl, instance));
});
