/**
 * Each case of conformance/rows.ts through the gateway. With COMPARE=1 ejabberd's own BOSH takes the same
 * cases, and docs/conformance.md is written anew with what both did.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setModuleOptions } from './conformance/configure.js';
import { cases, INACTIVITY } from './conformance/rows.js';
import { Instance } from './support/instance.js';

let instance: Instance;

before(async () => {
  instance = await Instance.start();
  await setModuleOptions(instance, {
    mod_megaphone: { max_inactivity: INACTIVITY },
    mod_bosh: { max_inactivity: INACTIVITY },
  });
});
after(() => instance.stop());

describe('conformance', { concurrency: 4, timeout: 300_000 }, () => {
  for (const { section, name, run } of cases)
    it(`${section}: ${name}`, () => run(instance.gatewayUrl, instance));
});
