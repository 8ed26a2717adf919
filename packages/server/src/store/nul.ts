/**
 * PostgreSQL's text has no NUL, and a question with one in it is an error there: nothing is ever found under it, so it is
 * not asked.
 */
export const hasNul = (text: string): boolean => text.includes('\0')
