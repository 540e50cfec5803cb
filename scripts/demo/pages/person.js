/** One person's window: person.html?name=alice&over=websocket (or bosh). Without `over` it offers the two. */

const { converse } = window;
const given = new URLSearchParams(location.search);
const name = given.get('name') === 'bob' ? 'bob' : 'alice';
const other = name === 'bob' ? 'alice' : 'bob';
const jid = `${name}@localhost`;
const over = given.get('over');
const TRANSPORTS = { websocket: 'WebSocket', bosh: 'BOSH' };

document.title = `${name} · Megaphone`;
document.querySelector('#name').textContent = name;
const status = document.querySelector('#status');

if (over in TRANSPORTS) {
  const out = link('Log out', '');
  if (window.top !== window) link('Own window', `&over=${over}`).target = '_blank';
  await chat(out);
} else {
  for (const [transport, text] of Object.entries(TRANSPORTS))
    link(`Log in over ${text}`, `&over=${transport}`);
}

function link(text, more) {
  const element = document.createElement('a');
  element.textContent = text;
  element.href = `?name=${name}${more}`;
  document.querySelector('nav').append(element);
  return element;
}

/** Until `out` is clicked. */
async function chat(out) {
  status.textContent = `logs in over ${TRANSPORTS[over]} …`;
  const accounts = await (await fetch('accounts.json')).json();
  const site = location.origin;
  converse.plugins.add('demo', {
    initialize() {
      const { api, state } = this._converse;
      // It would ask for the emoji that one likes best, which this ejabberd does not keep.
      api.listen.on('userSessionInitialized', () =>
        state.session.set(`converse.popular_emojis_frequencies.${jid}-fetched`, true),
      );
      // Who only closes the page may come back, for a while, and has missed nothing.
      out.addEventListener('click', async (event) => {
        event.preventDefault();
        await api.user.logout();
        location.assign(out.href);
      });
      const tell = (text) => () => {
        status.textContent = text;
      };
      for (const event of ['connected', 'reconnected'])
        api.listen.on(event, tell(`is online over ${TRANSPORTS[over]}`));
      for (const event of ['disconnected', 'will-reconnect']) api.listen.on(event, tell('is offline'));
    },
  });
  await converse.initialize({
    allow_url_history_change: false,
    assets_path: '/demo/converse/',
    authentication: 'login',
    auto_join_private_chats: [`${other}@localhost`],
    auto_login: true,
    auto_reconnect: true,
    // They would ask for the other's keys before each message, and for leave to show notifications.
    blacklisted_plugins: ['converse-omemo', 'converse-notification'],
    discover_connection_methods: false,
    i18n: 'en',
    jid,
    // Both windows are of one browser, which would log one person in again as the other.
    keepalive: false,
    loglevel: 'warn',
    password: accounts[name],
    persistent_store: 'sessionStorage',
    singleton: true,
    view_mode: 'embedded',
    whitelisted_plugins: ['demo'],
    ...(over === 'bosh'
      ? { bosh_service_url: `${site}/bosh` }
      : { websocket_url: `${site.replace('http', 'ws')}/ws` }),
  });
}
