/** The endpoints on a port of their own, before whatever a test has for a gateway. */

import { type Logger, pino } from 'pino';
import type { SocketService } from '../../../src/gateway/ports.js';
import { BoshServer } from '../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import type { CometEndpoint } from '../../../src/http/comet/comet-front.js';
import type { BoshService } from '../../../src/http/front.js';
import { Counters } from '../../../src/observe/counters.js';

const OPTIONS: BoshServerOptions = {
  ip: '127.0.0.1',
  port: 0,
  corsOrigins: ['*'],
  webSocketPaths: ['/ws'],
  publicUrl: '',
  seeOtherUri: '',
  drainTime: 0,
  pingInterval: 40,
  trustedProxies: [],
  maxConnectionsPerAddress: 0,
  maxRequestsPerAddress: undefined,
  exemptNetworks: [],
  maxBody: 1000,
  maxReceiving: 1_000_000,
  maxConnections: 1000,
  headerTimeout: 10,
  requestTimeout: 30,
  keepAliveTimeout: 75,
  certificate: undefined,
};

export const NO_SOCKETS: SocketService = {
  open: (socket) => {
    socket.refuse(503, [], Buffer.from('There are no WebSockets here.'));
    return 0;
  },
  frame: () => true,
  written: () => {},
  read: () => {},
  closed: () => {},
};

export const NO_BOSH: BoshService = {
  request: (exchange) => {
    exchange.answer(503, [], Buffer.from('There is no BOSH here.'));
    return 0;
  },
  closed: () => {},
  release: () => {},
};

interface Others {
  readonly sockets?: SocketService;
  readonly counters?: Counters;
  readonly log?: Logger;
  readonly comet?: CometEndpoint;
}

export function listen(
  service: BoshService,
  options: Partial<BoshServerOptions> = {},
  { sockets = NO_SOCKETS, counters = new Counters(), log = pino({ level: 'silent' }), comet }: Others = {},
): Promise<BoshServer> {
  return BoshServer.listen(service, sockets, { ...OPTIONS, ...options }, counters, log, comet);
}
