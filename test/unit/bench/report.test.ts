// The boot bench's report: each figure of ours beside the baseline's, with the difference and the ratio of the medians.

import { expect, test } from 'vitest';
import type { BootFigures } from '../../../bench/boot/boot-figures.ts';
import { type BootReport, showBootReport } from '../../../bench/boot/report.ts';

function boot(initrdSeconds: number, units: Record<string, number> = {}): BootFigures {
  return {
    kernelSeconds: 2,
    initrdSeconds,
    userspaceSeconds: 6,
    bootSeconds: initrdSeconds + 6,
    memoryMb: 180,
    cacheMb: 40,
    readMb: 50,
    reads: 1000,
    units,
  };
}

const REPORT: BootReport = {
  accelerator: 'tcg-counted',
  cpus: 1,
  first: { baseline: boot(5), holdfast: boot(12) },
  boots: {
    baseline: [boot(4, { 'systemd-journald.service': 0.3 }), boot(4.4), boot(3.8)],
    holdfast: [
      boot(6, { 'systemd-journald.service': 0.3, 'sysroot.mount': 0.2 }),
      boot(7, { 'sysroot.mount': 0.1 }),
      boot(6.4, {}),
    ],
  },
  initramfs: {
    baselineBytes: 10_000_000,
    holdfastBytes: 12_500_000,
    withoutLiveBytes: 11_000_000,
    dracutBytes: 20_000_000,
    parts: [{ name: 'xfs', packedBytes: 765_000 }],
  },
  executableBytes: 100_000_000,
};

test('the report has medians, spreads, differences and ratios', () => {
  const lines = showBootReport(REPORT).map((line) => line.trim().replaceAll(/ {2,}/g, ' | '));
  expect(lines).toContain('initrd, s | 4.00 (3.80–4.40) | 6.40 (6.00–7.00) | 2.40 | 1.60');
  expect(lines).toContain('userspace, s | 6.00 | 6.00 | 0.00 | 1.00');
  expect(lines).toContain('first boot, s | 11.00 | 18.00 | 7.00 | 1.64');
  expect(lines).toContain('sysroot.mount | 0.15 (0.10–0.20)');
  expect(lines).toContain('bytes | 10000000 | 12500000 | 2500000 | 1.25');
  expect(lines).toContain('without live media | 10000000 | 11000000 | 1000000 | 1.10');
  expect(lines).toContain('xfs | 0.77 MB');
  expect(lines.some((line) => line.includes('journald'))).toBe(false);
});
