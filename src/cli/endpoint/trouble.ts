/** What can go wrong on the way from a web client to its server, in words, and what mends it. */

export class Trouble extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export type Transport = 'BOSH' | 'WebSocket';

const PROXY = 'docs/proxies.md has what HAProxy, nginx and Caddy need for it';

/** An answer of HTTP that is not the one asked for: 200 for BOSH, 101 for a WebSocket. */
export function ofStatus(
  transport: Transport,
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Trouble {
  const { location, server } = headers;
  const who = typeof server === 'string' ? ` by ${server}` : '';
  return new Trouble(`answered with HTTP ${status}${who}`, mends(transport, status, String(location ?? '')));
}

function mends(transport: Transport, status: number, location: string): string {
  const isSocket = transport === 'WebSocket';
  if (status >= 300 && status < 400 && location !== '')
    return `clients do not follow it: give them ${location}`;
  switch (status) {
    case 101:
      return 'what answers upgrades the connection, but to something else than a WebSocket';
    case 400:
      return isSocket
        ? `a proxy in front probably takes \`Upgrade\` out of the request: ${PROXY}`
        : 'what answers takes no such request: does this path lead to the gateway?';
    case 401:
    case 407:
      return 'a proxy in front asks for a password: take it off this path';
    case 403:
      return 'pages of this origin are not let in: add it to cors_origins of the gateway, or check with --origin the one that they have';
    case 404:
      return `there is no ${transport} at this path: check the address, and which paths the proxy passes on to the gateway`;
    case 405:
      return 'what answers there takes no such request: does this path lead to the gateway?';
    case 426:
      return `a proxy in front does not pass \`Upgrade\` and \`Connection\` on: ${PROXY}`;
    case 429:
      return 'somebody limits how often one address may ask: try again later';
    case 502:
    case 504:
      return isSocket
        ? `the proxy reaches no gateway (is it up?), or passes no upgrades on: ${PROXY}`
        : 'the proxy reaches no gateway, or waits too short a time for its answer: is the gateway up?';
    case 503:
      return 'the gateway is up but has no server to ask, or is full: megaphone check, where it runs, says which';
    default:
      return isSocket && status === 200
        ? `a page was answered: this path leads to something else, or a proxy passes no upgrades on: ${PROXY}`
        : 'the log of what answers there says why';
  }
}

/** By Node's or undici's code. */
const CONNECTION: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOTFOUND: ['DNS knows no such name', 'correct the name, or its record in DNS'],
  EAI_AGAIN: ['DNS does not answer', "look at this machine's resolver"],
  ECONNREFUSED: [
    'nothing listens there',
    'start the gateway, or the proxy in front; correct the port; look at http_ip',
  ],
  ECONNRESET: [
    'the connection was cut',
    'is it HTTPS on a port of HTTP, or the other way round? Else the log of what listens there says why',
  ],
  EHOSTUNREACH: ['there is no way to this address', 'look at routes and firewalls'],
  ENETUNREACH: ['there is no way to this address', 'look at routes and firewalls'],
  ETIMEDOUT: ['no answer', 'a firewall drops it, or the machine is down'],
  CERT_HAS_EXPIRED: ['the certificate has expired', 'renew it; SIGHUP has the gateway read it again'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'the certificate is for another name',
    'get one for this name, or use the name that it has',
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: ['what answers speaks no TLS', 'use http:, or set tls_cert and tls_key'],
  EPROTO: ['what answers speaks no TLS that we do', 'use http:, or set tls_cert and tls_key'],
};

const UNTRUSTED =
  'serve the whole chain (certificate and intermediate ones); for an authority of your own set NODE_EXTRA_CA_CERTS to its certificate';

export function ofConnection(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  const { code, message, cause, errors } = error as {
    readonly code?: string;
    readonly message?: string;
    readonly cause?: unknown;
    readonly errors?: readonly unknown[];
  };
  const known = CONNECTION[code ?? ''];
  if (known !== undefined) return new Trouble(`${known[0]} [${code}]`, known[1]);
  if (/CERT|SIGNATURE|ISSUER/.test(code ?? ''))
    return new Trouble(`the certificate is not trusted: ${message} [${code}]`, UNTRUSTED);
  const [inner = cause] = errors ?? [];
  if (inner !== undefined) return ofConnection(inner);
  if (code === 'UND_ERR_SOCKET') return ofConnection({ code: 'ECONNRESET' });
  if (code?.includes('TIMEOUT')) return ofConnection({ code: 'ETIMEDOUT' });
  return new Trouble(message ?? String(error), 'the log of what listens there says why');
}

/** The condition of a stream error (RFC 6120 §4.9.3), or of a BOSH session's end (XEP-0124 §17.2). */
export function ofStream(condition: string, text: string, domain: string): Trouble {
  const said = text === '' ? '' : ` (${text})`;
  return new Trouble(
    `ended by the server with ${condition}${said}`,
    STREAM[condition]?.replace('DOMAIN', domain) ?? "the server's log says why",
  );
}

const UNKNOWN_HOST =
  'no host of the server is called DOMAIN: name the right one with --user JID, or --user DOMAIN for a login without account';

const STREAM: Readonly<Record<string, string>> = {
  'host-unknown': UNKNOWN_HOST,
  'improper-addressing': UNKNOWN_HOST,
  'policy-violation': 'an access rule, a limit or a ban of the server keeps this address or user out',
  'resource-constraint': 'the server is full, or the user has too many sessions',
  'see-other-host': 'the server moved',
  'system-shutdown': 'the server stops: try again once it is up',
  'internal-server-error': "a fault: the server's log has it",
  'item-not-found': 'the session was lost on the way: do all requests reach the same cluster?',
  conflict: 'another session of the same user took its place',
};

export function ofSasl(condition: string, text: string): Trouble {
  const said = text === '' ? '' : ` (${text})`;
  return new Trouble(`refused with ${condition}${said}`, SASL[condition] ?? "the server's log says why");
}

const SASL: Readonly<Record<string, string>> = {
  'not-authorized': 'user or password is wrong, or an access rule keeps the user out',
  'account-disabled': 'the account is disabled',
  'credentials-expired': 'the password has expired',
  'encryption-required': 'use https:',
  'invalid-authzid': 'the server does not let this user in under this name',
  'temporary-auth-failure': "what checks passwords does not answer: the server's log says more",
};
