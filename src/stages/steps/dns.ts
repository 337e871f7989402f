// `dns`: writes resolv.conf. A step that gives only search domains or options, which yip ignores, leaves the rest of what
// is there.

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
    const given = { ...(search.length > 0 && { search }), ...(options.length > 0 && { options }) };
    const path = value.path || DEFAULT_FILE;
    const asked = nameservers.length > 0 ? value : { ...readResolvConf(root.readTextIfThere(path) ?? ''), ...given };
    placeText(root, path, renderResolvConf(asked)).forEach(changed);
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

/** resolv.conf(5): the last `search` counts, everything else adds up. */
function readResolvConf(text: string): StepValue<'dns'> {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const wordsAfter = (keyword: string) => lines.filter(([first]) => first === keyword).map(([, ...words]) => words);
  return {
    nameservers: wordsAfter('nameserver').flatMap(([server]) => server ?? []),
    search: wordsAfter('search').at(-1) ?? [],
    options: wordsAfter('options').flat(),
  };
}
