// The kernel command line of this boot: arguments that nobody reads because they are misspelled, and those that change what
// is kept.

import { isOn, type KernelArgument, parseCommandLine } from '../boot/command-line.ts';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import type { SlotName } from '../slots/names.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed } = inArea('kernel arguments');

/** Those that the initramfs, the mount layout, stages and overlays read. */
const COS = [
  'debug',
  'debugrw',
  'disable',
  'mount',
  'oemlabel',
  'oemtimeout',
  'overlay',
  'rootoverlay',
  'rootoverlay.adopt',
  'rootoverlay.key',
  'rootoverlay.mismatch',
  'rootoverlay.readonly',
  'rootoverlay.require',
  'rootoverlay.reset',
  'rootoverlay.wait',
  'stagetimeout',
  'volumetimeout',
];
const KNOWN = new Set([
  ...COS.flatMap((name) => [`rd.cos.${name}`, `rd.immucore.${name}`]),
  'rd.immucore.uki',
  'rd.immucore.sysrootwait',
  ...[
    'debug',
    'debugrw',
    'disable',
    'image',
    'mode',
    'mount',
    'oemlabel',
    'oemtimeout',
    'overlay',
    'setup',
    'squash',
    'device',
  ].map((name) => `elemental.${name}`),
  ...['label', 'setup'].map((name) => `cos.${name}`),
  ...['slot', 'state', 'oem', 'selected', 'assess', 'assesstimeout', 'firstboot', 'install'].map(
    (name) => `holdfast.${name}`,
  ),
]);
const FAMILY = /^(?:rd\.cos|rd\.immucore|elemental|cos|holdfast)\./;

/** @param slot whose file is the root; undefined on other systems. Pure. */
export function judgeArguments(commandLine: string, slot: SlotName | undefined): Finding[] {
  const words = parseCommandLine(commandLine);
  const findings = words.filter(({ key }) => FAMILY.test(key) && !KNOWN.has(key)).map(unknownWord);
  const isSet = (name: string) =>
    words.some(
      ({ key, value }) => [`rd.cos.${name}`, `rd.immucore.${name}`, `elemental.${name}`].includes(key) && isOn(value),
    );
  if (isSet('debugrw')) {
    findings.push(
      warning(
        'rd.cos.debugrw is set: / is writable',
        'changes go into the slot itself, without a trace, and the next upgrade loses them',
        'take it out of the arguments: holdfast grubenv get extra_cmdline',
      ),
    );
  }
  if (isSet('disable')) {
    findings.push(
      warning(
        'rd.cos.disable is set',
        'nothing of the layout is mounted and no stage of the initramfs runs',
        'take it out of the arguments',
      ),
    );
  }
  if (slot !== undefined && slot !== 'recovery' && !words.some(({ key }) => key === 'cos-img/filename')) {
    findings.push(
      failed(
        'the command line names no image file (cos-img/filename)',
        'what boots is chosen by something else than the menu of COS_STATE',
        'see /etc/cos/bootargs.cfg of the image and grub.cfg on COS_STATE',
      ),
    );
  }
  const overlays = words.filter(({ key }) => key === 'rd.live.overlay');
  if (overlays.length > 1) {
    findings.push(
      warning(
        `rd.live.overlay is there ${overlays.length} times`,
        `only the last one counts: ${overlays.at(-1)?.value}`,
        'holdfast grubenv get extra_cmdline',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok('nothing is misspelled and nothing contradicts')];
}

function unknownWord({ key }: KernelArgument): Finding {
  // The family alone would make every name of it look near.
  const family = FAMILY.exec(key)?.[0] ?? '';
  const names = [...KNOWN].filter((known) => known.startsWith(family)).map((known) => known.slice(family.length));
  const near = nearestWord(key.slice(family.length), names);
  return warning(
    `nothing reads the kernel argument ${key}${near === undefined ? '' : `; ${family}${near} is meant?`}`,
    'it has no effect',
    'correct it where it is set: holdfast grubenv get extra_cmdline, or /etc/cos/bootargs.cfg of the image',
  );
}

export function checkArguments({ root, booted }: Patient): Finding[] {
  return judgeArguments(root.readTextIfThere('/proc/cmdline') ?? '', booted.slot);
}
