/** The dashboard's modules that need no browser, with the types that their comments give them. */

import type * as Told from '../../../src/dashboard/types.js';
import type { FigureName } from '../../../src/observe/figures.js';

export type { Told };

interface Columns {
  readonly at: number[];
  of(name: FigureName): (number | null)[];
  replace(history: Told.History): void;
  add(at: number, figures: Told.Figures): void;
  least(name: FigureName, seconds: number): number;
}
interface Recent {
  add(at: number, uptime: number, sums: Readonly<Record<string, number>>): void;
  readonly lastMinute: ReadonlyMap<string, number>;
}
interface Problem {
  readonly level: 'bad' | 'warn';
  readonly what: string;
  readonly mend: string;
}
type Format = (value: number | null | undefined) => string;

/** What is served: the files of src/dashboard/ as the build leaves them. */
const load = (name: string) => import(new URL(`../../../src/dashboard/${name}.js`, import.meta.url).href);

export const { Columns } = (await load('columns')) as { Columns: new () => Columns };
export const { Recent } = (await load('recent')) as { Recent: new () => Recent };
export const { REFUSALS } = (await load('refusals')) as {
  REFUSALS: Readonly<Record<string, readonly string[]>>;
};
export const { problemsOf } = (await load('problems')) as {
  problemsOf(
    snapshot: Told.Snapshot,
    columns: Pick<Columns, 'least'>,
    refused: ReadonlyMap<string, number>,
    ofComet?: ReadonlyMap<string, number>,
  ): readonly Problem[];
};
export const format = (await load('format')) as Readonly<
  Record<'count' | 'bytes' | 'byteRate' | 'rate' | 'percent' | 'seconds' | 'brief' | 'span', Format>
>;
