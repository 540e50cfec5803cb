/** What a running gateway says of how it was started, so that the commands know it from another one of its name. */

import { resolve } from 'node:path';
import type { Config } from '../config/schema.js';

/** With workers: of the gateway they are a part of. */
export interface About {
  /** The whole path of the configuration's file; empty where there is none. */
  readonly configuration: string;
  readonly http_port: number;
  readonly admin_port: number;
  readonly agent_port: number;
  readonly lines_port: number;
}

export function about(config: Config, file: string | undefined): About {
  const { http_port, admin_port, agent_port, lines_port } = config;
  const configuration = file === undefined ? '' : resolve(file);
  return { configuration, http_port, admin_port, agent_port, lines_port };
}
