/** Debian's Chromium, without what it does for its user in the background. */

export const CHROMIUM = '/usr/bin/chromium';
export const QUIET: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
