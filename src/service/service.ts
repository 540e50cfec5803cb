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
import { OperatorPorts } from '../http/operator-ports.js';
import type { Cookie } from '../node/cookie.js';
import type { HiddenNode, NodeOptions } from '../node/hidden-node.js';
import { Counters } from '../observe/counters.js';
import { Faults } from '../observe/faults.js';
import { ProcessReport } from '../observe/process-metrics.js';
import { type GatewayState, health, type Reports, type Sources, stats } from '../observe/report.js';
import { ProcessUsage } from '../observe/usage.js';
import { Requests } from '../outside/requests.js';
import { type About, about } from './about.js';
import { CometSide } from './comet-side.js';
import type { Crew, Orders } from './drain.js';
import { httpOptions } from './http-options.js';
import { type Phase, stateOf } from './lifecycle.js';
import { logNodeEvents } from './node-events.js';
import { nodeOptions } from './node-options.js';
import { certificateEnds, reloadTls, warnOfTls } from './node-tls.js';
import { speakerOf } from './speaker.js';
import { startNode } from './start-node.js';

export interface Listening {
  /** False: another process accepts the connections, and `bosh.serve` is given them. */
  readonly listens: boolean;
  /** Those of all processes that take its place or stand beside it; where there are none, it makes some for itself. */
  readonly ticketKeys?: Buffer;
  /** Who is told what operators ask for; where nobody is, it stays in service. */
  readonly orders?: Orders;
  /** That share this gateway's clients; by default this one alone. */
  readonly processes?: number;
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
  readonly #comet: CometSide | undefined;
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
    { listens, ticketKeys, orders, processes = 1, about: how = about(config, undefined) }: Listening,
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
    const comet = CometSide.of(node, gateway, config, processes, counters, log);
    const bosh = await BoshServer.listen(
      gateway,
      gateway.sockets,
      httpOptions(config, listens, ticketKeys),
      counters,
      log,
      comet?.endpoint,
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
      ...(comet === undefined ? {} : { comet: () => comet.comet.gauges() }),
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
      publish: (publications) => (comet?.comet ?? COMET_OFF).publish(publications),
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
    comet?.comet.connect();
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
      comet,
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
    comet: CometSide | undefined,
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
    this.#comet = comet;
    const tick = (): void => {
      gateway.tick(process.uptime());
      comet?.tick(process.uptime());
    };
    tick();
    this.#clock = setInterval(tick, 1000);
  }

  /** Reads the certificates, the token and the key of web pages' tokens again. */
  reload(): void {
    this.#ports.reload();
    this.bosh.reloadCertificate();
    this.#reloadTls();
    this.#comet?.reload();
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
    this.#comet?.comet.stop();
    await this.node.stop();
  }
}
