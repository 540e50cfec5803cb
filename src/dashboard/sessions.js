/** The page of sessions: searched by the start of a user or an address, read piece by piece, each one to be closed. */

import { askWhether } from './dialogs.js';
import { element, find, Keyed, reasonOf, say } from './dom.js';
import { bytes, count, span } from './format.js';
import { tableRow } from './tables.js';

/** @import { SessionRow, SessionsPage } from './types.js' */
/** @import { Access } from './access.js' */
/** @import { Told } from './tables.js' */

const LIMIT = '100';
/** A look goes over some of all sessions: so often it goes on by itself while it finds nothing. */
const LOOKS = 20;
const TRANSPORTS = /** @type {Readonly<Record<string, string>>} */ ({ bosh: 'BOSH', websocket: 'WebSocket' });

/** @type {(session: SessionRow) => Told} */
const stateOf = ({ state }) => [state === 'established' ? 'good' : 'wait', state];

export class Sessions {
  #access;
  #form = /** @type {HTMLFormElement} */ (find('#search'));
  #more = find('#more');
  #rows = new Keyed(find('#session-list tbody'), () => this.#row());
  /** What is looked for, whatever the form says meanwhile: `#next` is a place in its answer. */
  #search = '';
  /** @type {SessionRow[]} */
  #found = [];
  /** @type {string | null} */
  #next = null;
  #total = 0;
  /** Of the looks that are under way the last one counts. */
  #look = 0;

  /** @param {Access} access */
  constructor(access) {
    this.#access = access;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.look();
    });
    this.#more.addEventListener('click', () => void this.#read(this.#look));
  }

  async look() {
    if (!this.#access.isHeld && !(await this.#access.ask())) return;
    this.#search = String(new FormData(this.#form).get('search')).trim();
    this.#found = [];
    this.#next = null;
    this.#look += 1;
    await this.#read(this.#look);
  }

  /** @param {number} look */
  async #read(look) {
    const before = this.#found.length;
    say(find('#found'), 'Looking …');
    try {
      for (let looks = 0; looks < LOOKS && this.#found.length === before; looks += 1) {
        const after = this.#next === null ? {} : { after: this.#next };
        const page = /** @type {SessionsPage} */ (
          await this.#access.get('sessions', { search: this.#search, limit: LIMIT, ...after })
        );
        if (look !== this.#look) return;
        this.#found.push(...page.sessions);
        this.#next = page.next;
        this.#total = page.total;
        if (page.next === null) break;
      }
      this.#show();
    } catch (error) {
      if (look === this.#look) say(find('#found'), reasonOf(error));
    }
  }

  #show() {
    this.#rows.show(this.#found.map((session) => [`${session.node} ${session.id}`, session]));
    find('#session-list').hidden = this.#found.length === 0;
    this.#more.hidden = this.#next === null;
    const more = this.#next === null ? '' : ', and there may be more';
    say(
      find('#found'),
      `${this.#found.length === 0 ? 'None' : count(this.#found.length)} found of ${count(this.#total)} sessions${more}.`,
    );
  }

  #row() {
    /** @type {SessionRow} */
    let session;
    const close = element('button', { type: 'button' }, 'Close');
    close.addEventListener('click', () => void this.#close(session));
    const { node, fill } = tableRow(
      '#session-list',
      /** @type {import('./tables.js').Cells<SessionRow>} */ ([
        ['', ({ user }) => user || 'not logged in'],
        ['', ({ address }) => address],
        ['', ({ transport }) => TRANSPORTS[transport] ?? transport],
        ['', stateOf],
        ['figure', ({ age_seconds }) => span(age_seconds)],
        ['figure', ({ memory_bytes }) => bytes(memory_bytes)],
        ['figure', ({ held }) => count(held)],
        ['full', ({ node }) => node],
      ]),
    );
    node.append(element('td', {}, close));
    return {
      node,
      /** @param {SessionRow} item */
      fill(item) {
        session = item;
        close.setAttribute('aria-label', `Close the session of ${item.user || item.address}`);
        fill(item);
      },
    };
  }

  /** @param {SessionRow} session */
  async #close({ id, node, user, address }) {
    const who = user || `a client at ${address}`;
    const question = {
      title: 'Close this session?',
      text: `The session of ${who} ends, as if its server told it to leave. Its client may log in again at once.`,
      button: 'Close it',
    };
    const isClosed = await askWhether(question, async () => {
      await this.#access.post('close', { id, node });
    });
    if (!isClosed) return;
    this.#found = this.#found.filter((session) => session.id !== id || session.node !== node);
    this.#total -= 1;
    this.#show();
  }
}
