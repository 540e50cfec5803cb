/** From the configuration to what the endpoints of web clients go by. */

import type { Config } from '../config/schema.js';
import type { BoshServerOptions } from '../http/bosh-server-options.js';
import type { CertificateFiles } from '../http/certificate.js';

/** @param listens false: another process accepts the connections */
export function httpOptions(
  config: Config,
  listens: boolean,
  ticketKeys: Buffer | undefined,
): BoshServerOptions {
  return {
    ip: config.http_ip,
    port: listens ? config.http_port : undefined,
    corsOrigins: config.cors_origins,
    webSocketPaths: config.websocket_paths,
    publicUrl: config.public_url,
    seeOtherUri: config.see_other_uri,
    drainTime: config.drain_time,
    pingInterval: config.ping_interval,
    trustedProxies: config.trusted_proxies,
    maxConnectionsPerAddress: config.max_connections_per_address,
    maxRequestsPerAddress: config.max_requests_per_address || undefined,
    exemptNetworks: config.exempt_networks,
    maxBody: config.max_body,
    maxReceiving: config.max_receiving,
    maxConnections: config.max_connections,
    headerTimeout: config.header_timeout,
    requestTimeout: config.request_timeout,
    keepAliveTimeout: config.keep_alive_timeout,
    certificate: certificateFiles(config),
    ...(ticketKeys === undefined ? {} : { ticketKeys }),
  };
}

/** `undefined`: it serves HTTP. */
export function certificateFiles({ tls_cert: cert, tls_key: key }: Config): CertificateFiles | undefined {
  return cert === '' ? undefined : { cert, key };
}
