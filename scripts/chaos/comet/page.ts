/**
 * A page that listens to ids, as in a browser: it keeps its place, and goes to the next gateway with it when its connection is gone.
 * Nothing stands in front of the gateways; their ports are all it knows.
 */

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import WebSocket from 'ws';
import { EventReader } from './event-reader.js';

export const TRANSPORTS = ['events', 'poll', 'websocket'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface Listener {
  /** A message came. */
  heard(body: string): void;
  /** It was told that it missed something of that id. */
  gap(id: string): void;
  /** A connection was lost, or refused. */
  lost(why: string): void;
}

/** One event, in the members of comet's JSON. */
interface Event {
  readonly id?: string;
  readonly data?: string;
  readonly gap?: string;
}

const PAUSE_MS = 100;
/** Without a sign for so long it asks again: a gateway gives one every 25 s, and ends a poll after a minute. */
const SILENCE_MS = 70_000;

export class Page {
  readonly transport: Transport;
  readonly #ids: readonly string[];
  readonly #ports: readonly number[];
  readonly #listener: Listener;
  readonly #home: number;
  #turn: number;
  #place = '';
  /** Ends the connection that there is, and whatever it would have said. */
  #end = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;

  /** @param turn of the gateways, which it begins at */
  constructor(
    transport: Transport,
    ids: readonly string[],
    ports: readonly number[],
    turn: number,
    listener: Listener,
  ) {
    this.transport = transport;
    this.#ids = ids;
    this.#ports = ports;
    this.#home = turn % ports.length;
    this.#turn = turn;
    this.#listener = listener;
    this.#open();
  }

  /** It has a place, and a connection that told it so; one that polls hears nothing before there is something. */
  get isListening(): boolean {
    return this.#isOpen || (this.transport === 'poll' && this.#place !== '');
  }

  /** Where it is, for people. */
  get where(): string {
    return `${this.transport} at gateway ${1 + (this.#turn % this.#ports.length)}`;
  }

  /** It leaves, and comes back elsewhere. */
  move(ms: number): void {
    this.#close();
    this.#later(ms);
  }

  /** It is reloaded, at the gateway where it began, unless it is there. */
  goHome(): void {
    if (this.#turn % this.#ports.length === this.#home) return;
    this.#close();
    this.#turn = this.#home - 1 + this.#ports.length;
    this.#later(0);
  }

  close(): void {
    this.#close();
  }

  #open(): void {
    const connection = { isOver: false };
    const end = (why: string): void => {
      if (connection.isOver) return;
      this.#close();
      this.#listener.lost(why);
      this.#later(PAUSE_MS);
    };
    const ids = this.#ids.map(encodeURIComponent).join(',');
    const port = this.#ports[this.#turn % this.#ports.length] as number;
    const target = { port, path: `/comet/${ids}`, place: this.#place };
    const tell = (event: Event): void => {
      if (!connection.isOver) this.#tell(event);
    };
    const cut = OPEN[this.transport](target, tell, end);
    this.#end = () => {
      connection.isOver = true;
      cut();
    };
    this.#quiet(end);
  }

  #later(ms: number): void {
    this.#turn += 1;
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#isOpen = false;
    this.#end();
    this.#end = () => {};
  }

  #quiet(end: (why: string) => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => end('silence'), SILENCE_MS);
  }

  #tell({ id, data, gap }: Event): void {
    this.#timer?.refresh();
    if (id !== undefined) {
      this.#place = id;
      this.#isOpen = true;
    }
    if (gap !== undefined) this.#listener.gap(gap);
    else if (data !== undefined) this.#listener.heard(data);
  }
}

interface Target {
  readonly port: number;
  readonly path: string;
  readonly place: string;
}

/** @param tell an event, or a sign of life */
type Open = (target: Target, tell: (event: Event) => void, end: (why: string) => void) => () => void;

const HOST = '127.0.0.1';

const withPlace = (path: string, place: string): string =>
  place === '' ? path : `${path}${path.includes('?') ? '&' : '?'}last-event-id=${encodeURIComponent(place)}`;

function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  end: (why: string) => void,
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  const asking = request({ host: HOST, port, path, headers, agent: false }, (response) => {
    response.setEncoding('utf8').on('error', ({ message }) => end(message));
    answered(response);
  });
  asking.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  asking.end();
  return asking;
}

const OPEN: Readonly<Record<Transport, Open>> = {
  events({ port, path, place }, tell, end) {
    const headers = { accept: 'text/event-stream', ...(place === '' ? {} : { 'last-event-id': place }) };
    const asking = ask(port, path, headers, end, (response) => {
      const reader = new EventReader(({ id, event, data }) => {
        const told = id === undefined ? {} : { id };
        if (event === 'gap') tell({ ...told, gap: data });
        else tell(event === 'place' ? told : { ...told, data });
      });
      response.on('end', () => end(response.statusCode === 200 ? 'end' : `status ${response.statusCode}`));
      if (response.statusCode === 200) response.on('data', (text: string) => reader.read(text));
      else response.resume();
    });
    return () => asking.destroy();
  },
  poll({ port, path, place }, tell, end) {
    let latest = place;
    let asking: ClientRequest | undefined;
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      asking = ask(port, withPlace(`${path}?poll`, latest), {}, end, (response) => {
        let text = '';
        response.on('data', (more: string) => {
          text += more;
        });
        response.on('end', () => {
          if (!response.complete) return end('cut');
          if (response.statusCode !== 200 && response.statusCode !== 204)
            return end(`status ${response.statusCode}`);
          const events = text === '' ? [{}] : (JSON.parse(text) as Event[]);
          for (const event of events) {
            latest = event.id ?? latest;
            tell(event);
          }
          again();
        });
      });
    };
    again();
    return () => {
      isOver = true;
      asking?.destroy();
    };
  },
  websocket({ port, path, place }, tell, end) {
    const socket = new WebSocket(`ws://${HOST}:${port}${withPlace(path, place)}`);
    socket.on('ping', () => tell({}));
    socket.on('message', (text) => tell(JSON.parse(String(text)) as Event));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', (code) => end(`closed with ${code}`));
    return () => socket.terminate();
  },
};
