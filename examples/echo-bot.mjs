#!/usr/bin/env node
/**
 * A bot that sends each message back to its sender, with stanza (npm install stanza):
 *
 *   node examples/echo-bot.mjs http://localhost:8080/bosh alice@localhost PASSWORD
 *
 * Tested by test/ejabberd/examples.test.ts.
 */
import { createClient } from 'stanza';

const [url, jid, password] = process.argv.slice(2);
if (password === undefined) {
  console.error('usage: echo-bot.mjs URL JID PASSWORD');
  process.exit(2);
}

// BOSH acknowledges by itself: stream management (XEP-0198) on top of it would do the same work twice.
const bot = createClient({
  jid,
  password,
  transports: { bosh: url, websocket: false },
  useStreamManagement: false,
});

bot.on('session:started', () => {
  bot.sendPresence();
  console.log(`online as ${bot.jid}`);
});
bot.on('message', ({ from, type, body }) => {
  if (body && type !== 'error') bot.sendMessage({ to: from, type: 'chat', body });
});
bot.on('auth:failed', () => {
  console.error('the server does not take this JID and password');
  process.exit(1);
});

let stops = false;
bot.on('disconnected', () => stops && process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stops = true;
    bot.disconnect();
  });
}

bot.connect();
