/** What the two parts of what is measured use: seconds of processor time, or bytes. */

export interface Usage {
  /** Of ejabberd, or Prosody. */
  readonly server: number;
  /** Of what stands in front of it: the gateway, or haproxy; 0 where there is nothing. */
  readonly front: number;
}

export const minus = (a: Usage, b: Usage): Usage => ({
  server: a.server - b.server,
  front: a.front - b.front,
});

export const share = ({ server, front }: Usage, count: number): Usage => ({
  server: server / count,
  front: front / count,
});

export const sumOf = ({ server, front }: Usage): number => server + front;
