// `cos-setup` and `yip`: stages under their old names → holdfast's command lines. Pure. Their output is holdfast's own.

import { HoldfastError } from '../../system/errors.ts';
import { type FlagSpec, flagLines, parseFlags } from './flags.ts';
import type { Translation } from './translation.ts';

export function translateCosSetup(argv: readonly string[]): Translation {
  const [stage = 'boot', ...more] = argv;
  if (stage.startsWith('-') || more.length > 0) {
    return { kind: 'text', status: 1, lines: ['Usage: cos-setup [STAGE]', '', 'STAGE is boot unless it is named.'] };
  }
  return { kind: 'plain', args: ['run-stage', stage], failure: 1 };
}

const YIP: readonly FlagSpec[] = [
  { name: 'stage', short: 's', takes: 'value', about: 'the stage to run (default)' },
  { name: 'dotnotation', short: 'd', about: 'sources hold words like stages.x[0].name=…' },
  { name: 'analyze', short: 'a', about: 'show what would run, and run nothing' },
  { name: 'help', short: 'h', about: 'show this help' },
  { name: 'version', short: 'v', about: 'print the version' },
];

/** @throws HoldfastError HF-USAGE for a wrong command line. */
export function translateYip(argv: readonly string[]): Translation {
  const flags = parseFlags(argv, YIP);
  if (flags.isOn('version')) return { kind: 'plain', args: ['--version'] };
  if (flags.isOn('help')) {
    const lines = ['Usage: yip [options] FILE|DIRECTORY|URL|-…', '', ...flagLines(YIP)];
    return { kind: 'text', status: 0, lines };
  }
  if (flags.positional.length === 0) {
    throw new HoldfastError('HF-USAGE', 'yip needs at least one path or web address', { hint: 'yip -s STAGE FILE…' });
  }
  const stage = flags.value('stage') ?? 'default';
  if (flags.isOn('analyze')) {
    if (flags.isOn('dotnotation')) {
      throw new HoldfastError('HF-USAGE', '--analyze reads YAML', { hint: 'leave --dotnotation out' });
    }
    return { kind: 'plain', args: ['plan', '--', stage, ...flags.positional], failure: 1 };
  }
  const notation = flags.isOn('dotnotation') ? ['--dotnotation'] : [];
  const args = ['cloud-init', '--stage', stage, ...notation, '--', ...flags.positional];
  return { kind: 'plain', args, failure: 1 };
}
