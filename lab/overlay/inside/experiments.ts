// What the host can have done in the guest, by name.

import * as block from './block-experiments.ts';
import * as cost from './cost-experiments.ts';
import * as files from './file-experiments.ts';
import * as watch from './watch-experiments.ts';

export const EXPERIMENTS = { ...block, ...cost, ...files, ...watch };
export type Experiments = typeof EXPERIMENTS;
