/**
 * The names that exist on every Erlang node, as far as ours has something to say under them. A caller whose request is
 * refused goes on at once; one that hears nothing waits for ever.
 *
 *   net_kernel   {is_auth, Node} is what `net_adm:ping` asks. The rest is refused.
 *   rex          runs code for others, as `rpc` of OTP 22 and `erl_call` ask it: {Pid, {call, …}}, answered {rex, …}.
 */

import { Atom, atom, Pid, type Term, Tuple, tuple } from '../etf/terms.js';
import { type IncomingCall, incomingCall } from './incoming-call.js';

export interface Replies {
  reply(call: IncomingCall, answer: Term): void;
  send(to: Pid, message: Term): void;
}

const YES = atom('yes');
const REFUSED = tuple(atom('error'), atom('notsup'));
const BAD_RPC = tuple(atom('badrpc'), atom('notsup'));

export function netKernel(message: Term, replies: Replies): void {
  const call = incomingCall(message);
  if (call !== undefined) replies.reply(call, isNamed(call.request, 'is_auth') ? YES : REFUSED);
}

export function rex(message: Term, replies: Replies): void {
  const call = incomingCall(message);
  const [from] = message instanceof Tuple && message.elements.length === 2 ? message.elements : [];
  if (call !== undefined) replies.reply(call, BAD_RPC);
  else if (from instanceof Pid) replies.send(from, tuple(atom('rex'), BAD_RPC));
}

function isNamed(request: Term, name: string): boolean {
  const [tag] = request instanceof Tuple ? request.elements : [];
  return tag instanceof Atom && tag.name === name;
}
