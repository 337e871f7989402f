// The packages of a plan in words, for the report of a rebase.

import type { PackagePlan, PackageStep } from './model.ts';

const nameOf = ({ key }: PackageStep) => key.replace(/:(?:all|noarch)$/, '');

/** What will be done: `install vim:amd64 9.0 (kept file)`, `remove nano:amd64`, …; one line each. */
export function describePackages(plan: PackagePlan): string[] {
  const unresolved = new Set(plan.unresolved);
  return [
    ...plan.install.map((step) => {
      const source = unresolved.has(step.key) ? 'from a repository' : 'kept file';
      return `install ${nameOf(step)} ${step.wanted} (${source})`;
    }),
    ...plan.remove.map((step) => `remove ${nameOf(step)}`),
    ...plan.hold.map((key) => `hold ${key}`),
    ...plan.unhold.map((key) => `no longer hold ${key}`),
    ...plan.addArchitectures.map((word) => `add the architecture ${word}`),
  ];
}

/** What a rule decided against the user, or leaves to the image: one line each. */
export function describePackageConflicts(plan: PackagePlan): string[] {
  return [
    ...plan.conflicts.map((step) => {
      const { kind, winner, wanted, next } = step;
      const kept = winner === 'user' ? `keeping yours (${wanted})` : `following the new base (${next})`;
      return `${kind} ${nameOf(step)} ${wanted} -> ${next}: ${kept}`;
    }),
    ...plan.skipped.map((step) => `not carried: ${nameOf(step)}, ${step.reason}`),
  ];
}
