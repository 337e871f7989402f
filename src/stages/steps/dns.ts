// `dns`: writes resolv.conf. Name servers that are there stay when a step gives only search domains or options, which
// yip ignores.

import { placeText } from '../placement.ts';
import type { StepHandler, StepValue } from './handler.ts';

const DEFAULT_FILE = '/etc/resolv.conf';

export const dns: StepHandler<'dns'> = {
  key: 'dns',
  describe: (value) => [
    `write ${value.path || DEFAULT_FILE} (name servers: ${value.nameservers?.join(', ') || 'kept'})`,
  ],
  apply(value, { root, changed }) {
    const { nameservers = [], search = [], options = [] } = value;
    if (nameservers.length + search.length + options.length === 0) return;
    const path = value.path || DEFAULT_FILE;
    const kept = nameservers.length > 0 ? nameservers : nameserversIn(root.readTextIfThere(path) ?? '');
    placeText(root, path, renderResolvConf({ nameservers: kept, search, options })).forEach(changed);
  },
};

/** The lines in yip's order. A search list that is only `.` is left out. */
export function renderResolvConf({ nameservers = [], search = [], options = [] }: StepValue<'dns'>): string {
  const domains = search.length === 1 && search[0] === '.' ? [] : search;
  const lines = [
    ...(domains.length > 0 ? [`search ${domains.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.join('').trim() !== '' ? [`options ${options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function nameserversIn(text: string): string[] {
  return text.split('\n').flatMap((line) => line.match(/^\s*nameserver\s+(\S+)/)?.[1] ?? []);
}
