/**
 * Who tries passwords, over BOSH and WebSocket, from IPv4 and IPv6: the gateway lets them begin no sessions after a while, nor
 * those whom ejabberd's own mod_fail2ban banned; and nobody else notices.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { Instance } from '../../scripts/support/instance.js';
import { addModule } from '../../scripts/support/module-options.js';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession, condition, ping } from './conformance/bosh-session.js';
import { XmppSocket } from './conformance/xmpp-socket.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { ServerNode } from './support/server-node.js';

const MOST = 5;
const EXEMPT = '192.0.2.9';

interface Gateway {
  readonly url: string;
  readonly webSocketUrl: string;
}

/** What came of an attempt to log in: `failed`, `in`, `banned` by ejabberd, or the status of a refusal. */
interface Tried {
  readonly outcome: string | number;
  readonly retryAfter: number;
}

type Attempt = (gateway: Gateway, from: string, password?: string) => Promise<Tried>;

const AUTH = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'";
const auth = (password: string): string =>
  `<auth ${AUTH}>${Buffer.from(`\0alice\0${password}`).toString('base64')}</auth>`;

const outcomeOf = (said: string): string =>
  said.includes('policy-violation')
    ? 'banned'
    : said.includes('<success')
      ? 'in'
      : said.includes('not-authorized')
        ? 'failed'
        : said;

const overBosh: Attempt = async ({ url }, from, password = 'wrong') => {
  const session = await BoshSession.create(url, {}, { 'x-forwarded-for': from });
  const { status, xml, headers } = session.creation;
  if (status !== 200) return { outcome: status, retryAfter: Number(headers['retry-after']) };
  if (session.creation.attributes.type === 'terminate') return { outcome: outcomeOf(xml), retryAfter: 0 };
  const answer = await session.ask({}, auth(password));
  if (answer.attributes.type === undefined) await session.terminate();
  return { outcome: outcomeOf(answer.xml), retryAfter: 0 };
};

const overWebSocket: Attempt = async ({ webSocketUrl }, from, password = 'wrong') => {
  const [{ status, headers }, client] = await XmppSocket.connect(webSocketUrl, { 'x-forwarded-for': from });
  try {
    if (status !== 101) return { outcome: status, retryAfter: Number(headers.get('retry-after')) };
    client.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>");
    await client.next('open');
    const features = await client.text();
    if (!features.includes('features')) return { outcome: outcomeOf(features), retryAfter: 0 };
    client.send(auth(password));
    return { outcome: outcomeOf(await client.text()), retryAfter: 0 };
  } finally {
    client.cut();
  }
};

const TRANSPORTS: readonly (readonly [name: string, attempt: Attempt])[] = [
  ['BOSH', overBosh],
  ['WebSocket', overWebSocket],
];

let instance: Instance;
let server: ServerNode;
before(async () => {
  const [admin] = await freePorts(1);
  Object.assign(process.env, {
    MEGAPHONE_ADMIN_PORT: `${admin}`,
    MEGAPHONE_WORKERS: '2',
    MEGAPHONE_TRUSTED_PROXIES: '127.0.0.1',
    MEGAPHONE_EXEMPT_NETWORKS: '192.0.2.0/24',
    MEGAPHONE_MAX_FAILED_LOGINS_PER_ADDRESS: `${MOST}/h`,
  });
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server?.stop();
  await instance?.stop();
});

const opened = (): Promise<number> => server.counted('sessions_opened');
const real = (): Gateway => ({ url: instance.gatewayUrl, webSocketUrl: instance.gatewayWebSocketUrl });

