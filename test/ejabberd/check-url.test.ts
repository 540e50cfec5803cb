/** `megaphone check URL`: what it says of endpoints in order, and of each thing on the way that may be wrong. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { makeCertificate, type TestCertificate } from '../../scripts/support/certificate.js';
import { Instance } from '../../scripts/support/instance.js';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import { happens, until } from '../support/until.js';
import { gatewayBeside } from './support/gateway-beside.js';

interface Result {
  readonly code: number;
  readonly output: string;
}

function check(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'dist/src/main.js'), 'check', ...args],
      { env: { ...process.env, ...env }, timeout: 60_000 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

/** It ends well, and says all of these. */
async function passes(args: readonly string[], said: readonly RegExp[], env = {}): Promise<void> {
  const { code, output } = await check(args, env);
  for (const pattern of said) assert.match(output, pattern);
  assert.doesNotMatch(output, /✘/);
  assert.equal(code, 0);
}

/** It says that this is wrong, and what mends it. */
async function fails(args: readonly string[], wrong: RegExp, mends: RegExp, env = {}): Promise<void> {
  const { code, output } = await check(args, env);
  const troubles = [...output.matchAll(/^✘ (.*)\n {2}→ (.*)$/gm)];
  assert.ok(
    troubles.some(([, what = '', hint = '']) => wrong.test(what) && mends.test(hint)),
    output,
  );
  assert.equal(code, 1);
}

