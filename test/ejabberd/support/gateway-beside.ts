/** A gateway in the test's own process, on an instance's ejabberd. */
import { pino } from 'pino';
import type { Instance } from '../../../scripts/support/instance.js';
import { configSchema } from '../../../src/config/schema.js';
import { loadCookie } from '../../../src/node/cookie.js';
import { type Endpoint, lookup } from '../../../src/node/epmd-client.js';
import { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';

/** Where the instance's ejabberd takes connections. */
export const distributionPort = (instance: Instance): Promise<Endpoint> =>
  lookup(instance.ejabberdNode, Number(instance.env.ERL_EPMD_PORT));

/**
 * Resolves when ejabberd is in service.
 * @param settings as in megaphone.yml; @param endpoint where ejabberd is to be found if EPMD shall not be asked
 */
export async function gatewayBeside(
  instance: Instance,
  settings: Readonly<Record<string, unknown>> = {},
  endpoint?: Endpoint,
): Promise<{ readonly service: Service; readonly url: string; readonly webSocketUrl: string }> {
  const config = configSchema.parse({
    node: `beside_${process.pid}@localhost`,
    nodes: [{ name: instance.ejabberdNode, ...endpoint }],
    epmd_port: instance.env.ERL_EPMD_PORT,
    ...instance.tlsSettings,
    http_ip: '127.0.0.1',
    http_port: 0,
    ...settings,
  });
  const service = await Service.start(
    config,
    loadCookie({ home: instance.var }),
    pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  );
  await until(() => service.gateway.cluster.inService !== 0);
  const address = `127.0.0.1:${service.port}`;
  return { service, url: `http://${address}/bosh`, webSocketUrl: `ws://${address}/ws` };
}
