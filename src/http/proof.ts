/**
 * What the gateway knows of how far a WebSocket's client has read, as a value: a Ping with a number comes back as a Pong
 * when the client has all that was sent before (RFC 6455 §5.5.3). One is under way at most.
 *
 *   state    a Ping is under way  something is to be proven that it does not prove
 *   idle     no                   no
 *   due      no                   yes
 *   away     yes                  no
 *   behind   yes                  yes
 *
 *   in state  sent  sent, asked  PROOF_BYTES, asked  ping    Pong        other Pong
 *   idle      idle  due          due, at once        away    ·           ·
 *   due       due   due          due, at once        away+   ·           ·
 *   away      away  behind       behind              away    idle+read   ·
 *   behind    ·     behind       behind              away+   due+read    ·
 *
 * asked: what is sent is to be proven; a plus behind `away`: by this Ping. One that is sent while another is under way
 * takes its place, and proves what that one was to.
 */

/** Bytes sent since the last Ping after which the next one is not put off. */
export const PROOF_BYTES = 16_384;
const NONE = -1;

export class Proof {
  /** The last number that no Ping proves, or 0. */
  #asked = 0;
  /** The number of the Ping under way: 0 where it proves nothing. */
  #underWay = NONE;
  /** Bytes since the last Ping. */
  #sent = 0;

  /** @param number 0: it need not be proven */
  sent(bytes: number, number: number): void {
    this.#sent += bytes;
    if (number !== 0) this.#asked = number;
  }

  get isDue(): boolean {
    return this.#asked !== 0 && this.#underWay === NONE;
  }

  /** Where it is due. */
  get isAtOnce(): boolean {
    return this.#sent >= PROOF_BYTES;
  }

  /** @returns the number of the Ping that is sent now */
  ping(): number {
    this.#underWay = this.#asked !== 0 ? this.#asked : Math.max(this.#underWay, 0);
    this.#asked = 0;
    this.#sent = 0;
    return this.#underWay;
  }

  /** @param number a Pong's; @returns the number that it proves, or 0 */
  pong(number: number): number {
    if (number !== this.#underWay || number === NONE) return 0;
    this.#underWay = NONE;
    return number;
  }
}
