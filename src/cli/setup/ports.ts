/** The ports of the configuration: each is free, has this gateway running on it, or is somebody else's. */

import { createServer, type Server } from 'node:net';
import type { Config } from '../../config/schema.js';
import { MegaphoneError } from '../../errors.js';
import { listen } from '../../http/listen.js';
import { type Finding, failed, good, poor } from '../finding.js';
import type { Running } from './own-name.js';
import { portOwner } from './port-owner.js';

interface Wanted {
  readonly key: 'http_port' | 'admin_port' | 'agent_port' | 'lines_port' | 'distribution_port';
  readonly what: string;
  readonly ip: string;
  readonly port: number;
}

/** Port 0 is any free one, or none. */
function* wanted(config: Config): Generator<Wanted> {
  const { distribution_port: first, distribution_ip, workers } = config;
  yield { key: 'http_port', what: 'HTTP port', ip: config.http_ip, port: config.http_port };
  yield { key: 'admin_port', what: 'admin port', ip: config.admin_ip, port: config.admin_port };
  yield { key: 'agent_port', what: 'agent port', ip: config.agent_ip, port: config.agent_port };
  yield { key: 'lines_port', what: 'port for lines', ip: config.lines_ip, port: config.lines_port };
  for (let index = 0; index < workers && first !== 0; index += 1)
    yield { key: 'distribution_port', what: 'distribution port', ip: distribution_ip, port: first + index };
}

/** Each is held until all were tried: two keys may have one port. */
export async function* ports(config: Config, running: Running | undefined): AsyncGenerator<Finding> {
  const held: Server[] = [];
  try {
    for (const each of wanted(config)) if (each.port !== 0) yield await tryPort(each, running, held);
    if (config.lines_port !== 0 && !isOfThisMachine(config.lines_ip)) {
      yield poor(
        `whoever reaches ${config.lines_ip} port ${config.lines_port} may say anything to any user, room and page`,
        'lines_ip: 127.0.0.1, or a firewall in front',
      );
    }
  } finally {
    for (const server of held) server.close();
  }
}

async function tryPort(
  { key, what, ip, port }: Wanted,
  running: Running | undefined,
  held: Server[],
): Promise<Finding> {
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, ip, port);
    held.push(server);
    const isElsewhere = running !== undefined && running.get(key)?.has(port) !== true;
    return good(
      `${what} ${port} is free${isElsewhere ? '; the running gateway, which has others, takes it when it is started anew' : ''}`,
    );
  } catch (error) {
    // As the node does it, where the machine has no IPv6.
    if (key === 'distribution_port' && ip === '::' && codeOf(error) !== 'EADDRINUSE')
      return tryPort({ key, what, ip: '0.0.0.0', port }, running, held);
    if (codeOf(error) !== 'EADDRINUSE') return failed(error);
    if (running?.get(key)?.has(port) === true)
      return good(`${what} ${port} is that of this gateway, running already`);
    return takenByAnother(key, port, error);
  }
}

const isOfThisMachine = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';

const codeOf = (error: unknown): string | undefined =>
  error instanceof MegaphoneError ? (error.cause as NodeJS.ErrnoException).code : undefined;

function takenByAnother(key: string, port: number, error: unknown): Finding {
  const owner = portOwner(port);
  const finding = failed(error);
  if (owner?.pid === process.pid)
    return { ...finding, text: `${key} is ${port}, as another key is`, hint: 'give each a port of its own' };
  const who = owner === undefined ? 'another program' : `${owner.name} (process ${owner.pid})`;
  return { ...finding, hint: `${who} listens there: stop it, or change the key ${key}` };
}
