// sprig's functions that ask the machine: variables of the environment and addresses of hosts.

import type { TemplateHost } from '../host.ts';
import { CallError } from '../templateerror.ts';
import { bytesOf, textOf } from '../values/bytes.ts';
import { type FunctionTable, fn1 } from './function.ts';
import { text } from './parameters.ts';

/** An address has to be looked up, which takes time; afterwards the template is executed again. */
export class AddressWanted extends Error {
  override readonly name = 'AddressWanted';
  readonly host: string;

  constructor(host: string) {
    super(`the address of ${host} is wanted`);
    this.host = host;
  }
}

export const machine: FunctionTable = {
  env: fn1(text, (name, { host }) => variable(name, host)),
  expandenv: fn1(text, (bytes, { host, budget }) => {
    const expanded = bytes.replace(
      /\$(?:\{([^}]*)\}|([A-Za-z0-9_]+|[*#$@!?-])|(\{))?/g,
      (whole, braced?: string, plain?: string, open?: string) => {
        if (open !== undefined || braced === '') return '';
        if (braced === undefined && plain === undefined) return whole;
        // $10 is $1 with a zero behind it, as in a shell.
        const [name, tail] =
          plain !== undefined && /^\d/.test(plain) ? [plain[0] ?? '', plain.slice(1)] : [braced ?? plain ?? '', ''];
        return variable(name, host) + tail;
      },
    );
    budget.text(expanded.length);
    return expanded;
  }),
  getHostByName: fn1(text, (name, { host, addresses, budget }) => {
    budget.step(10_000);
    const known = addresses.get(textOf(name));
    if (known === undefined) throw new AddressWanted(textOf(name));
    if (known.length === 0) throw new CallError(`lookup ${textOf(name)}: no such host`);
    const [first = 0] = host.randomBytes(1);
    return known[first % known.length];
  }),
};

function variable(name: string, host: TemplateHost): string {
  return bytesOf(host.environment(textOf(name)));
}
