/** The instance that the cases of rows.ts run on. */
import { Instance } from '../support/instance.js';
import { setModuleOptions } from '../support/module-options.js';
import { INACTIVITY } from './rows.js';

/** Both kinds of BOSH session expire soon, and both believe a proxy on this machine. */
export async function startInstance(): Promise<Instance> {
  // scripts/ejabberd.yml says the same of it.
  process.env.MEGAPHONE_TRUSTED_PROXIES = '127.0.0.1';
  const instance = await Instance.start();
  const options = { max_inactivity: INACTIVITY };
  await setModuleOptions(instance, { mod_megaphone: options, mod_bosh: options });
  return instance;
}
