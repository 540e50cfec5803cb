/**
 * What a member of the cluster takes for the port mapper (EPMD): it asks the real one, and in the place of an ejabberd node's port it
 * names that of our relay to it. So all of a member's links to nodes go through relays, to nodes that it discovers, too, without
 * its knowing.
 */

import { connect, type Server, type Socket } from 'node:net';
import { lookup } from '../../src/node/epmd-client.js';
import { Link } from './link.js';
import type { Place } from './place.js';

const PORT_PLEASE2_REQ = 122;
const PORT2_RESP = 119;
/** Bytes before the name: two of the length, and the kind. */
const HEAD = 3;

export class Mapper {
  readonly links = new Map<string, Link>();
  readonly port: number;
  readonly #server: Server;
  readonly #epmdPort: number;
  readonly #at: Place;
  readonly #placeOf: (node: string) => Place;
  readonly #isNode: RegExp;
  readonly #ports = new Map<string, number>();

  /**
   * @param at where the member is
   * @param placeOf where a node is, by the name before the @
   * @param isNode the names of those that are reached by relays
   */
  static async start(
    epmdPort: number,
    at: Place,
    placeOf: (node: string) => Place,
    isNode = /^ejabberd/,
  ): Promise<Mapper> {
    const { server, port } = await at.listen();
    return new Mapper(server, port, epmdPort, at, placeOf, isNode);
  }

  private constructor(
    server: Server,
    port: number,
    epmdPort: number,
    at: Place,
    placeOf: (node: string) => Place,
    isNode: RegExp,
  ) {
    this.#isNode = isNode;
    this.#server = server;
    this.port = port;
    this.#epmdPort = epmdPort;
    this.#at = at;
    this.#placeOf = placeOf;
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.once('data', (first: Buffer) => this.#asked(socket, first));
    });
  }

  close(): void {
    this.#server.close();
    for (const link of this.links.values()) link.close();
  }

  #asked(socket: Socket, first: Buffer): void {
    const name = first.toString('utf8', HEAD);
    if (first[2] === PORT_PLEASE2_REQ && this.#isNode.test(name)) {
      void this.#portOf(name).then(
        (port) => socket.end(answer(port)),
        () => socket.end(Buffer.of(PORT2_RESP, 1)),
      );
      return;
    }
    const epmd = connect(this.#epmdPort, '127.0.0.1');
    epmd.on('error', () => socket.destroy());
    epmd.on('close', () => socket.end());
    socket.on('close', () => epmd.destroy());
    epmd.write(first);
    socket.pipe(epmd).pipe(socket);
  }

  /** @throws MegaphoneError where the real one does not know it */
  async #portOf(alive: string): Promise<number> {
    const { port: target } = await lookup(`${alive}@localhost`, this.#epmdPort);
    let link = this.links.get(alive);
    let port = this.#ports.get(alive);
    if (link === undefined || port === undefined) {
      const opened = await this.#at.listen();
      const place = this.#placeOf(alive);
      ({ port } = opened);
      link = new Link(opened.server, (to) => place.connect(to));
      this.links.set(alive, link);
      this.#ports.set(alive, port);
    }
    link.target = target;
    return port;
  }
}

/** As much of an answer as says the port: what follows it is the same for all. */
function answer(port: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt8(PORT2_RESP, 0);
  bytes.writeUInt16BE(port, 2);
  // A normal node, over TCP, versions 6 to 5; no name, nothing else.
  bytes.set([77, 0, 0, 6, 0, 5, 0, 0, 0, 0], 4);
  return bytes;
}
