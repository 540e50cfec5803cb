/** The configuration from file, environment and flags: which of them wins, how each type is read, what is refused and why. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../../../src/config/load.js';
import { CONFIG_KEYS, variableOf } from '../../../src/config/schema.js';
import { MegaphoneError } from '../../../src/errors.js';

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'megaphone-config-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function load(yaml: string | undefined, rest: Partial<ConfigSources> = {}): LoadedConfig {
  const sources: ConfigSources = {
    flags: {},
    env: { HOME: '/home/x' },
    file: undefined,
    directory: '/nonexistent',
    ...rest,
  };
  if (yaml === undefined) return loadConfig(sources);
  const file = join(directory, 'megaphone.yml');
  writeFileSync(file, yaml);
  return loadConfig({ ...sources, file });
}

function problem(yaml: string | undefined, rest: Partial<ConfigSources> = {}): MegaphoneError {
  try {
    load(yaml, rest);
  } catch (error) {
    if (error instanceof MegaphoneError) return error;
    throw error;
  }
  assert.fail('the configuration was accepted');
}

test('the example names each key once, and shows its default', () => {
  const example = readFileSync('megaphone.example.yml', 'utf8');
  const settings = example.split('\n').filter((line) => /^#\w+:/.test(line));
  assert.deepEqual(
    settings.map((line) => line.slice(1, line.indexOf(':'))),
    CONFIG_KEYS,
  );
  const shown = load(settings.map((line) => line.slice(1)).join('\n')).config;
  assert.deepEqual(shown, load(undefined).config);
});

test('comet alone needs no ejabberd', () => {
  for (const yaml of ['comet_anyone: true', 'comet_ask: doorman', 'comet_key_file: /etc/key.pem']) {
    assert.deepEqual(load(`nodes: []\n${yaml}\n`).config.nodes, []);
  }
});

test('the example as it stands is a valid file that changes nothing', () => {
  const { config } = load(undefined, { file: 'megaphone.example.yml' });
  assert.deepEqual(config, load(undefined).config);
});

test('flags win over the environment, that over the file, that over the defaults', () => {
  const yaml = 'http_port: 1001\nmax_body: 1 MB\nlog_level: warn\n';
  const env = { HOME: '/home/x', MEGAPHONE_HTTP_PORT: '1002', MEGAPHONE_LOG_LEVEL: 'error' };
  const { config } = load(yaml, { env, flags: { http_port: '1003' } });
  assert.equal(config.http_port, 1003);
  assert.equal(config.log_level, 'error');
  assert.equal(config.max_body, 1024 * 1024);
  assert.equal(config.max_connections, 16_000);
});

test('megaphone.yml of the working directory is read, a missing one is not needed', () => {
  writeFileSync(join(directory, 'megaphone.yml'), 'http_port: 1234\n');
  const { config, file } = load(undefined, { directory });
  assert.equal(config.http_port, 1234);
  assert.equal(file, join(directory, 'megaphone.yml'));
  assert.equal(load(undefined).file, undefined);
  assert.equal(load(undefined, { env: { MEGAPHONE_CONFIG: '' } }).file, undefined);
});

test('a file that was asked for must be there', () => {
  assert.equal(problem(undefined, { file: '/nonexistent/x.yml' }).code, 'CONFIG_UNREADABLE');
  assert.equal(
    problem(undefined, { env: { MEGAPHONE_CONFIG: '/nonexistent/x.yml' } }).code,
    'CONFIG_UNREADABLE',
  );
});

test('nodes: a name, a list, text with commas, fixed endpoints', () => {
  const endpoint = { host: '10.0.0.2', port: 5210 };
  assert.deepEqual(load('nodes: a@h').config.nodes, [{ name: 'a@h', endpoint: undefined }]);
  assert.deepEqual(load('nodes:\n- a@h\n- {name: b@h, host: 10.0.0.2, port: 5210}').config.nodes, [
    { name: 'a@h', endpoint: undefined },
    { name: 'b@h', endpoint },
  ]);
  assert.deepEqual(load('nodes: [{name: b@h, port: 5210}]').config.nodes[0]?.endpoint, {
    host: 'h',
    port: 5210,
  });
  const env = { MEGAPHONE_NODES: 'a@h, b@h=10.0.0.2:5210' };
  assert.deepEqual(load(undefined, { env }).config.nodes[1], { name: 'b@h', endpoint });
});

test('amounts with units', () => {
  const { config } = load(
    'answer_timeout: 2 min\nnode_return_wait: 1500ms\nmax_body: 64 KB\nkeep_alive_timeout: 60\n',
  );
  assert.equal(config.answer_timeout, 120);
  assert.equal(config.node_return_wait, 1.5);
  assert.equal(config.max_body, 65_536);
  assert.equal(config.keep_alive_timeout, 60);
});

test('ERL_EPMD_PORT is heeded below our own variable', () => {
  assert.equal(load(undefined, { env: { ERL_EPMD_PORT: '4370' } }).config.epmd_port, 4370);
  const env = { ERL_EPMD_PORT: '4370', MEGAPHONE_EPMD_PORT: '4371' };
  assert.equal(load(undefined, { env }).config.epmd_port, 4371);
});

test('~ in cookie_file is the home directory', () => {
  assert.equal(load(undefined).config.cookie_file, '/home/x/.erlang.cookie');
  assert.equal(load('cookie_file: /etc/cookie').config.cookie_file, '/etc/cookie');
});

for (const { yaml, code, says } of [
  {
    yaml: 'htp_port: 1',
    code: 'CONFIG_UNKNOWN_KEY',
    says: /htp_port: unknown key; did you mean http_port\?/,
  },
  { yaml: 'zzz: 1', code: 'CONFIG_UNKNOWN_KEY', says: /zzz: unknown key$/ },
  {
    yaml: 'http_port: abc',
    code: 'CONFIG_BAD_VALUE',
    says: /http_port: expected a port from 0 to 65535, got "abc"/,
  },
  { yaml: 'http_port: 70000', code: 'CONFIG_BAD_VALUE', says: /got 70000/ },
  {
    yaml: 'max_body: 5 TB',
    code: 'CONFIG_BAD_VALUE',
    says: /max_body: expected a size from .*"64 KB", got "5 TB"/,
  },
  {
    yaml: 'answer_timeout: 0',
    code: 'CONFIG_BAD_VALUE',
    says: /answer_timeout: expected a time from 1 to 3600 s/,
  },
  {
    yaml: 'nodes: [a@h, nonsense]',
    code: 'CONFIG_BAD_VALUE',
    says: /nodes\[1\]\.name: expected a node name/,
  },
  {
    yaml: 'nodes: [{name: a@h, prt: 1}]',
    code: 'CONFIG_UNKNOWN_KEY',
    says: /nodes\[0\]\.prt: unknown key; did you mean port/,
  },
  {
    yaml: 'nodes: [{name: a@h, host: x}]',
    code: 'CONFIG_BAD_VALUE',
    says: /nodes\[0\]\.port: expected a port beside host/,
  },
  {
    yaml: 'nodes: [5]',
    code: 'CONFIG_BAD_VALUE',
    says: /nodes\[0\]: expected a node name, or name, host and port, got 5/,
  },
  { yaml: 'nodes: []', code: 'CONFIG_BAD_VALUE', says: /nodes: expected at least one node/ },
  { yaml: 'nodes: [a@h, a@h]', code: 'CONFIG_BAD_VALUE', says: /nodes: expected each node once/ },
  {
    yaml: 'nodes: [a@h, megaphone@localhost]',
    code: 'CONFIG_BAD_VALUE',
    says: /nodes\[1\]: expected an ejabberd node, this is the gateway's own name/,
  },
  {
    yaml: 'trusted_proxies: [10.0.0.0/33]',
    code: 'CONFIG_BAD_VALUE',
    says: /trusted_proxies\[0\]: expected an IP address or a range/,
  },
  {
    yaml: 'cors_origins: [chat.example.org/]',
    code: 'CONFIG_BAD_VALUE',
    says: /cors_origins\[0\]: expected "\*" or an origin/,
  },
  {
    yaml: 'http_ip: localhost',
    code: 'CONFIG_BAD_VALUE',
    says: /http_ip: expected an IP address, got "localhost"/,
  },
  { yaml: 'log_level: loud', code: 'CONFIG_BAD_VALUE', says: /log_level: expected one of trace, debug/ },
  {
    yaml: 'header_timeout: 40 s',
    code: 'CONFIG_BAD_VALUE',
    says: /header_timeout: expected no more than request_timeout/,
  },
  { yaml: 'http_port: [1\n', code: 'CONFIG_SYNTAX', says: /megaphone\.yml, line \d+: / },
  { yaml: '- a\n- b\n', code: 'CONFIG_SYNTAX', says: /expected "key: value" lines/ },
] as const) {
  test(`refused: ${JSON.stringify(yaml)}`, () => {
    const error = problem(yaml);
    assert.equal(error.code, code);
    assert.match(error.message, says);
    assert.ok(error.hint);
  });
}

test('every problem is told at once, each with its place', () => {
  const error = problem('http_port: x\nbogus: 1\n', { env: { MEGAPHONE_MAX_BODY: 'huge' } });
  assert.match(error.message, /megaphone\.yml: http_port: /);
  assert.match(error.message, /megaphone\.yml: bogus: unknown key/);
  assert.match(error.message, /MEGAPHONE_MAX_BODY: max_body: expected .* got "huge"/);
});

test('a cookie in the file is refused without showing it', () => {
  const error = problem('cookie: HUSHHUSH\n');
  assert.match(error.message, /cookie: unknown key; .*MEGAPHONE_COOKIE/);
  assert.doesNotMatch(`${error.message} ${error.hint}`, /HUSH/);
});

test('a mistyped variable is warned of; those of others are left alone', () => {
  const env = {
    MEGAPHONE_HTTP_PROT: '1',
    MEGAPHONE_COOKIE: 'x',
    MEGAPHONE_VAR: 'var',
    MEGAPHONE_SERVICE_PORT_WEB_TCP_ADDR: '10.0.0.1',
  };
  assert.deepEqual(load(undefined, { env }).warnings, [
    'the variable MEGAPHONE_HTTP_PROT is unknown: did you mean MEGAPHONE_HTTP_PORT?',
  ]);
});

test('every key can come from the environment', () => {
  const defaults = load(undefined).config;
  for (const key of CONFIG_KEYS) {
    const value = defaults[key];
    const text =
      key === 'nodes'
        ? 'ejabberd@localhost'
        : key === 'max_failed_logins_per_address'
          ? '60/min'
          : Array.isArray(value)
            ? value.join(',')
            : String(value);
    if (text === '') continue;
    assert.deepEqual(load(undefined, { env: { [variableOf(key)]: text } }).config[key], value, key);
  }
});
