// The flags of `holdfast installer`, as both ways to run it see them.

import type { OutputOptions } from '../reporter.ts';
import type { SettingsFlags } from '../settings-option.ts';
import type { TrustFlags } from '../trust-option.ts';

export interface InstallerFlags extends SettingsFlags, TrustFlags, OutputOptions {
  insecureRegistry?: string[];
  dryRun?: boolean;
  unattended?: boolean;
  from?: string[];
}
