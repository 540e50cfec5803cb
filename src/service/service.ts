/**
 * The composition root: here, and nowhere else, a gateway is put together, from one configuration. Every part is given
 * what it needs; none looks for it.
 *
 *   Config ─▶ HiddenNode ◀─ Gateway ◀─ BoshServer           clients' requests go from right to left
 *                 ▲            ▲
 *                 └─ MegaphoneProcess, ModuleReports ◀─ OperatorPorts    and the questions of operators likewise
 */

import type { Logger } from 'pino';
import { COMET_OFF } from '../comet/off.js';
import type { Config } from '../config/schema.js';
import { Gateway } from '../gateway/gateway.js';
import { MegaphoneProcess, PROCESS_NAME } from '../gateway/megaphone-process.js';
import { ModuleSessions } from '../gateway/module-sessions.js';
import { ModuleReports } from '../gateway/module-stats.js';
import type { AdminDesk } from '../http/admin-desk.js';
import { BoshServer } from '../http/bosh-server.js';
import type { CertificateFiles } from '../http/certificate.js';
import { OperatorPorts } from '../http/operator-ports.js';
import type { Cookie } from '../node/cookie.js';
import type { HiddenNode, NodeOptions } from '../node/hidden-node.js';
import { Counters } from '../observe/counters.js';
import { Faults } from '../observe/faults.js';
import { LimitedLog } from '../observe/limited-log.js';
import { ProcessReport } from '../observe/process-metrics.js';
import { type GatewayState, health, type Reports, type Sources, stats } from '../observe/report.js';
import { ProcessUsage } from '../observe/usage.js';
import { Requests } from '../outside/requests.js';
import { type About, about } from './about.js';
import type { Crew, Orders } from './drain.js';
import { type Phase, stateOf } from './lifecycle.js';
import { nodeOptions } from './node-options.js';
import { certificateEnds, reloadTls, warnOfTls } from './node-tls.js';
import { speakerOf } from './speaker.js';
import { startNode } from './start-node.js';

/** Two nodes that connect to each other at once, or again: one connection stays. */
const HARMLESS: ReadonlySet<string> = new Set([
  'HANDSHAKE_SIMULTANEOUS',
  'HANDSHAKE_CLOSED',
  'HANDSHAKE_ALIVE',
]);

/** A node, or this one, that stops or starts anew. */
const USUAL_ENDS: ReadonlySet<string> = new Set([
  'LINK_CLOSED',
  'LINK_LET_GO',
  'LINK_STOPPED',
  'LINK_SUPERSEDED',
]);

export interface Listening {
  /** False: another process accepts the connections, and `bosh.serve` is given them. */
  readonly listens: boolean;
  /** Those of all processes that take its place or stand beside it; where there are none, it makes some for itself. */
  readonly ticketKeys?: Buffer;
  /** Who is told what operators ask for; where nobody is, it stays in service. */
  readonly orders?: Orders;
  /** By default, that there is no file. */
  readonly about?: About;
}

/** How it is as long as nobody says otherwise. */
interface Standing {
  state: GatewayState;
}

export class Service implements Crew {
  readonly node: HiddenNode;
  readonly gateway: Gateway;
  readonly bosh: BoshServer;
  readonly reports: Reports;
  readonly desk: AdminDesk;
  readonly #ports: OperatorPorts;
  readonly #standing: Standing;
  readonly #usage: ProcessUsage;
  readonly #reloadTls: () => void;
  readonly #clock: NodeJS.Timeout;
  #finished: Promise<void> | undefined;

