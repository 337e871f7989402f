// What a stage file says about one user: the value of one key of `users`.

import type { StepValues } from '../../cloudconfig/stepkeys.ts';

export type UserRequest = NonNullable<StepValues['users']> extends ReadonlyMap<string, infer T> ? T : never;
