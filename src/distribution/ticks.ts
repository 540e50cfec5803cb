/**
 * Ticks: how the two ends of an idle connection tell that the other is there. As OTP's `dist_util` does it, time is counted
 * in quarters of the tick time, so that a moment in which our own process slept is one quarter and not a silent peer.
 */

const QUARTERS = 4;

/** Milliseconds between two calls of `quarter`, for a tick time (`net_ticktime`) in seconds. */
export function quarterOf(tickTimeSeconds: number): number {
  return (tickTimeSeconds * 1000) / QUARTERS;
}

export class Ticks {
  #lastIn = -1;
  #lastOut = -1;
  #silentQuarters = 0;

  /**
   * To be called once every quarter.
   * @param bytesIn received so far
   * @param bytesOut written so far, not counting ticks
   * @returns `silent`: nothing came for a whole tick time; `tick`: nothing was written for a quarter, so send a tick
   */
  quarter(bytesIn: number, bytesOut: number): 'silent' | 'tick' | 'busy' {
    this.#silentQuarters = bytesIn === this.#lastIn ? this.#silentQuarters + 1 : 0;
    this.#lastIn = bytesIn;
    if (this.#silentQuarters === QUARTERS) return 'silent';
    const idle = bytesOut === this.#lastOut;
    this.#lastOut = bytesOut;
    return idle ? 'tick' : 'busy';
  }
}
