/**
 * A client's half of stream management (XEP-0198): which stanzas the server has, which ones it is to be sent again, how
 * many came. No socket and no clock.
 */

const NAMESPACE = "xmlns='urn:xmpp:sm:3'";

export const ENABLE = `<enable ${NAMESPACE} resume='true'/>`;
export const REQUEST = `<r ${NAMESPACE}/>`;

const STANZA = /^<(?:message|presence|iq)[ />]/;
const HANDLED = / h=['"](\d+)['"]/;
/** §4: counts wrap. */
const MODULUS = 2 ** 32;

export class StreamManagement {
  /** Empty until the server has enabled it. */
  #id = '';
  /** Stanzas that came since. */
  #received = 0;
  /** Stanzas that the server acknowledged. */
  #acknowledged = 0;
  /** Those behind them, in their order. */
  #unacknowledged: string[] = [];

  get isEnabled(): boolean {
    return this.#id !== '';
  }

  /** What the server does not have for sure. */
  get unacknowledged(): readonly string[] {
    return this.#unacknowledged;
  }

  /** @throws Error where the stream cannot be resumed */
  enabled(frame: string): void {
    const id = / id=['"]([^'"]+)['"]/.exec(frame)?.[1];
    if (id === undefined || !/ resume=['"](?:true|1)['"]/.test(frame))
      throw new Error(`not resumable: ${frame}`);
    this.#id = Buffer.from(id, 'latin1').toString('latin1');
  }

  sent(stanza: string): void {
    this.#unacknowledged.push(stanza);
  }

  /** Counts what is a stanza. */
  received(frame: string): void {
    if (this.isEnabled && STANZA.test(frame)) this.#received = (this.#received + 1) % MODULUS;
  }

  /**
   * An `<a/>`, `<resumed/>` or `<failed/>`.
   * @returns the stanzas that the server has now
   * @throws Error where it has more than were sent
   */
  acknowledged(frame: string): readonly string[] {
    const handled = HANDLED.exec(frame)?.[1];
    if (handled === undefined) return [];
    const more = (Number(handled) - this.#acknowledged + MODULUS) % MODULUS;
    if (more > this.#unacknowledged.length) {
      throw new Error(`${more} acknowledged of ${this.#unacknowledged.length}: ${frame}`);
    }
    this.#acknowledged = Number(handled);
    return this.#unacknowledged.splice(0, more);
  }

  get answer(): string {
    return `<a ${NAMESPACE} h='${this.#received}'/>`;
  }

  get resume(): string {
    return `<resume ${NAMESPACE} previd='${this.#id}' h='${this.#received}'/>`;
  }
}
