/**
 * The configuration from its sources. Flags win over the environment, that over the file, that over the defaults.
 * The cookie has no place in any of them but `MEGAPHONE_COOKIE` and the cookie file.
 */

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { MegaphoneError } from '../errors.js';
import { readRegularFile } from '../regular-file.js';
import { nearest } from './nearest.js';
import { CONFIG_KEYS, type Config, type ConfigKey, configSchema, flagOf, variableOf } from './schema.js';

export interface ConfigSources {
  /** By key, as text: `{ http_port: '8080' }`. */
  readonly flags: Readonly<Partial<Record<ConfigKey, string>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file that was asked for, if any. */
  readonly file: string | undefined;
  /** Where `megaphone.yml` is looked for otherwise. */
  readonly directory: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** `undefined` where there is none. */
  readonly file: string | undefined;
  /** Things that look like mistakes but may be meant. */
  readonly warnings: readonly string[];
}

interface Raw {
  readonly value: unknown;
  /** Where it was found, for errors. */
  readonly from: string;
}

const FILE_NAME = 'megaphone.yml';
/** Read elsewhere: the cookie, a password, the file itself, and the development instance's settings. */
const OTHER_VARIABLES = new Set([
  'MEGAPHONE_COOKIE',
  'MEGAPHONE_PASSWORD',
  'MEGAPHONE_CONFIG',
  'MEGAPHONE_VAR',
  'MEGAPHONE_INSTANCE',
  'MEGAPHONE_TLS',
]);

/** @throws MegaphoneError CONFIG_… naming each problem with its place */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const file = findFile(sources);
  const raw = new Map<string, Raw>();
  if (file !== undefined) {
    for (const [key, value] of readFile(file)) raw.set(key, { value, from: file });
  }
  for (const [key, found] of readEnvironment(sources.env)) raw.set(key, found);
  for (const key of CONFIG_KEYS) {
    const value = sources.flags[key];
    if (value !== undefined) raw.set(key, { value, from: `--${flagOf(key)}` });
  }
  const values = Object.fromEntries([...raw].map(([key, { value }]) => [key, value]));
  const result = configSchema.safeParse(values);
  if (!result.success) throw configError(result.error.issues, raw);
  const { HOME: home = homedir() } = sources.env;
  const cookie_file = result.data.cookie_file.replace(/^~(?=\/)/, home);
  return { config: { ...result.data, cookie_file }, file, warnings: unknownVariables(sources.env) };
}

function findFile({ file, env, directory }: ConfigSources): string | undefined {
  const { MEGAPHONE_CONFIG: named } = env;
  const asked = file ?? named ?? '';
  if (asked !== '') return asked;
  const usual = join(directory, FILE_NAME);
  return existsSync(usual) ? usual : undefined;
}

function readFile(file: string): [string, unknown][] {
  const document = parseDocument(readText(file), { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    const [what] = problem.message.split(' at line');
    throw new MegaphoneError('CONFIG_SYNTAX', `${file}, line ${line ?? '?'}: ${what}`, {
      hint: 'the file is YAML: spaces, not tabs, indent it, and a space follows each colon',
    });
  }
  const content: unknown = document.toJS() ?? {};
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new MegaphoneError('CONFIG_SYNTAX', `${file}: expected "key: value" lines`, { hint: SEE_EXAMPLE });
  }
  // A key without a value is one commented out by half: its default.
  return Object.entries(content).filter(([, value]) => value !== null);
}

function readText(file: string): string {
  const bytes = readRegularFile(file, {
    code: 'CONFIG_UNREADABLE',
    problem: `cannot read ${file}`,
    hint: 'name the file with --config FILE or MEGAPHONE_CONFIG, or leave both away',
  });
  return bytes.toString('utf8');
}

function* readEnvironment(env: ConfigSources['env']): Generator<[ConfigKey, Raw]> {
  // The variable that every program of Erlang/OTP goes by.
  const { ERL_EPMD_PORT: epmdPort } = env;
  if (epmdPort) yield ['epmd_port', { value: epmdPort, from: 'ERL_EPMD_PORT' }];
  for (const key of CONFIG_KEYS) {
    const value = env[variableOf(key)];
    if (value !== undefined && value !== '') yield [key, { value, from: variableOf(key) }];
  }
}

/** Only warned of, because others set such variables too: Kubernetes does for a service called megaphone. */
function unknownVariables(env: ConfigSources['env']): string[] {
  const known = CONFIG_KEYS.map(variableOf);
  return Object.keys(env)
    .filter((name) => name.startsWith('MEGAPHONE_') && !known.includes(name) && !OTHER_VARIABLES.has(name))
    .flatMap((name) => {
      const meant = nearest(name, known);
      return meant === undefined ? [] : [`the variable ${name} is unknown: did you mean ${meant}?`];
    });
}

const SEE_EXAMPLE = 'megaphone.example.yml explains every key';

function configError(issues: readonly z.core.$ZodIssue[], raw: ReadonlyMap<string, Raw>): MegaphoneError {
  const isUnknownKey = issues.every(({ code }) => code === 'unrecognized_keys');
  const problems = issues.flatMap((issue) => describeIssue(issue, raw));
  return new MegaphoneError(isUnknownKey ? 'CONFIG_UNKNOWN_KEY' : 'CONFIG_BAD_VALUE', problems.join('\n'), {
    hint: SEE_EXAMPLE,
  });
}

function describeIssue(issue: z.core.$ZodIssue, raw: ReadonlyMap<string, Raw>): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const from = raw.get(String(issue.path[0] ?? key))?.from;
      return `${from}: ${pathText([...issue.path, key])}: unknown key${advice(key, issue.path)}`;
    });
  }
  const found = raw.get(String(issue.path[0]));
  const value = valueAt(found?.value, issue.path.slice(1));
  return [`${found?.from ?? 'configuration'}: ${pathText(issue.path)}: ${issue.message}${got(value)}`];
}

function advice(key: string, path: readonly PropertyKey[]): string {
  if (key === 'cookie')
    return '; the cookie belongs in the file that cookie_file names, or in MEGAPHONE_COOKIE';
  const meant = nearest(key, path.length === 0 ? CONFIG_KEYS : ['name', 'host', 'port']);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

/** `nodes[0].port` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    // A list given as text was split after this, so what was given is the whole text.
    if (typeof at !== 'object' || at === null) return at;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

function got(value: unknown): string {
  if (value === undefined) return '';
  const text = JSON.stringify(value) ?? String(value);
  return `, got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}
