/** Where the project lies, for what runs from `dist`. */

import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));
