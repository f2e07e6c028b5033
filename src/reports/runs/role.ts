/** Name of the thread of a run; alone in its file because every start of a thread reads it. */
export const REPORT_ROLE = 'report'
