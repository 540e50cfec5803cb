/** Pieces of Prometheus' text format 0.0.4. */

export function head(name: string, help: string): string {
  const type = name.endsWith('_total') ? 'counter' : 'gauge';
  return `# HELP megaphone_${name} ${help}\n# TYPE megaphone_${name} ${type}\n`;
}

export function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
