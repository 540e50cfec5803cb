/** Server-sent events as a browser reads them (WHATWG HTML §9.2.6): what is not whole when its connection ends does not count. */

export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

export class EventReader {
  readonly #told: (event: ServerSentEvent) => void;
  #rest = '';
  #id: string | undefined;
  #event = '';
  #data: string[] = [];

  constructor(told: (event: ServerSentEvent) => void) {
    this.#told = told;
  }

  read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#id !== undefined || this.#data.length > 0)
        this.#told({ id: this.#id, event: this.#event, data: this.#data.join('\n') });
      this.#id = undefined;
      this.#event = '';
      this.#data = [];
      return;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'id') this.#id = value;
    else if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
  }
}
