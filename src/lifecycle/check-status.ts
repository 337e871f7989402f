// Exit statuses of commands that judge a machine, for monitoring: apart from 1, which is wrong arguments, and from the
// statuses of errors.

export const CHECK_STATUS = { well: 0, warnings: 2, trouble: 3 } as const;

export type CheckOutcome = keyof typeof CHECK_STATUS;
