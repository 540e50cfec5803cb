/** The cases of the Autobahn test suite that can be told apart on an XMPP server, a row for each of the suite's groups. */
import assert from 'node:assert/strict';
import { judge } from '../../support/autobahn/case.js';
import { run } from '../../support/autobahn/run.js';
import { tellXmpp, xmppCases } from '../../support/autobahn/xmpp-cases.js';

/** In milliseconds, for a server that does not end what it has to end. */
const PATIENCE = 5000;
/** The same where it may wait for more before it does. */
const PAUSE = 500;

const GROUPS: readonly (readonly [section: string, ids: RegExp, what: string])[] = [
  ['§5.2', /^1\.1\./, '1.1: texts of every length of header'],
  ['§5.6', /^1\.2\./, '1.2: binary messages are refused (RFC 7395 §3.2)'],
  ['§5.5', /^2\./, '2: Pings and Pongs'],
  ['§5.2', /^3\./, '3: reserved bits'],
  ['§5.2', /^4\./, '4: reserved opcodes'],
  ['§5.4', /^5\./, '5: fragments, and control frames between them'],
  ['§8.1', /^6\.[1-4]\./, '6.1 to 6.4: UTF-8 in fragments'],
  ['§8.1', /^6\.([5-9]|\d\d)\./, '6.5 to 6.23: UTF-8, right and wrong'],
  ['§5.5.1', /^7\.1\./, '7.1: closing, and what comes behind it'],
  ['§5.5.1', /^7\.[35]\./, '7.3 and 7.5: what a Close frame has in it'],
  ['§7.4', /^7\.(7|9|13)\./, '7.7 to 7.13: close codes'],
];

const CASES = xmppCases('localhost');

export const autobahnRows = GROUPS.map(([section, ids, what]) => {
  const cases = CASES.filter(({ id }) => ids.test(id));
  return {
    section,
    name: `Autobahn ${what} (${cases.length} cases)`,
    run: async (url: string): Promise<void> => {
      const failures: string[] = [];
      for (const one of cases) {
        const outcome = await run(one, url, { tellText: tellXmpp, patience: PATIENCE, pause: PAUSE });
        if (judge(one, outcome) === 'failed') failures.push(`${one.id}: ${outcome.lines.join(', ')}`);
      }
      assert.deepEqual(failures, []);
    },
  };
});
