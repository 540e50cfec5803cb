/**
 * The link to a node, as comet sees it:
 *
 *   apart     there is no connection
 *   asked     its router was told hello, if there is one
 *   welcome   its router takes what it is told: all ids, then what changes
 *
 *   phase      up       again    welcome   unheard   ended    down
 *   apart      asked    –        ·         –         –        ·
 *   asked      asked    asked    welcome   ·         ·        apart
 *   welcome    asked    ·        welcome   asked     asked    apart
 *
 * (·: nothing changes; –: it does not happen. The test reads this table.) Again: some time went by. Welcome: the router says so; it has forgotten
 * what it was told before. Unheard: what it was told did not go, or it did not answer. Ended: the router's process, not the
 * connection. Who comes to `asked` says hello; who comes to `welcome` says all anew.
 */

export type LinkPhase = 'apart' | 'asked' | 'welcome';
export type LinkEvent = 'up' | 'again' | 'welcome' | 'unheard' | 'ended' | 'down';

export interface LinkStep {
  readonly to: LinkPhase;
  readonly effect: 'none' | 'hello' | 'login';
}

const STAY: Readonly<Record<LinkPhase, LinkStep>> = {
  apart: { to: 'apart', effect: 'none' },
  asked: { to: 'asked', effect: 'none' },
  welcome: { to: 'welcome', effect: 'none' },
};
const ASK: LinkStep = { to: 'asked', effect: 'hello' };
const LOGIN: LinkStep = { to: 'welcome', effect: 'login' };

export const LINK: Readonly<Record<LinkEvent, Readonly<Record<LinkPhase, LinkStep>>>> = {
  up: { apart: ASK, asked: ASK, welcome: ASK },
  again: { ...STAY, asked: ASK },
  welcome: { ...STAY, asked: LOGIN, welcome: LOGIN },
  unheard: { ...STAY, welcome: ASK },
  ended: { ...STAY, welcome: ASK },
  down: { apart: STAY.apart, asked: STAY.apart, welcome: STAY.apart },
};
