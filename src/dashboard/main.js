/** The page: what the gateway tells each second goes into plots, tables and problems; the buttons act on it. */

import { Access } from './access.js';
import { Columns } from './columns.js';
import { Comet } from './comet.js';
import { askWhether } from './dialogs.js';
import { element, find, Keyed, say } from './dom.js';
import { Feed } from './feed.js';
import { clock, count, span } from './format.js';
import { Plots } from './plots.js';
import { problemsOf } from './problems.js';
import { Recent } from './recent.js';
import { Sessions } from './sessions.js';
import { Tables } from './tables.js';

/** @import { Snapshot } from './types.js' */
/** @import { Problem } from './problems.js' */

const columns = new Columns();
const recent = new Recent();
const plots = new Plots(find('#plots'), columns);
const tables = new Tables();
const comet = new Comet(columns);
/** @type {Keyed<Problem>} */
const problems = new Keyed(find('#problems'), () => {
  const what = element('b');
  const mend = element('span', { class: 'mend' });
  const node = element('li', {}, what, ' ', mend);
  return {
    node,
    fill(problem) {
      node.className = problem.level;
      say(what, problem.what);
      say(mend, problem.mend);
    },
  };
});
/** @type {Snapshot | undefined} */
let last;

const access = new Access((isHeld) => say(find('#token'), isHeld ? 'Token ✓' : 'Token'));
const sessions = new Sessions(access);

new Feed('../events', {
  onHistory: (history) => columns.replace(history),
  onSnapshot(snapshot) {
    last = snapshot;
    columns.add(snapshot.at, snapshot.figures);
    recent.add(snapshot.at, snapshot.gateway.uptime_seconds, snapshot.refused);
    comet.add(snapshot);
    if (!document.hidden) draw(snapshot);
  },
  onLink(link, silence) {
    document.body.classList.toggle('stale', link !== 'live');
    if (link === 'connecting' || link === 'live') return;
    const shown = last === undefined ? '' : ` What is shown is of ${clock(last.at)}.`;
    const what =
      link === 'silent'
        ? `The gateway has said nothing for ${span(silence)}.`
        : `No connection to the gateway for ${span(silence)}.`;
    const mend = 'Is it running, and this machine connected? It is tried again by itself.';
    showProblems([{ level: 'bad', what, mend: `${mend}${shown}` }]);
    sayStanding('bad', 'no connection');
  },
});
document.addEventListener('visibilitychange', () => last !== undefined && !document.hidden && draw(last));

/** @type {Readonly<Record<string, string>>} */
const WORDS = {
  good: 'All is well',
  warn: 'It serves, with something to look at',
  bad: 'It serves, with problems',
  draining: 'It drains',
  drained: 'It is drained',
  stopping: 'It stops',
};

/** @param {Snapshot} snapshot */
function draw(snapshot) {
  const { gateway, nodes, comet: ofComet } = snapshot;
  say(find('#gateway'), gateway.node);
  say(find('#about'), `up ${span(gateway.uptime_seconds)}, version ${gateway.version}`);
  const found = problemsOf(snapshot, columns, recent.lastMinute, comet.lastMinute);
  showProblems(found);
  const serving = nodes.filter(({ in_service }) => in_service).length;
  const level = found[0]?.level ?? 'good';
  const servesNobody = serving === 0 && (ofComet === undefined || nodes.length > 0);
  const word = servesNobody ? 'It serves nobody' : (WORDS[gateway.state] ?? WORDS[level]);
  sayStanding(level, `${word}: ${count(serving)} of ${count(nodes.length)} ejabberd nodes in service`);
  plots.draw();
  tables.show(snapshot, recent.lastMinute);
  comet.draw(snapshot);
  find('#drain').hidden = gateway.state !== 'in_service';
  find('#resume').hidden = gateway.state !== 'draining' && gateway.state !== 'drained';
  for (const id of ['#drain', '#resume', '#token']) {
    const button = /** @type {HTMLButtonElement} */ (find(id));
    button.disabled = !gateway.actions;
    button.title = gateway.actions ? '' : 'For this the gateway needs an admin_token_file.';
  }
}

/** @param {readonly Problem[]} found */
function showProblems(found) {
  problems.show(found.map((problem) => /** @type {const} */ ([problem.what.replace(/\d+/g, ''), problem])));
  const { node = '' } = last?.gateway ?? {};
  document.title = `${found.length > 0 ? `(${found.length}) ` : ''}${node && `${node} · `}Megaphone`;
}

/**
 * @param {string} level
 * @param {string} text
 */
function sayStanding(level, text) {
  const state = find('#standing .state');
  state.className = `state ${level}`;
  say(state, text);
}

const ORDERS = {
  drain: {
    title: 'Drain this gateway?',
    text: 'Its clients are sent elsewhere, one after the other: WebSockets end, requests are answered. Who comes all the same is served. “Resume” takes it back.',
    button: 'Drain',
  },
  resume: {
    title: 'Resume?',
    text: 'The gateway takes clients again, and tells balancers so.',
    button: 'Resume',
  },
};
for (const [order, question] of Object.entries(ORDERS)) {
  find(`#${order}`).addEventListener('click', async () => {
    if (!access.isHeld && !(await access.ask())) return;
    await askWhether(question, async () => {
      await access.post(order);
    });
  });
}
find('#token').addEventListener('click', () => void access.ask());

function turn() {
  const page = location.hash === '#sessions' ? 'sessions' : 'overview';
  for (const name of ['overview', 'sessions']) find(`#${name}`).hidden = name !== page;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#${page}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (page === 'sessions' && access.isHeld) void sessions.look();
}
addEventListener('hashchange', turn);
turn();
