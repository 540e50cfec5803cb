/**
 * The process that `main.ts` measures: answers GET at once, holds POST. It tells its parent the port.
 *
 *   connection-holder.js KIND NODE PORT CERT KEY     the node that the gateway sends its requests to, for HTTPS two files
 */

import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { WebSocketServer } from 'ws';
import { configSchema } from '../../../src/config/schema.js';
import { Service } from '../../../src/service/service.js';
import type { Kind } from './main.js';
import { COOKIE } from './node-in-play.js';

const [kind, node, nodePort, cert, key] = process.argv.slice(2) as [Kind, ...string[]];

async function nodeHttp(): Promise<number> {
  const held: [IncomingMessage, ServerResponse, Buffer[]][] = [];
  const server = createHttpServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'POST') held.push([request, response, chunks]);
      else
        response.writeHead(405, { 'content-type': 'text/plain' }).end('BOSH requests are sent with POST.\n');
    });
  });
  const webSockets = new WebSocketServer({
    server,
    path: '/ws',
    perMessageDeflate: false,
    handleProtocols: () => 'xmpp',
  });
  webSockets.on('connection', (socket) => socket.on('message', () => {}));
  return listen(server);
}

async function bareSocket(): Promise<number> {
  const held: [object, Buffer][] = [];
  const answer =
    'HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 34\r\n\r\nBOSH requests are sent with POST.\n';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (bytes[1] === 'O'.charCodeAt(0)) held.push([socket, bytes]);
      else socket.write(answer);
    });
  });
  return listen(server);
}

async function gateway(tls: Readonly<Record<string, unknown>>): Promise<number> {
  const config = configSchema.parse({
    node: `megaphone_${process.pid}@localhost`,
    nodes: `${node}=127.0.0.1:${nodePort}`,
    epmd_port: 0,
    http_ip: '127.0.0.1',
    http_port: 0,
    max_connections: 20_000,
    keep_alive_timeout: '10 min',
    answer_timeout: '10 min',
    ...tls,
  });
  const service = await Service.start(config, COOKIE, pino({ level: 'silent' }));
  while (service.gateway.cluster.inService === 0) await sleep(20);
  return service.bosh.port;
}

async function listen(server: Server): Promise<number> {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const START: Readonly<Record<Kind, () => Promise<number>>> = {
  'node:http': nodeHttp,
  'bare socket': bareSocket,
  gateway: () => gateway({}),
  'gateway, HTTPS': () => gateway({ tls_cert: cert, tls_key: key }),
};
process.send?.(await START[kind]());
