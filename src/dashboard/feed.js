/**
 * What the gateway tells each second, and whether it still does. The page never shows old figures as if they were new:
 *
 *   connecting   nothing came yet
 *   live         the last word is younger than three seconds
 *   silent       it is older, but the connection is there
 *   lost         there is no connection; it is tried again every two seconds
 */

/** @import { Snapshot, History } from './types.js' */

const PATIENCE_MS = 3_000;
/** Of a connection on which nothing comes: a proxy may keep it although nobody is behind it. */
const GIVEN_UP_MS = 12_000;
const AGAIN_MS = 2_000;

/** @typedef {'connecting' | 'live' | 'silent' | 'lost'} Link */
/**
 * @typedef {object} Hearers
 * @property {(history: History) => void} onHistory replaces all that is there
 * @property {(snapshot: Snapshot) => void} onSnapshot
 * @property {(link: Link, silence: number) => void} onLink each second at least; seconds since the last word
 */

export class Feed {
  #url;
  #hearers;
  /** @type {EventSource | undefined} */
  #source;
  /** @type {Link} */
  #link = 'connecting';
  #heardAt = performance.now();

  /**
   * @param {string} url
   * @param {Hearers} hearers
   */
  constructor(url, hearers) {
    this.#url = url;
    this.#hearers = hearers;
    this.#connect();
    setInterval(() => this.#look(), 1000);
  }

  #connect() {
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener('history', ({ data }) => {
      this.#heardAt = performance.now();
      this.#hearers.onHistory(JSON.parse(data));
    });
    source.addEventListener('snapshot', ({ data }) => {
      this.#heardAt = performance.now();
      this.#become('live');
      this.#hearers.onSnapshot(JSON.parse(data));
    });
    // Browsers differ in which failures they try again.
    source.addEventListener('error', () => this.#lose());
  }

  #look() {
    const silence = performance.now() - this.#heardAt;
    if (this.#link === 'live' && silence > PATIENCE_MS) this.#link = 'silent';
    if (this.#source !== undefined && silence > GIVEN_UP_MS) this.#lose();
    else this.#become(this.#link);
  }

  #lose() {
    this.#source?.close();
    this.#source = undefined;
    this.#become('lost');
    setTimeout(() => this.#source ?? this.#connect(), AGAIN_MS);
  }

  /** @param {Link} link */
  #become(link) {
    this.#link = link;
    this.#hearers.onLink(link, (performance.now() - this.#heardAt) / 1000);
  }
}
