/** Events of one id, as they arrive; and how to send some. The place is kept in the tab: a page that is reloaded misses nothing. */

const id = new URLSearchParams(location.search).get('id') || '123';
const url = new URL(`/comet/${encodeURIComponent(id)}`, location.href);
const kept = `events of ${id}`;
/** @type {{ place: string, shown: { at: string, name: string, data: string }[] }} */
let state = JSON.parse(sessionStorage.getItem(kept) ?? '{ "place": "", "shown": [] }');

const find = (selector) => document.querySelector(selector);
const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
const say = (text) => {
  find('#state').textContent = text;
};

function show({ at, name, data }) {
  const item = element('li', '');
  item.className = name;
  item.append(element('time', at), ...(name === 'message' ? [] : [element('b', name)]), data);
  find('#events').prepend(item);
}

function listen() {
  if (state.place !== '') url.searchParams.set('last-event-id', state.place);
  const events = new EventSource(url);
  const on = (name) =>
    events.addEventListener(name, ({ lastEventId, data }) => {
      const event = { at: new Date().toLocaleTimeString('en-GB'), name, data };
      const isShown = name !== 'place';
      state = {
        place: lastEventId || state.place,
        shown: [...state.shown, ...(isShown ? [event] : [])].slice(-100),
      };
      sessionStorage.setItem(kept, JSON.stringify(state));
      if (isShown) show(event);
    });
  for (const name of ['place', 'message', 'greeting', 'gap']) on(name);
  events.addEventListener('open', () => say(`listens to ${id}`));
  events.addEventListener('error', () => {
    say('connects again …');
    // What was refused is not tried again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

/** As an Erlang shell reads it: see docs/comet.md for which texts are integers. */
const term = /^(?:0|[1-9]\d{0,17})$/.test(id) ? id : `<<"${id.replace(/["\\]/g, '\\$&')}"/utf8>>`;

const { command, node } = await (await fetch('shell.json')).json();
find('[name=id]').value = id;
find('#shell').textContent =
  `$ ${command}\n1> {any, ${node}} ! {${term}, <<"Hello World">>}.\n2> {any, ${node}} ! {${term}, <<"Hello">>, #{event => greeting}}.`;
find('#curl').textContent = `$ curl -N ${new URL(url.pathname, url).href}`;
for (const event of state.shown) show(event);
listen();
