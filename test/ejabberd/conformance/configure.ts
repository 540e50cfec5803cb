/** The instance that the cases of the conformance page run on. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Instance } from '../../../scripts/support/instance.js';
import { setModuleOptions } from '../../../scripts/support/module-options.js';
import { INACTIVITY, STRICT_HOST } from './bosh-rows.js';

/** Both kinds of BOSH session expire soon, both believe a proxy on this machine, and one host is strict. */
export async function startInstance(): Promise<Instance> {
  // scripts/ejabberd.yml says the same of it.
  process.env.MEGAPHONE_TRUSTED_PROXIES = '127.0.0.1';
  const instance = await Instance.start();
  const options = { max_inactivity: INACTIVITY };
  // Modules that a host has are those named for it, and no others.
  const modules = { mod_megaphone: { ...options, strict: true }, mod_bosh: options };
  await appendFile(
    join(instance.var, `${instance.ejabberdNode.split('@', 1)[0]}`, 'ejabberd.yml'),
    `\nhost_config:\n  ${STRICT_HOST}: ${JSON.stringify({ modules })}\n`,
  );
  await setModuleOptions(instance, { mod_megaphone: options, mod_bosh: options });
  return instance;
}