describe('an address of which too many logins failed', { timeout: 120_000 }, () => {
  for (const [transport, attempt] of TRANSPORTS) {
    for (const [from, neighbour, other] of [
      [`198.51.100.${transport.length}`, undefined, '198.51.100.99'],
      [`2001:db8:${transport.length}::1`, `2001:db8:${transport.length}:0:1:2:3:4`, '2001:db8:99::1'],
    ] as const) {
      it(`begins no session over ${transport} (${from}), at any worker; others do, and what it has goes on`, async () => {
        const gateway = real();
        const headers = { 'x-forwarded-for': from };
        const own = await BoshSession.login(gateway.url, {}, { ...instance.alice, headers });
        for (let count = 0; count < MOST; count += 1)
          assert.equal((await attempt(gateway, from)).outcome, 'failed');
        // The other worker may hear of it a moment later; connections go to them in turns.
        await until(async () => {
          const both = [await attempt(gateway, from), await attempt(gateway, from)];
          return both.every(({ outcome }) => outcome === 429);
        });
        const before = await opened();
        for (let count = 0; count < 10; count += 1) {
          for (const [, any] of TRANSPORTS) {
            const { outcome, retryAfter } = await any(gateway, neighbour ?? from, instance.alice.password);
            assert.equal(outcome, 429);
            assert.ok(retryAfter > 0 && retryAfter <= 3600, `${retryAfter}`);
          }
        }
        assert.equal(await opened(), before);
        assert.equal((await attempt(gateway, other, instance.alice.password)).outcome, 'in');
        await own.until((answer) => answer.xml.includes("'ping'"), ping());
        await own.terminate();
      });
    }
  }

  it('is told apart from one that is exempt', async () => {
    for (let count = 0; count < 2 * MOST; count += 1)
      assert.equal((await overBosh(real(), EXEMPT)).outcome, 'failed');
    assert.equal((await overBosh(real(), EXEMPT, instance.alice.password)).outcome, 'in');
  });

  it('is counted', async () => {
    const refused = /^megaphone_refused_total\{reason="failed_logins"\} (\d+)$/m;
    await until(async () => {
      const metrics = await (
        await fetch(`http://127.0.0.1:${process.env.MEGAPHONE_ADMIN_PORT}/metrics`)
      ).text();
      return Number(refused.exec(metrics)?.[1]) >= 80;
    });
    assert.ok((await server.counted('logins_failed')) >= 6 * MOST);
  });
});

describe('a stream in which logins fail', { timeout: 120_000 }, () => {
  const REFUSED = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
  const refusals = (said: string): number => said.replaceAll('"', "'").split(REFUSED).length - 1;
  const headers = { 'x-forwarded-for': EXEMPT };
  const mallory = auth('wrong');

  it('ends over BOSH with the fifth, which its client hears of', async () => {
    const session = await BoshSession.create(real().url, {}, headers);
    for (let count = 1; count < 5; count += 1) {
      const answer = await session.ask({}, mallory);
      assert.equal(answer.attributes.type, undefined, answer.xml);
      assert.equal(refusals(answer.xml), 1, answer.xml);
    }
    const last = await session.ask({}, mallory);
    assert.equal(refusals(last.xml), 1, last.xml);
    assert.equal(last.attributes.type, 'terminate');
    assert.match(last.xml, /policy-violation/);
  });

  it('ends over WebSocket with the fifth, which its client hears of', async () => {
    const client = await XmppSocket.open(real().webSocketUrl, headers);
    for (let count = 1; count <= 5; count += 1) {
      client.send(mallory);
      assert.equal((await client.next()).localName, 'failure');
    }
    assert.equal(await client.streamError(), 'policy-violation');
    assert.match(await client.end(), /^close/);
  });

  it('tries no more of those that were sent together', async () => {
    const before = await server.counted('logins_failed');
    const session = await BoshSession.create(real().url, {}, headers);
    const answer = await session.ask({}, mallory.repeat(8));
    const rest = answer.attributes.type === undefined ? await session.ask() : answer;
    assert.equal(rest.attributes.type, 'terminate', rest.xml);
    assert.equal(await server.counted('logins_failed'), before + 5);

    const client = await XmppSocket.open(real().webSocketUrl, headers);
    for (let count = 0; count < 8; count += 1) client.send(mallory);
    assert.equal(await client.streamError(), 'policy-violation');
    assert.equal(await server.counted('logins_failed'), before + 10);
  });

  it('goes on with the right password in time', async () => {
    const client = await XmppSocket.open(real().webSocketUrl, headers);
    for (let count = 1; count < 5; count += 1) {
      client.send(mallory);
      assert.equal((await client.next()).localName, 'failure');
    }
    await client.authenticate(instance.alice);
    await client.openStream();
    client.cut();
  });

  it('bans nobody: others at that address log in, where bans hold', async () => {
    const from = '198.51.100.77';
    const gateway = await gatewayBeside(instance, {
      node: `retries_${process.pid}@localhost`,
      trusted_proxies: '127.0.0.1',
      max_failed_logins_per_address: 0,
    });
    try {
      const client = await XmppSocket.open(gateway.webSocketUrl, { 'x-forwarded-for': from });
      for (let count = 0; count < 5; count += 1) client.send(mallory);
      assert.equal(await client.streamError(), 'policy-violation');
      for (const [, attempt] of TRANSPORTS)
        assert.equal((await attempt(gateway, from, instance.alice.password)).outcome, 'in');
      assert.equal(gateway.service.gateway.counters.refused.banned, 0);
    } finally {
      await gateway.service.stop();
    }
  });
});

