/**
 * Who has the gateway's node name, or one of its workers' names: nobody, this very gateway, or a stranger. That the name answers is no
 * proof: two gateways may have been given one name. The running one tells which configuration it was started with.
 */

import { resolve } from 'node:path';
import { nodeNames } from '../../config/node-names.js';
import type { Config } from '../../config/schema.js';
import { parseNodeName } from '../../distribution/names.js';
import { MegaphoneError } from '../../errors.js';
import { atom, type Term } from '../../etf/terms.js';
import { PROCESS_NAME } from '../../gateway/megaphone-process.js';
import { names } from '../../node/epmd-client.js';
import type { HiddenNode } from '../../node/hidden-node.js';
import { bad, type Finding, good, poor } from '../finding.js';
import { endpointOf, member } from '../running-gateway.js';

const CALL_TIMEOUT_MS = 5_000;

/** The ports that the running gateway was told to open. */
export type Running = ReadonlyMap<string, ReadonlySet<number>>;

/** @returns `undefined`: this gateway does not run */
export async function* ownNames(
  node: HiddenNode,
  config: Config,
  file: string | undefined,
): AsyncGenerator<Finding, Running | undefined> {
  const registered = config.epmd_port === 0 ? undefined : await names('127.0.0.1', config.epmd_port);
  const ports = new Map<string, Set<number>>();
  for (const [index, name] of nodeNames(config).entries()) {
    const endpoint = endpointOf(config, index);
    const isFree =
      registered?.every(({ alive }) => alive !== parseNodeName(name).alive) ?? endpoint === undefined;
    if (isFree) {
      yield good(`the name ${name} is free`);
      continue;
    }
    try {
      await node.connect(name, endpoint);
      const answer = await node.call(name, PROCESS_NAME, atom('about'), CALL_TIMEOUT_MS);
      const finding = whose(name, answer, config, file);
      yield finding;
      if (finding.mark !== '✘') for (const [key, port] of portsIn(answer)) add(ports, key, port);
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      // Without EPMD nobody listens there: whether the port is free, is another question.
      if (registered === undefined && error.code === 'NODE_UNREACHABLE') yield good(`${name} does not run`);
      else yield stranger(name, error);
    }
  }
  return ports.size === 0 ? undefined : ports;
}

function whose(name: string, answer: Term, { http_port }: Config, file: string | undefined): Finding {
  const told = member(answer, 'configuration');
  if (!(told instanceof Uint8Array))
    return poor(
      `${name} is a gateway that runs already; of an older release, it does not say with which configuration`,
      'take care that it is this one: two gateways cannot have one name',
    );
  const theirs = Buffer.from(told).toString('utf8');
  // Where there is no file, the port is all there is to tell them apart.
  const isThis =
    file === undefined
      ? theirs === '' && member(answer, 'http_port') === http_port
      : theirs === resolve(file);
  if (isThis) return good(`${name} is this gateway, running already`);
  return bad(
    `${name} is another gateway, running with ${theirs === '' ? 'no configuration file' : theirs}: two of one name`,
    'give each a node of its own, or stop that one',
  );
}

function stranger(name: string, { code, message }: MegaphoneError): Finding {
  const before = BEFORE[code];
  return {
    mark: '✘',
    text: `another node is called ${name}: ${message}`,
    hint: `stop it, or change the key node${before === undefined ? '' : `; or it is this gateway, started ${before}`}`,
    code,
  };
}

/** It may be this gateway, as it was before its configuration was changed. */
const BEFORE: Readonly<Partial<Record<string, string>>> = {
  HANDSHAKE_WRONG_COOKIE: 'with another cookie',
  HANDSHAKE_TLS_MISMATCH: 'when distribution_tls_… was another',
};

function* portsIn(answer: Term): Generator<[string, number]> {
  for (const key of ['http_port', 'admin_port', 'agent_port', 'lines_port', 'distribution_port']) {
    const port = member(answer, key);
    if (typeof port === 'number') yield [key, port];
  }
}

function add(ports: Map<string, Set<number>>, key: string, port: number): void {
  const known = ports.get(key);
  if (known === undefined) ports.set(key, new Set([port]));
  else known.add(port);
}
