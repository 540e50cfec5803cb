/** Sets options of ejabberd's modules in a running instance, as an operator would: in its files, then a reload. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from '../support/instance.js';

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
