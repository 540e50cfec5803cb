/** The ports for operators and balancers, each where it is asked for: the admin port and the agent. */

import type { Config } from '../config/schema.js';
import type { Reports } from '../observe/report.js';
import type { AdminConfig } from './admin-door.js';
import { AdminServer } from './admin-server.js';
import { listenAsAgent } from './agent-server.js';

export type OperatorConfig = AdminConfig & Pick<Config, 'agent_ip' | 'agent_port'>;

export class OperatorPorts {
  readonly #servers: { close(): Promise<void> }[] = [];

  /** @throws MegaphoneError HTTP_LISTEN: then none is open */
  static async listen(config: OperatorConfig, reports: Reports): Promise<OperatorPorts> {
    const ports = new OperatorPorts();
    try {
      if (config.admin_port !== 0) ports.#servers.push(await AdminServer.listen(config, reports));
      if (config.agent_port !== 0) {
        const { agent_ip, agent_port } = config;
        ports.#servers.push(await listenAsAgent(agent_ip, agent_port, () => reports.health()));
      }
    } catch (error) {
      await ports.close();
      throw error;
    }
    return ports;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}
