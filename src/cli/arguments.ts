/** What stands on the command line: a command, its operand, and flags, one for each key of the configuration. */

import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { CONFIG_KEYS, type ConfigKey, describe, flagOf } from '../config/schema.js';
import { MegaphoneError } from '../errors.js';

const OPERANDS: Readonly<Record<string, string>> = {
  check: '[URL]',
  ping: 'NODE',
  names: '[HOST]',
  publish: 'ID TEXT',
};

/** Beside the keys of the configuration: for `check` alone. */
const LOCAL = 'check only what is of this machine, not the ejabberd nodes';

/** For `check URL`. */
const CHECK_FLAGS = {
  user: 'whom check URL logs in as, by JID; a domain alone logs in without account',
  origin: 'that of the page that check URL plays; by default that of the URL',
} as const;

/** For `publish`. */
const PUBLISH_FLAGS = { event: 'name of the event that publish sends' } as const;
const COMMAND_FLAGS = { ...CHECK_FLAGS, ...PUBLISH_FLAGS };

const COMMANDS = {
  start: 'serve web clients until SIGTERM or SIGINT',
  check: 'try the configuration out, or a URL as web clients do; say what is wrong and what mends it',
  drain: 'send the clients of the running gateway elsewhere, and wait until they are told',
  resume: 'have it take clients again',
  top: 'show what the running gateway does, each second, until q',
  nodes: 'list the ejabberd nodes that the running gateway sees',
  publish: 'send a text to the pages that listen to an id; - for TEXT reads it from the standard input',
  cat: 'say each line of the standard input to whom it names: #room, @user, %ID',
  ping: 'connect to an Erlang node as this gateway would',
  names: 'list the nodes that EPMD knows',
} as const;

export type Command = keyof typeof COMMANDS;

export interface Arguments {
  readonly command: Command | 'help' | 'version';
  readonly operand: string | undefined;
  /** The second operand. */
  readonly text: string | undefined;
  readonly file: string | undefined;
  readonly flags: Readonly<Partial<Record<ConfigKey, string>>>;
  readonly user: string | undefined;
  readonly origin: string | undefined;
  readonly event: string | undefined;
  readonly local: boolean;
}

/** @throws MegaphoneError CONFIG_USAGE */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args);
  const { config, help, version, user, origin, event, local = false } = values;
  const [word, operand, text] = positionals;
  const flags: Partial<Record<ConfigKey, string>> = {};
  for (const key of CONFIG_KEYS) {
    const value = values[flagOf(key)];
    if (typeof value === 'string') flags[key] = value;
  }
  const rest = {
    operand,
    text,
    file: textOf(config),
    flags,
    user: textOf(user),
    origin: textOf(origin),
    event: textOf(event),
    local: local === true,
  };
  if (version === true) return { command: 'version', ...rest };
  if (help === true || word === undefined || word === 'help') return { command: 'help', ...rest };
  const command = toCommand(word);
  const takes = OPERANDS[command]?.split(' ').length ?? 0;
  const tooMuch = positionals[1 + takes];
  if (tooMuch !== undefined) {
    const operands = takes === 1 ? 'one operand' : `${takes === 0 ? 'no' : takes} operands`;
    const quoted = command === 'publish' ? ': put quotes around the text' : '';
    throw usage(`${tooMuch} is too much: megaphone ${command} takes ${operands}${quoted}`);
  }
  const checksUrl = command === 'check' && operand !== undefined;
  if (!checksUrl && (user !== undefined || origin !== undefined))
    throw usage('--user and --origin are for megaphone check URL');
  if (local === true && (command !== 'check' || checksUrl)) throw usage('--local is for megaphone check');
  if (event !== undefined && command !== 'publish') throw usage('--event is for megaphone publish');
  if (command === 'publish' && text === undefined)
    throw usage('what, and to whom? megaphone publish ID TEXT');
  if (command === 'ping' && operand === undefined) throw usage('which node? megaphone ping NODE');
  return { command, ...rest };
}

const textOf = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

export function helpText(): string {
  const commands = Object.entries(COMMANDS).map(
    ([name, what]) => `  megaphone ${`${name} ${OPERANDS[name] ?? ''}`.padEnd(16)} ${what}`,
  );
  const ofCommands = Object.entries(COMMAND_FLAGS).map(([name, what]) => `  --${name.padEnd(20)} ${what}`);
  const flags = CONFIG_KEYS.map((key) => `  --${flagOf(key).padEnd(20)} ${describe(key)}`);
  return [
    'Megaphone serves web chat clients (BOSH, WebSocket) for ejabberd.',
    '',
    ...commands,
    '',
    '  --config FILE          the configuration (otherwise megaphone.yml here, if there is one)',
    `  --${'local'.padEnd(20)} ${LOCAL}`,
    ...ofCommands,
    '  --help, --version',
    '',
    'Each key of the configuration has a flag, and a variable such as MEGAPHONE_HTTP_PORT:',
    ...flags,
    '',
    'The cookie comes from cookie_file or MEGAPHONE_COOKIE, the password of --user from a prompt or MEGAPHONE_PASSWORD.',
    'megaphone.example.yml explains every key.',
    '',
  ].join('\n');
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function parse(args: readonly string[]): { values: Values; positionals: readonly string[] } {
  const names = ['config', ...Object.keys(COMMAND_FLAGS), ...CONFIG_KEYS.map(flagOf)];
  for (const argument of args) {
    const [, name] = /^--([^=]+)/.exec(argument) ?? [];
    if (name !== undefined && ![...names, 'help', 'version', 'local'].includes(name))
      throw unknownFlag(name, names);
  }
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...options,
        local: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function toCommand(word: string): Command {
  const commands = Object.keys(COMMANDS) as Command[];
  const command = commands.find((name) => name === word);
  if (command !== undefined) return command;
  const meant = nearest(word, commands);
  throw usage(`unknown command ${word}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
}

function unknownFlag(name: string, known: readonly string[]): MegaphoneError {
  // `ps` shows a flag to everyone on the machine.
  if (name === 'cookie')
    return usage('no flag takes the cookie: use --cookie-file, or the variable MEGAPHONE_COOKIE');
  if (name === 'password') return usage('no flag takes a password: use the variable MEGAPHONE_PASSWORD');
  const meant = nearest(name, known);
  return usage(`unknown flag --${name}${meant === undefined ? '' : `; did you mean --${meant}?`}`);
}

function usage(message: string): MegaphoneError {
  return new MegaphoneError('CONFIG_USAGE', message, { hint: 'megaphone --help lists commands and flags' });
}
