/** One process has the node's own name; several are `megaphone-1@host`, `megaphone-2@host` … */
export function nodeNames({ node, workers }: { readonly node: string; readonly workers: number }): string[] {
  if (workers === 1) return [node];
  return Array.from({ length: workers }, (_, index) => node.replace('@', `-${index + 1}@`));
}
