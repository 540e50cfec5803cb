/** Who chats with whom: each client library with itself, and the two together. */
import type { MakeClient } from './chat-client.js';
import { stanza } from './stanza-client.js';
import { strophe } from './strophe-client.js';

export const COUPLES: readonly (readonly [string, MakeClient, MakeClient])[] = [
  ['Strophe', strophe, strophe],
  ['stanza', stanza, stanza],
  ['Strophe with stanza', strophe, stanza],
];
