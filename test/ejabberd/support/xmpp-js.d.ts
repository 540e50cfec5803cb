declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events';

  export interface Element {
    readonly name: string;
    readonly attrs: Readonly<Record<string, string | undefined>>;
    getChildText(name: string): string | null;
  }

  export interface Client extends EventEmitter {
    readonly streamManagement: EventEmitter;
    start(): Promise<unknown>;
    stop(): Promise<unknown>;
    send(element: Element): Promise<void>;
  }

  export function client(options: {
    readonly service: string;
    readonly domain: string;
    readonly username: string;
    readonly password: string;
  }): Client;
  export function xml(
    name: string,
    attributes: Readonly<Record<string, string>>,
    ...children: readonly Element[] | readonly string[]
  ): Element;
}
