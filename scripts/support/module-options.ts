/** Options of ejabberd, and of its modules, on a running instance. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from './instance.js';

type Options = Readonly<Record<string, number | string | boolean | readonly unknown[]>>;

/** As an operator would: in the files, then a reload. Those of mod_megaphone are all set anew. */
export async function setModuleOptions(
  instance: Instance,
  { mod_megaphone, ...others }: Readonly<Record<string, Options>>,
): Promise<void> {
  const folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
  if (mod_megaphone !== undefined) {
    const modules = { modules: { mod_megaphone } };
    await writeFile(join(folder, 'conf/mod_megaphone.yml'), JSON.stringify(modules));
  }
  const path = join(folder, 'ejabberd.yml');
  const before = await readFile(path, 'utf8');
  const after = Object.entries(others).reduce(
    (text, [module, values]) => text.replace(`  ${module}: {}\n`, `  ${module}: ${JSON.stringify(values)}\n`),
    before,
  );
  if (after !== before) await writeFile(path, after);
  await instance.ctl('reload_config');
}

/** A module that the file does not have yet. */
export async function addModule(instance: Instance, name: string, options: Options): Promise<void> {
  const path = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string, 'ejabberd.yml');
  const before = await readFile(path, 'utf8');
  await writeFile(
    path,
    before.replace('\nmodules:\n', (line) => `${line}  ${name}: ${JSON.stringify(options)}\n`),
  );
  await instance.ctl('reload_config');
}

/** Options that are not a module's, which the file does not have yet. */
export async function setTopOptions(
  instance: Instance,
  options: Readonly<Record<string, number | string>>,
): Promise<void> {
  const path = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string, 'ejabberd.yml');
  const lines = Object.entries(options).map(([name, value]) => `${name}: ${value}\n`);
  await writeFile(path, lines.join('') + (await readFile(path, 'utf8')));
  await instance.ctl('reload_config');
}
