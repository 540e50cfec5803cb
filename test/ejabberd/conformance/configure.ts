/** The instance that the cases of rows.ts run on. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Instance } from '../support/instance.js';
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

/** As an operator would: in the files, then a reload. */
export async function setModuleOptions(
  instance: Instance,
  options: Readonly<Record<string, Readonly<Record<string, number | string>>>>,
): Promise<void> {
  const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  for (const file of ['ejabberd.yml', 'modules/mod_megaphone/conf/mod_megaphone.yml']) {
    const path = join(folder, file);
    const before = await readFile(path, 'utf8');
    const after = Object.entries(options).reduce(
      (text, [module, values]) =>
        text.replace(`  ${module}: {}\n`, `  ${module}: ${JSON.stringify(values)}\n`),
      before,
    );
    if (after !== before) await writeFile(path, after);
  }
  await instance.ctl('reload_config');
}