describe('an address that mod_fail2ban banned', { timeout: 120_000 }, () => {
  const services: Service[] = [];
  let gateway: Gateway;
  const start = async (settings: Readonly<Record<string, unknown>> = {}): Promise<Gateway> => {
    const node = `fail2ban_${services.length}_${process.pid}@localhost`;
    const limits = { trusted_proxies: '127.0.0.1', exempt_networks: [], max_failed_logins_per_address: 0 };
    const started = await gatewayBeside(instance, { node, ...limits, ...settings });
    services.push(started.service);
    return started;
  };
  before(async () => {
    const document = readFileSync(join(root, 'docs/operating.md'), 'utf8');
    const [, block = ''] = /<!-- configuration: fail2ban -->\n```yaml\n(.*?)```/s.exec(document) ?? [];
    const { modules } = parse(block) as { modules: { mod_fail2ban: Record<string, string | number> } };
    assert.ok('c2s_max_auth_failures' in modules.mod_fail2ban);
    const mod_fail2ban = { ...modules.mod_fail2ban, c2s_max_auth_failures: MOST };
    await addModule(instance, 'mod_fail2ban', mod_fail2ban);
    // Its table is that of the process that starts it, which is to live.
    await instance.script('ejabberd.sh', 'stop');
    await instance.script('ejabberd.sh', 'start');
    await server.reconnect();
    gateway = await start();
  });
  after(() => Promise.all(services.map((service) => service.stop())));

  const isBanned = (erlang: string): Promise<string> =>
    server.print(`[element(2, R) || R <- ets:lookup(failed_auth, ${erlang})]`);

  for (const [transport, attempt] of TRANSPORTS) {
    for (const [from, erlang, other] of [
      [`203.0.113.${transport.length}`, `{203,0,113,${transport.length}}`, '203.0.113.99'],
      [
        `2001:db8:f:${transport.length}::1`,
        `{16#2001,16#db8,16#f,16#${transport.length},0,0,0,1}`,
        '2001:db8:e::1',
      ],
    ] as const) {
      it(`is the client's own (${from}), and is refused by the gateway over ${transport}`, async () => {
        for (let count = 1; count < MOST; count += 1)
          assert.equal((await attempt(gateway, from)).outcome, 'failed');
        assert.equal((await attempt(gateway, from)).outcome, 'banned');
        assert.equal(await isBanned(erlang), `[${MOST}]`);
        const before = await opened();
        for (let count = 0; count < 10; count += 1) {
          for (const [, any] of TRANSPORTS) {
            const { outcome, retryAfter } = await any(gateway, from, instance.alice.password);
            assert.equal(outcome, 429);
            assert.ok(retryAfter > 0 && retryAfter <= 60, `${retryAfter}`);
          }
        }
        assert.equal(await opened(), before);
        assert.equal((await attempt(gateway, other, instance.alice.password)).outcome, 'in');
        assert.equal((services[0]?.gateway.counters.refused.banned ?? 0) % 20, 0);
      });

      it(`is asked for by a gateway that has just begun, once, over ${transport} (${from})`, async () => {
        const late = await start();
        assert.equal((await attempt(late, from, instance.alice.password)).outcome, 'banned');
        const before = await opened();
        for (let count = 0; count < 5; count += 1)
          assert.equal((await attempt(late, from, instance.alice.password)).outcome, 429);
        assert.equal(await opened(), before);
      });
    }
  }

  it('may log in again when the ban is lifted', async () => {
    assert.equal((await instance.ctl('unban_ip', '203.0.113.0/24')).trim(), '2');
    const late = await start();
    assert.equal((await overBosh(late, '203.0.113.4', instance.alice.password)).outcome, 'in');
  });

  it('is none for a header that is too long, which would shut out the others there', async () => {
    const from = '203.0.113.50';
    const session = await BoshSession.create(
      gateway.url,
      { 'xml:lang': `en${'-abcdefgh'.repeat(5)}` },
      { 'x-forwarded-for': from },
    );
    assert.match(session.creation.xml, /policy-violation/);
    assert.equal((await overBosh(gateway, from, instance.alice.password)).outcome, 'in');
  });

  it('is none for a client that sends too much, nor for one whose session an operator closes', async () => {
    const from = '203.0.113.51';
    const headers = { 'x-forwarded-for': from };
    const greedy = await BoshSession.create(gateway.url, {}, headers);
    assert.equal(condition(await greedy.ask({}, auth('x'.repeat(17_000)))), 'policy-violation');
    const closed = await BoshSession.create(gateway.url, {}, headers);
    await instance.ctl('megaphone_close_session', closed.sid);
    assert.equal(condition(await closed.ask()), 'policy-violation');
    assert.equal((await overBosh(gateway, from, instance.alice.password)).outcome, 'in');
  });

  it('is the one behind HAProxy, not HAProxy itself', async () => {
    const behind = await start({ max_connections_per_address: 1 });
    const haproxy = await Haproxy.start(new URL(behind.url).port);
    try {
      for (let count = 1; count <= MOST; count += 1)
        assert.equal(await haproxy.logIn('127.0.0.9', 'wrong'), count < MOST ? 'failed' : 'banned');
      assert.equal(await isBanned('{127,0,0,9}'), `[${MOST}]`);
      assert.equal(await haproxy.logIn('127.0.0.9', instance.alice.password), 429);
      assert.equal(await haproxy.logIn('127.0.0.10', instance.alice.password), 'in');
    } finally {
      await haproxy.stop();
    }
  });
});

