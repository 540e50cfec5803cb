/** What to do about a port that cannot be listened on. */

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: stop it, or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address: name one of its own, or 0.0.0.0 for all of IPv4',
  EAFNOSUPPORT: 'this machine has no IPv6: name an IPv4 address, or 0.0.0.0 for all',
  EACCES: 'ports below 1024 need a privilege: choose another port, or put a proxy in front',
};

export const listenHint = ({ code = '' }: NodeJS.ErrnoException): string | undefined => HINTS[code];
