// Installs what package-lock.json names when node_modules has something else or isn't there.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChildFailed } from './child.mjs';

/** Runs `npm ci` without install scripts, if need be. */
export async function installNpmPackages({ project, step, run }) {
  if (isUpToDate(project)) return;
  step('Packages from npm');
  try {
    await run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  } catch (error) {
    if (error instanceof ChildFailed && error.status < 128) {
      throw new ChildFailed('The npm packages could not be installed. By hand: npm ci --ignore-scripts', error.status);
    }
    throw error;
  }
}

/** Compares the lock file with npm's own note of what it has installed. */
function isUpToDate(project) {
  const noteFile = join(project, 'node_modules/.package-lock.json');
  if (!existsSync(noteFile)) return false;
  const wanted = packagesOf(join(project, 'package-lock.json'));
  const installed = packagesOf(noteFile);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    // Packages for other processors and systems are left out.
    if (installed[path] === undefined && entry.optional === true) continue;
    if (installed[path]?.version !== entry.version) return false;
  }
  return Object.keys(installed).every((path) => wanted[path] !== undefined);
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
