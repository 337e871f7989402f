// The boot bench's figures as text for a terminal: the baseline, ours, and what lies between them.

import { type Figure, figureOf, showFigure } from '../figures.ts';
import type { BootFigures } from './boot-figures.ts';
import type { Initramfses } from './initramfs.ts';

export interface BootReport {
  accelerator: string;
  cpus: number;
  first: { baseline: BootFigures; holdfast: BootFigures };
  boots: { baseline: BootFigures[]; holdfast: BootFigures[] };
  initramfs: Omit<Initramfses, 'baseline'>;
  executableBytes: number;
}

const OURS = /^(cos-|holdfast-|oem\.mount|sysroot\.mount|run-initramfs-cos)/;

const ROWS: readonly [name: string, key: Exclude<keyof BootFigures, 'units'>, digits: number][] = [
  ['kernel, s', 'kernelSeconds', 2],
  ['initrd, s', 'initrdSeconds', 2],
  ['userspace, s', 'userspaceSeconds', 2],
  ['initrd and userspace, s', 'bootSeconds', 2],
  ['memory without caches, MB', 'memoryMb', 1],
  ['files in memory, MB', 'cacheMb', 0],
  ['read from the disk, MB', 'readMb', 0],
  ['reads', 'reads', 0],
];

/** The report, line by line. */
export function showBootReport(report: BootReport): string[] {
  const { first, boots, initramfs } = report;
  const clock =
    report.accelerator === 'tcg-counted' ? 'the clock counts instructions, 500 million a second' : 'host’s clock';
  const lines = [
    `${report.cpus} processor(s), ${report.accelerator} (${clock}), median (smallest–largest) of ${boots.holdfast.length}`,
    row('', 'baseline', 'holdfast', 'more', 'ratio'),
  ];
  for (const [name, key, digits] of ROWS) {
    lines.push(compare(name, figuresOf(boots.baseline, key), figuresOf(boots.holdfast, key), digits));
  }
  lines.push(compare('first boot, s', one(first.baseline.bootSeconds), one(first.holdfast.bootSeconds), 2));
  lines.push('', 'our units, seconds each (some run beside others)');
  for (const unit of ourUnits(boots.holdfast)) {
    const seconds = boots.holdfast.flatMap(({ units }) => units[unit] ?? []);
    lines.push(`  ${unit.padEnd(36)} ${showFigure(figureOf(seconds), 2)}`);
  }
  const added = initramfs.holdfastBytes - initramfs.baselineBytes;
  lines.push('', 'initramfs, packed');
  lines.push(compare('  bytes', one(initramfs.baselineBytes), one(initramfs.holdfastBytes), 0));
  lines.push(compare('  without live media', one(initramfs.baselineBytes), one(initramfs.withoutLiveBytes), 0));
  lines.push('  what the latter has more, each packed for itself');
  for (const { name, packedBytes } of initramfs.parts) lines.push(`    ${name.padEnd(40)} ${megabytes(packedBytes)}`);
  lines.push(`  what dracut makes when it chooses itself    ${megabytes(initramfs.dracutBytes)}`);
  lines.push('', `image: the executable, ${megabytes(report.executableBytes)}, and ${megabytes(added)} of initramfs`);
  return lines;
}

/** In the order in which they had started. */
function ourUnits(boots: readonly BootFigures[]): string[] {
  return [...new Set(boots.flatMap(({ units }) => Object.keys(units)))].filter((unit) => OURS.test(unit));
}

function figuresOf(boots: readonly BootFigures[], key: Exclude<keyof BootFigures, 'units'>): Figure {
  return figureOf(boots.map((boot) => boot[key]));
}

function one(value: number): Figure {
  return figureOf([value]);
}

function compare(name: string, baseline: Figure, holdfast: Figure, digits: number): string {
  return row(
    name,
    showFigure(baseline, digits),
    showFigure(holdfast, digits),
    (holdfast.median - baseline.median).toFixed(digits),
    (holdfast.median / baseline.median).toFixed(2),
  );
}

function row(name: string, ...columns: readonly string[]): string {
  return name.padEnd(28) + columns.map((column) => column.padStart(20)).join('');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
