// What the owner may say about packages that don't fit into a new system. Apart from what acts on it: the command line knows
// these words before anything else is loaded.

export const PACKAGE_POLICIES = ['refuse', 'hold', 'drop', 'defer'] as const;
export type PackagePolicy = (typeof PACKAGE_POLICIES)[number];
export type PackageChoice = Exclude<PackagePolicy, 'refuse'>;
