/** ejabberd's own pages lead web clients to the gateway, with the configuration that docs/operating.md prints. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { Instance } from '../../scripts/support/instance.js';
import { addModule } from '../../scripts/support/module-options.js';
import { root } from '../../scripts/support/root.js';

interface Printed {
  readonly listen: readonly { readonly request_handlers: Readonly<Record<string, string>> }[];
  readonly modules: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** As printed, but for the addresses. */
function printed({ gatewayUrl, gatewayWebSocketUrl }: Instance): Printed {
  const document = readFileSync(join(root, 'docs/operating.md'), 'utf8');
  const [, block = ''] = /<!-- configuration: found -->\n```yaml\n(.*?)```/s.exec(document) ?? [];
  const here = block
    .replaceAll('https://chat.example.com/bosh', gatewayUrl)
    .replaceAll('wss://chat.example.com/ws', gatewayWebSocketUrl);
  assert.doesNotMatch(here, /example/);
  return parse(here) as Printed;
}

describe("ejabberd's own pages", { timeout: 120_000 }, () => {
  let instance: Instance;
  let site: string;
  before(async () => {
    instance = await Instance.start();
    site = new URL(instance.ejabberdUrl).origin.replace('127.0.0.1', 'localhost');
    const { listen, modules } = printed(instance);
    const handlers = Object.entries(listen[0]?.request_handlers ?? {});
    const path = join(instance.var, `${instance.ejabberdNode.split('@', 1)[0]}`, 'ejabberd.yml');
    const lines = handlers.map(([at, module]) => `      ${at}: ${module}\n`).join('');
    const before = await readFile(path, 'utf8');
    await writeFile(
      path,
      before.replace('    request_handlers:\n', (line) => line + lines),
    );
    for (const [name, options] of Object.entries(modules)) await addModule(instance, name, options);
  });
  after(() => instance?.stop());

  it('mod_host_meta names the endpoints of the gateway, to any page', async () => {
    const json = await fetch(`${site}/.well-known/host-meta.json`);
    assert.equal(json.headers.get('access-control-allow-origin'), '*');
    assert.deepEqual(await json.json(), {
      links: [
        { rel: 'urn:xmpp:alt-connections:xbosh', href: instance.gatewayUrl },
        { rel: 'urn:xmpp:alt-connections:websocket', href: instance.gatewayWebSocketUrl },
      ],
    });
    const xml = await (await fetch(`${site}/.well-known/host-meta`)).text();
    assert.ok(xml.includes(instance.gatewayUrl) && xml.includes(instance.gatewayWebSocketUrl), xml);
  });

  it('clients that go by it log in through the gateway', () => {
    const program = join(root, 'dist/src/main.js');
    const output = execFileSync(process.execPath, [program, 'check', site], { encoding: 'utf8' });
    assert.ok(output.includes(`WebSocket: connect to ${instance.gatewayWebSocketUrl}`), output);
  });

  it('mod_conversejs is a page that uses them', async () => {
    const page = await (await fetch(`${site}/conversejs`)).text();
    const [, options = ''] = /converse\.initialize\((\{.*?\})\)/s.exec(page) ?? assert.fail(page);
    const { bosh_service_url, websocket_url } = JSON.parse(options) as Record<string, unknown>;
    assert.deepEqual([bosh_service_url, websocket_url], [instance.gatewayUrl, instance.gatewayWebSocketUrl]);
  });
});
