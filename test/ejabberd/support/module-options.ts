/** Options of ejabberd's modules on a running instance. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from './instance.js';

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