class Haproxy {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(gatewayPort: string): Promise<Haproxy> {
    const [port = 0] = await freePorts(1);
    const file = join(instance.var, 'haproxy.cfg');
    await writeFile(
      file,
      `defaults
  mode http
  timeout connect 5s
  timeout client 90s
  timeout server 90s
frontend web
  bind 127.0.0.1:${port}
  default_backend megaphone
backend megaphone
  option forwardfor
  server gateway 127.0.0.1:${gatewayPort}
`,
    );
    const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    const haproxy = new Haproxy(child, port);
    await until(async () => (await haproxy.#post('127.0.0.1', '').catch(() => undefined)) !== undefined);
    return haproxy;
  }

  /** Each client is told apart by the address it comes from. */
  async logIn(from: string, password: string): Promise<string | number> {
    const attributes = "xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";
    const creation = await this.#post(
      from,
      `<body ${attributes} rid='1' to='localhost' ver='1.11' wait='60' hold='1' xmpp:version='1.0'/>`,
    );
    if (creation.status !== 200) return creation.status;
    const sid = /sid='([^']+)'/.exec(creation.text)?.[1] ?? assert.fail(creation.text);
    const answer = await this.#post(
      from,
      `<body ${attributes} rid='2' sid='${sid}'>${auth(password)}</body>`,
    );
    return outcomeOf(answer.text);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #post(from: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const options = {
        port: this.#port,
        host: '127.0.0.1',
        localAddress: from,
        path: '/bosh',
        method: 'POST',
        agent: false,
      };
      const client = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      });
      client.on('error', reject);
      client.end(body);
    });
  }
}
