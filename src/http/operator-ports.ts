/** The ports for operators, balancers and who sends lines, each where it is asked for: the admin port, the agent, that for lines. */

import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import { Faults } from '../observe/faults.js';
import type { Reports } from '../observe/report.js';
import type { AdminDesk } from './admin-desk.js';
import type { AdminConfig } from './admin-door.js';
import { AdminServer } from './admin-server.js';
import { listenAsAgent } from './agent-server.js';
import type { BriefServer } from './brief-server.js';
import { LinesServer } from './lines-server.js';

export type OperatorConfig = AdminConfig &
  Pick<Config, 'agent_ip' | 'agent_port' | 'lines_ip' | 'lines_port'>;

export class OperatorPorts {
  #admin: AdminServer | undefined;
  #agent: BriefServer | undefined;
  #lines: LinesServer | undefined;

  /** @throws MegaphoneError HTTP_LISTEN, CONFIG_TOKEN_…: then none is open */
  static async listen(
    config: OperatorConfig,
    reports: Reports,
    desk: AdminDesk,
    log: Logger,
  ): Promise<OperatorPorts> {
    const ports = new OperatorPorts();
    try {
      if (config.admin_port !== 0) ports.#admin = await AdminServer.listen(config, reports, desk, log);
      if (config.agent_port !== 0) {
        const { agent_ip, agent_port } = config;
        const faults = new Faults(log);
        ports.#agent = await listenAsAgent(agent_ip, agent_port, () => reports.health(), faults);
      }
      const { lines_ip, lines_port } = config;
      if (lines_port !== 0) ports.#lines = await LinesServer.listen(lines_ip, lines_port, desk);
    } catch (error) {
      await ports.close();
      throw error;
    }
    return ports;
  }

  /** Reads the token again. */
  reload(): void {
    this.#admin?.reload();
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin?.close(), this.#agent?.close(), this.#lines?.close()]);
  }
}
