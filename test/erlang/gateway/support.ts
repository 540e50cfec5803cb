/** A whole gateway in this process, with real Erlang nodes whose `mod_megaphone` the test plays. */

import { type Logger, pino } from 'pino';
import { Epmd } from '../../../scripts/support/epmd.js';
import { Erl } from '../../../scripts/support/erl.js';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { CONTRACT_VERSION } from '../../../src/gateway/contract.js';
import { Cookie } from '../../../src/node/cookie.js';
import { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { TlsNodes } from '../over-tls.js';

export const COOKIE = 'gateway-tests';
export const BODY = "<body rid='1' xmlns='http://jabber.org/protocol/httpbind'/>";

/** Keeps what is sent to it until someone asks for the next message; likewise with the marks among them. */
const PLAYER = (name: string) => `
  Test = self(),
  Play = fun Play(Messages, Asking, Marks) ->
    case {queue:out(Messages), Asking} of
      {{{value, Message}, Later}, [Who | Others]} -> Who ! {message, Message}, Play(Later, Others, Marks);
      _ ->
        receive
          {next, Who} -> Play(Messages, Asking ++ [Who], Marks);
          {_, mark, _} = Mark -> Play(Messages, Asking, Marks ++ [Mark]);
          {say_taken, Who} when Marks =/= [] ->
            {Gateway, mark, Place} = hd(Marks),
            {megaphone, node(Gateway)} ! {taken, Place},
            Who ! {said, Place},
            Play(Messages, Asking, tl(Marks));
          {_, watch} -> Play(Messages, Asking, Marks);
          stop -> ok;
          Message when element(1, Message) =/= say_taken -> Play(queue:in(Message, Messages), Asking, Marks)
        end
    end
  end,
  spawn(fun() -> register(${name}, self()), Test ! playing, Play(queue:new(), [], []) end),
  receive playing -> ok end`;

/** `mod_megaphone:contract/0` gives `version`, as our module's does. */
const MODULE = (version: number) => `
  {ok, Name, Beam} = compile:forms([
    {attribute, 1, module, mod_megaphone},
    {attribute, 1, export, [{contract, 0}]},
    {function, 1, contract, 0, [{clause, 1, [], [], [{integer, 1, ${version}}]}]}]),
  {module, _} = code:load_binary(Name, "mod_megaphone.beam", Beam),
  ok`;

export class Cluster {
  readonly epmd: Epmd;
  /** Of an `erl` that speaks with the others. */
  readonly erlArgs: readonly string[];
  /** Of megaphone.yml, for a gateway that does. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly #tls = new TlsNodes();
  readonly #nodes: Erl[] = [];
  readonly #services: Service[] = [];

  static async start(): Promise<Cluster> {
    return new Cluster(await Epmd.start());
  }

  private constructor(epmd: Epmd) {
    this.epmd = epmd;
    this.erlArgs = this.#tls.erlArgs('localhost');
    const files = Object.entries(this.#tls.issue('localhost') ?? {});
    const tls = Object.fromEntries(files.map(([key, file]) => [`distribution_tls_${key}`, file]));
    this.settings = { epmd_port: epmd.port, http_ip: '127.0.0.1', ...tls };
  }

  async erl(alive: string, args: readonly string[] = []): Promise<Erl> {
    const name = `${alive}@localhost`;
    const erl = await Erl.start({
      name,
      cookie: COOKIE,
      epmdPort: this.epmd.port,
      args: [...this.erlArgs, ...args],
    });
    this.#nodes.push(erl);
    return erl;
  }

  /** A gateway of its own name for each call; `settings` as in megaphone.yml. It says nothing, unless there is a log. */
  async gateway(
    settings: Readonly<Record<string, unknown>>,
    log: Logger = pino({ level: 'silent' }),
  ): Promise<Service> {
    const config: Config = configSchema.parse({
      node: `megaphone${this.#services.length + 1}@localhost`,
      http_port: 0,
      ...this.settings,
      ...settings,
    });
    const service = await Service.start(config, new Cookie(COOKIE), log);
    this.#services.push(service);
    return service;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    await Promise.all(this.#nodes.map((erl) => erl.kill()));
    await this.epmd.stop();
    this.#tls.remove();
  }
}

/** Registers a player under that name. */
export async function play(erl: Erl, name = 'mod_megaphone'): Promise<void> {
  await erl.evaluate(PLAYER(name));
}

/** Makes the node one with our module, of that version of the contract. */
export async function loadModule(erl: Erl, version = CONTRACT_VERSION): Promise<void> {
  await erl.evaluate(MODULE(version));
}

/** Takes the next message `M` to a player, with ConnId `C`; gives what `then` evaluates to, as text. */
export function next(erl: Erl, then = 'M', name = 'mod_megaphone'): Promise<string> {
  return erl.text(`
    ${name} ! {next, self()},
    M = receive {message, Message} -> Message end,
    C = element(1, M),
    ${then}`);
}

/** Says of the next mark that it came to it, as the hub does; gives its place. */
export async function sayTaken(erl: Erl): Promise<number> {
  return Number(await erl.text('mod_megaphone ! {say_taken, self()}, receive {said, Place} -> Place end'));
}

export async function inService(service: Service, count = 1): Promise<void> {
  await until(() => service.gateway.cluster.inService === count);
}

export const urlOf = (service: Service): string => `http://127.0.0.1:${service.bosh.port}/bosh`;

export function post(
  service: Service,
  body: string | Uint8Array<ArrayBuffer> = BODY,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(urlOf(service), { method: 'POST', body, ...init });
}
