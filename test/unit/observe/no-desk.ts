/** Nobody can have anything done. */

import type { AdminDesk } from '../../../src/http/admin-desk.js';

export const NO_DESK: AdminDesk = {
  order: () => Promise.reject(new Error('an order')),
  sessions: () => Promise.reject(new Error('a question')),
  closeSession: () => Promise.reject(new Error('a close')),
  publish: () => Promise.reject(new Error('a publication')),
  say: () => Promise.reject(new Error('a line')),
};