  /** @throws MegaphoneError EPMD_…, NODE_…, HTTP_LISTEN: what must be there from the start; ejabberd may come later */
  static async start(
    config: Config,
    cookie: Cookie,
    log: Logger,
    listening: Listening = { listens: true },
  ): Promise<Service> {
    const options = nodeOptions(config, config.node, cookie);
    const node = await startNode(options, log);
    warnOfTls(options, log);
    try {
      return await Service.#startOn(node, options, config, log, listening);
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  static async #startOn(
    node: HiddenNode,
    options: NodeOptions,
    config: Config,
    log: Logger,
    { listens, ticketKeys, orders, about: how = about(config, undefined) }: Listening,
  ): Promise<Service> {
    const counters = new Counters();
    const gateway = new Gateway(
      node,
      {
        nodes: config.nodes,
        discover: config.discover,
        maxExchanges: config.max_exchanges,
        maxSockets: config.max_connections,
        answerTimeout: config.answer_timeout,
        nodeReturnWait: config.node_return_wait,
        maxWaiting: config.max_waiting,
        failedLogins: config.max_failed_logins_per_address || undefined,
        exemptNetworks: config.exempt_networks,
        trustedProxies: config.trusted_proxies,
      },
      counters,
      log,
    );
    const bosh = await BoshServer.listen(
      gateway,
      gateway.sockets,
      {
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
      },
      counters,
      log,
    );
    const modules = new ModuleReports(node, gateway.cluster);
    const standing: Standing = { state: 'in_service' };
    const sources: Sources = {
      node: node.name,
      counters,
      nodes: () => gateway.cluster.nodes,
      startedAt: Date.now(),
      openExchanges: () => gateway.openExchanges,
      websockets: () => gateway.sockets.size,
      connections: () => bosh.connections,
      receiving: () => bosh.receiving,
      state: () => standing.state,
      link: (peer) => node.traffic(peer),
      certificates: () =>
        certificateEnds({ https: bosh.certificateEnds, distribution: options.tls?.validTo }),
      isSeed: (name) => gateway.cluster.isSeed({ name }),
      usage: () => usage.latest,
    };
    const usage = new ProcessUsage();
    const process = new ProcessReport();
    const reports: Reports = {
      state: () => standing.state,
      health: () => health(sources),
      stats: () => stats(sources),
      asked: async () => ({ modules: await modules.read(), processes: await process.read() }),
    };
    const sessions = new ModuleSessions(node, gateway.cluster);
    const desk: AdminDesk = {
      order: async (order) => (await orders?.order(order)) ?? standing.state,
      sessions: (query) => sessions.page(query),
      closeSession: (peer, id) => sessions.close(peer, id),
      publish: (publications) => COMET_OFF.publish(publications),
      say: (line) => speaker.say(line),
    };
    const speaker = speakerOf(config, node, gateway, desk, counters, log);
    const requests = new Requests(desk, speaker);
    node.register(
      PROCESS_NAME,
      new MegaphoneProcess(
        node,
        gateway,
        {
          health: reports.health,
          about: () => ({ ...how, distribution_port: config.distribution_port }),
          figures: reports.stats,
          stats: async () => ({ ...reports.stats(), ejabberd: await modules.read() }),
          order: async (order) => ({ state: await desk.order(order) }),
          outside: (request) => requests.answer(request),
        },
        new Faults(log),
      ),
    );
    let ports: OperatorPorts;
    try {
      ports = await OperatorPorts.listen(config, reports, desk, log);
    } catch (error) {
      usage.close();
      await bosh.close();
      throw error;
    }
    logNodeEvents(node, counters, log);
    gateway.cluster.connect();
    return new Service(
      node,
      () => reloadTls(options, log),
      gateway,
      bosh,
      ports,
      reports,
      desk,
      standing,
      usage,
    );
  }

  private constructor(
    node: HiddenNode,
    reloadTls: () => void,
    gateway: Gateway,
    bosh: BoshServer,
    ports: OperatorPorts,
    reports: Reports,
    desk: AdminDesk,
    standing: Standing,
    usage: ProcessUsage,
  ) {
    this.node = node;
    this.#reloadTls = reloadTls;
    this.gateway = gateway;
    this.bosh = bosh;
    this.#ports = ports;
    this.reports = reports;
    this.desk = desk;
    this.#standing = standing;
    this.#usage = usage;
    const tick = (): void => gateway.tick(process.uptime());
    tick();
    this.#clock = setInterval(tick, 1000);
  }

  /** Reads the certificates and the token again. */
  reload(): void {
    this.#ports.reload();
    this.bosh.reloadCertificate();
    this.#reloadTls();
  }

  /** Of the BOSH endpoint. */
  get port(): number {
    return this.bosh.port;
  }

  async enter(phase: Phase): Promise<void> {
    this.#standing.state = stateOf(phase);
    if (phase === 'serving') this.bosh.keep();
    else if (phase === 'releasing' || phase === 'lastReleasing') await this.bosh.release();
    else if (phase === 'finishing') {
      this.#finished ??= this.#finish();
      await this.#finished;
    }
  }

  /** Its clients are sent elsewhere, one after the other; sessions keep what was not answered. */
  async stop(): Promise<void> {
    await this.enter('lastReleasing');
    await this.enter('finishing');
  }

  async #finish(): Promise<void> {
    await this.bosh.finish();
    clearInterval(this.#clock);
    // What is not answered by now is refused, so that clients repeat it elsewhere.
    this.gateway.stop();
    await this.bosh.close();
    await this.#ports.close();
    this.#usage.close();
    await this.node.stop();
  }
}

function logNodeEvents(node: HiddenNode, counters: Counters, log: Logger): void {
  const limited = new LimitedLog(log);
  node.on('up', (name) => log.info({ node: name }, `connected to ${name}`));
  node.on('down', (name, error) => {
    const level = USUAL_ENDS.has(error.code) ? 'info' : 'warn';
    log[level]({ err: error }, `disconnected from ${name}`);
  });
  node.on('refused', (error, address) => {
    counters.refusedHandshakes += 1;
    const text = 'refused a node that tried to connect';
    if (HARMLESS.has(error.code)) log.debug({ err: error, address }, text);
    else limited.warn(error.code, { err: error, address }, text);
  });
  // A broken EPMD may come and go with each attempt.
  node.on('epmdLost', (error) => {
    limited.warn(
      error.code,
      { err: error },
      'EPMD is gone: other nodes cannot find this one until it is back',
    );
  });
  node.on('epmdRenewed', () => log.debug('registered at EPMD again'));
}

/** `undefined`: it serves HTTP. */
export function certificateFiles({ tls_cert: cert, tls_key: key }: Config): CertificateFiles | undefined {
  return cert === '' ? undefined : { cert, key };
}
