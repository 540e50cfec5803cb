/** What the two parts of a server use: seconds of processor time, or bytes. */

export interface Usage {
  /** Of the Erlang machine, and of what stands in front of it: the gateway, or haproxy (0 where there is nothing). */
  readonly ejabberd: number;
  readonly gateway: number;
}

export const NOTHING: Usage = { ejabberd: 0, gateway: 0 };

export const plus = (a: Usage, b: Usage): Usage => ({
  ejabberd: a.ejabberd + b.ejabberd,
  gateway: a.gateway + b.gateway,
});

export const minus = (a: Usage, b: Usage): Usage => ({
  ejabberd: a.ejabberd - b.ejabberd,
  gateway: a.gateway - b.gateway,
});

export const share = ({ ejabberd, gateway }: Usage, count: number): Usage => ({
  ejabberd: ejabberd / count,
  gateway: gateway / count,
});

export const sumOf = ({ ejabberd, gateway }: Usage): number => ejabberd + gateway;