describe('megaphone check URL', { timeout: 300_000 }, () => {
  let instance: Instance;
  let folder: string;
  let certificate: TestCertificate;
  let site: string;
  const programs: ChildProcess[] = [];
  const servers: Server[] = [];

  before(async () => {
    process.env.MEGAPHONE_TRUSTED_PROXIES = '127.0.0.1';
    instance = await Instance.start();
    folder = await mkdtemp(join(tmpdir(), 'megaphone-check-'));
    certificate = makeCertificate(folder, 'web');
    await writeFile(join(folder, 'both.pem'), certificate.pem + (await readFile(certificate.key, 'utf8')));
    site = new URL(instance.gatewayUrl).origin.replace('127.0.0.1', 'localhost');
  });
  after(async () => {
    for (const program of programs) program.kill();
    for (const server of servers) server.close().closeAllConnections();
    await instance?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const socketOf = (origin: string): string => `${origin.replace('http', 'ws')}/ws`;
  const asAlice = (): [string[], Record<string, string>] => [
    ['--user', instance.alice.jid],
    { MEGAPHONE_PASSWORD: instance.alice.password },
  ];

  /** Answers with what is no gateway; its origin. */
  async function stranger(answer: RequestListener): Promise<string> {
    const server = createServer(answer).listen(0, 'localhost');
    servers.push(server);
    await happens(server, 'listening');
    return `http://localhost:${(server.address() as AddressInfo).port}`;
  }

  async function run(program: string, args: readonly string[], port: number): Promise<void> {
    programs.push(spawn(program, args, { stdio: 'inherit', cwd: folder }));
    await until(
      () =>
        new Promise((resolve) => {
          const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
          socket.once('close', () => socket.destroy());
        }),
    );
  }

  async function nginx(location: string): Promise<string> {
    const [port = 0] = await freePorts(1);
    const file = join(folder, `nginx-${port}.conf`);
    await writeFile(
      file,
      `daemon off; pid ${file}.pid; error_log ${file}.log;
       events {}
       http { access_log off; client_body_temp_path ${file}.body; proxy_temp_path ${file}.proxy;
         server { listen 127.0.0.1:${port}; location / { proxy_http_version 1.1; ${location} } } }`,
    );
    await run('nginx', ['-p', folder, '-c', file, '-e', `${file}.log`], port);
    return `http://localhost:${port}`;
  }

  async function haproxy(bind: string, backend: string): Promise<number> {
    const [port = 0] = await freePorts(1);
    const file = join(folder, `haproxy-${port}.cfg`);
    const { host } = new URL(site);
    await writeFile(
      file,
      `defaults
  mode http
  timeout connect 5s
  timeout client 90s
  timeout server 90s
listen web
  bind 127.0.0.1:${port} ${bind}
  ${backend}
  server gateway ${host}
`,
    );
    await run('haproxy', ['-f', file], port);
    return port;
  }

  const ALL = ['BOSH', 'WebSocket'].flatMap((transport) => [
    new RegExp(`^✔ ${transport}: connect to .*: 127.0.0.1 port \\d+ \\(\\d+ ms\\)$`, 'm'),
    new RegExp(`^✔ ${transport}: open the stream: localhost offers .*SCRAM-SHA-1.* \\(\\d+ ms\\)$`, 'm'),
    new RegExp(`^✔ ${transport}: send itself a message, and get it back \\(\\d+ ms\\)$`, 'm'),
    new RegExp(`^✔ ${transport}: leave \\(\\d+ ms\\)$`, 'm'),
  ]);

  it('logs in with an account, sends itself a message over both, and leaves nobody behind', async () => {
    const [args, env] = asAlice();
    await passes(
      [site, ...args],
      [...ALL, /log in: with SCRAM-SHA-1/, /bind a resource: alice@localhost\//],
      env,
    );
    assert.deepEqual(await instance.connectedUsers(), []);
  });

  it('logs in without one where that is offered', () => passes([site], [...ALL, /log in: with ANONYMOUS/]));

  it('takes one endpoint alone', async () => {
    await passes([instance.gatewayUrl, '--user', 'localhost'], [/BOSH: leave/]);
    const { output } = await check([socketOf(site)]);
    assert.doesNotMatch(output, /BOSH/);
  });

  it("works with ejabberd's own endpoints", () =>
    passes([new URL(instance.ejabberdUrl).origin.replace('127.0.0.1', 'localhost')], ALL));

  it('stops after the features where there is neither an account nor a login without one', async () => {
    const origin = await stranger((request, response) => {
      request.resume();
      response.end(
        `<body xmlns='http://jabber.org/protocol/httpbind' sid='1'><stream:features xmlns:stream='http://etherx.jabber.org/streams'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features></body>`,
      );
    });
    await passes([`${origin}/bosh`], [/log in: left out: give an account with --user JID/, /BOSH: leave/]);
    // To this program it is not this machine, so others could read the password.
    const [args, env] = asAlice();
    await fails(
      [`${origin.replace('localhost', '0.0.0.0')}/bosh`, ...args],
      /offers PLAIN alone/,
      /https:/,
      env,
    );
  });

  it('says that the password is wrong', () =>
    fails([site, '--user', instance.alice.jid], /log in: refused with not-authorized/, /password is wrong/, {
      MEGAPHONE_PASSWORD: 'wrong',
    }));

  it('says that nobody has this domain', () =>
    fails(
      [site, '--user', 'nowhere.example'],
      /open the stream: .*host-unknown/,
      /no host .* nowhere\.example/,
    ));

  it('says that there is nothing at a path', async () => {
    await fails([`${site}/nothing`], /BOSH: open the stream: answered with HTTP 404/, /no BOSH at this path/);
    await fails([`${socketOf(site)}/nothing`], /answered with HTTP 404/, /no WebSocket at this path/);
  });

  it('says that a name is unknown, or that nobody listens', async () => {
    await fails(['http://nothing.invalid'], /connect to .*: DNS /, /DNS/);
    await fails(['http://localhost:1'], /nothing listens there/, /start the gateway/);
  });

  it('says that an address is of HTTP, not of HTTPS', () =>
    fails([site.replace('http', 'https')], /connect to https:.*no TLS/, /use http:/));

  it('goes through nginx that passes upgrades on; says of one that does not that it does not', async () => {
    const host = `proxy_pass ${site.replace('localhost', '127.0.0.1')}; proxy_set_header Host $http_host;`;
    const upgrades = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';
    await passes([await nginx(host + upgrades)], ALL);
    await fails([await nginx(host)], /WebSocket: open the stream: answered with HTTP 4\d\d/, /Upgrade/);
  });

  it('goes through HAProxy with a certificate that is trusted; says what is wrong with one that is not', async () => {
    const tls = `ssl crt ${join(folder, 'both.pem')}`;
    const port = await haproxy(tls, 'http-request set-header X-Forwarded-Proto https');
    const url = `https://localhost:${port}`;
    const env = { NODE_EXTRA_CA_CERTS: certificate.cert };
    await passes([url], [/TLSv1\.3, certificate valid until \d{4}-/, /^✔ WebSocket: leave/m], env);
    await fails([url], /the certificate is not trusted/, /NODE_EXTRA_CA_CERTS/);
    await fails(
      [`https://127.0.0.1:${port}`],
      /certificate is for another name/,
      /use the name that it has/,
      env,
    );
  });

  it('says that host-meta sends a page of HTTPS to plain HTTP', async () => {
    const port = await haproxy(`ssl crt ${join(folder, 'both.pem')}`, '');
    const env = { NODE_EXTRA_CA_CERTS: certificate.cert };
    await fails([`https://localhost:${port}`], /names http:.* and ws:/, /X-Forwarded-Proto/, env);
  });

  it('says that HAProxy reaches no gateway', async () => {
    const port = await haproxy('', 'default-server disabled');
    await fails([`http://localhost:${port}`], /answered with HTTP 503/, /gateway/);
  });

  it('says that nginx reaches no gateway', async () => {
    const [nobody = 0] = await freePorts(1);
    const proxy = await nginx(`proxy_pass http://127.0.0.1:${nobody};`);
    await fails([proxy], /BOSH: open the stream: answered with HTTP 502 by nginx/, /reaches no gateway/);
    await fails([proxy], /WebSocket: open the stream: answered with HTTP 502/, /passes no upgrades on/);
  });

  it('says that pages of an origin are not let in', async () => {
    const beside = await gatewayBeside(instance, { cors_origins: ['https://chat.example.org'] });
    try {
      const there = new URL(beside.url).origin;
      const user = ['--user', 'localhost'];
      await passes([there, ...user, '--origin', 'https://chat.example.org'], [/WebSocket: leave/]);
      const stranger = [there, ...user, '--origin', 'https://elsewhere.example'];
      await fails(stranger, /BOSH: open the stream: pages of https:.* may not read/, /cors_origins/);
      await fails(stranger, /WebSocket: open the stream: answered with HTTP 403/, /cors_origins/);
    } finally {
      await beside.service.stop();
    }
  });

  it('says that what answers is something else', async () => {
    const page = await stranger((_, response) => response.end('<h1>Welcome</h1>'));
    await fails([page], /BOSH: open the stream: what answers is no BOSH/, /leads to something else/);
    await fails([page], /WebSocket: open the stream: answered with HTTP 200/, /a page was answered/);
    const gone = await stranger((_, response) => response.writeHead(301, { location: '/elsewhere' }).end());
    await fails([gone], /answered with HTTP 301/, /give them \/elsewhere/);
    const other = await stranger(() => {});
    new WebSocketServer({ server: servers.at(-1) as Server, handleProtocols: () => false });
    await fails([socketOf(other)], /not with the subprotocol xmpp/, /Sec-WebSocket-Protocol/);
  });
});
